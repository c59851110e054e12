"""The two protocols of the quarantine: the durable record (SQL decides) and the live queue (Redis serves).

They disagree: the record wins. Order of writes on a hold: `Record.hold` (committed), `LiveQueue.put`, answer. On a
release: `Record.decide` writes the outbox row in the same SQL transaction, and `gateway.tasks.releaser` forwards.
"""

from __future__ import annotations

from collections.abc import AsyncIterator, Collection, Mapping, Sequence
from datetime import datetime, timedelta
from typing import Protocol

from gateway.model.case import (
    CaseDetail,
    CaseGroup,
    CaseOrder,
    CaseQuery,
    CaseStep,
    Conflict,
    Decision,
    OutboxItem,
    OutboxOutcome,
    Page,
    SubmissionNote,
)
from gateway.model.primitive import Address, Hash32
from gateway.model.quarantine import CaseState, QuarantineEntry, TransactionStatus
from gateway.model.queue_event import QueueEvent
from gateway.model.transaction import Client
from gateway.model.verdict import Verdict


class Record(Protocol):
    """The durable record, and the arbiter of every transition. Every method raises RecordUnavailable if SQL is away.

    Safe to share between tasks of one event loop; several processes may work on one database.
    """

    async def hold(self, entry: QuarantineEntry, detail: CaseDetail) -> QuarantineEntry:
        """Commit case, raw bytes, detail and audit record in one transaction, durable before this returns.

        Idempotent by transaction hash: if the hash has a case, nothing is written and that case is returned, whatever
        its state. Compare `case_id` to learn which happened. Two replicas racing get the same case.
        """

    async def note(self, notes: Sequence[SubmissionNote]) -> None:
        """Record submissions that were forwarded or rejected at once, as one link of the audit chain.

        Durable when it returns, idempotent for the same group. The hot path does not wait for it: it gives notes to
        `store.audit_writer.AuditWriter`.
        """

    async def by_hash(self, hash: Hash32) -> QuarantineEntry | None:
        """The case of a transaction, in any state."""

    async def case(self, case_id: str) -> QuarantineEntry | None:
        """The case by its id, in any state."""

    async def detail(self, case_id: str, *, revision: int | None = None) -> CaseDetail | None:
        """What the case page prints: as of the hold (1), or of a later step that brought a detail (default: last)."""

    async def cases(self, query: CaseQuery, *, total: int | None = None) -> Page:
        """One page of the cases that match. Who knows how many they are gives `total`: counting takes longer."""

    async def groups(self, query: CaseQuery) -> Sequence[CaseGroup]:
        """The same cases folded into look-alikes, largest group first; `offset` and `limit` count groups."""

    async def counts(self) -> Mapping[CaseState, int]:
        """How many cases stand in each state; absent means none."""

    async def waiting_of(self, client: Client) -> int:
        """How many cases of this client wait: of its key, or of its very address if it has none."""

    async def by_sender(self, sender: Address, states: Collection[CaseState]) -> Sequence[QuarantineEntry]:
        """A sender's cases in these states, by nonce."""

    async def in_flight(self, after: str = "", limit: int = 500) -> Sequence[QuarantineEntry]:
        """Cases that belong into the live queue (waiting or released) by case id, after that id: for `rebuild`."""

    async def history(self, case_id: str) -> Sequence[CaseStep]:
        """Every step of a case, the oldest first."""

    async def due(self, now: datetime, limit: int = 100) -> Sequence[QuarantineEntry]:
        """Waiting cases whose time is over, the oldest first."""

    async def decide(self, case_id: str, decision: Decision) -> QuarantineEntry | Conflict:
        """Release or reject a waiting case: one UPDATE that requires the present state, so only one caller wins.

        A release writes the outbox row, and every decision its audit record, in the same transaction.

        Raises:
            ValueError: the reason is empty, or the target is neither RELEASED nor REJECTED.
        """

    async def move(
        self,
        case_id: str,
        from_: Collection[CaseState],
        to: CaseState,
        actor: str,
        reason: str,
        *,
        verdict: Verdict | None = None,
        detail: CaseDetail | None = None,
        expires_at: datetime | None = None,
    ) -> QuarantineEntry | Conflict:
        """Any other step: expiry, supersession, a deferred or parked case that became HELD.

        `verdict`, `detail` and `expires_at` replace the stored ones if given. A step to RELEASED writes the outbox row
        as `decide` does; a step out of RELEASED withdraws it.

        Raises:
            ValueError: the table in model/quarantine.py does not allow the step from one of `from_`.
        """

    async def extend(self, case_id: str, expires_at: datetime, actor: str, reason: str) -> QuarantineEntry | Conflict:
        """Move the time limit of a waiting case; audited."""

    async def assign(
        self, case_id: str, to: str | None, actor: str, *, expected: str | None
    ) -> QuarantineEntry | Conflict:
        """Claim (`expected=None`), hand over or give back (`to=None`) a case; only if `expected` holds it now."""

    async def outbox_take(self, limit: int = 10, *, lease: timedelta = timedelta(seconds=30)) -> Sequence[OutboxItem]:
        """Take open forwarding intents for the time of the lease; no other releaser gets them meanwhile."""

    async def outbox_sending(self, item: OutboxItem) -> bool:
        """Note durably that the bytes are about to leave. False if the lease was lost: do not send."""

    async def outbox_defer(
        self, item: OutboxItem, until: datetime, problem: str, *, nothing_sent: bool = False
    ) -> None:
        """Give an intent back, to be taken again no earlier than `until`.

        `nothing_sent` takes the mark of `outbox_sending` off: it is certain that no bytes are on their way.
        """

    async def outbox_settle(
        self,
        item: OutboxItem,
        outcome: OutboxOutcome,
        reason: str,
        *,
        verdict: Verdict | None = None,
        detail: CaseDetail | None = None,
        expires_at: datetime | None = None,
    ) -> QuarantineEntry | Conflict:
        """Close an intent and move its case (SENT: FORWARDED, REOPENED: HELD, SUPERSEDED, REFUSED: REJECTED).

        Intent, case and audit record change in one transaction. Conflict if another releaser settled it first.
        """

    async def mark_forwarded(self, case_id: str, actor: str, reason: str) -> QuarantineEntry | Conflict:
        """RELEASED to FORWARDED for a transaction that was seen at the upstream; closes its intent, idempotent."""

    async def status(self, hash: Hash32) -> TransactionStatus:
        """The public answer for a hash: from its case, else from the submission record, else UNKNOWN."""

    async def close(self) -> None:
        """Give connections back; idempotent."""


class LiveQueue(Protocol):
    """Waiting and released cases, ready to be served by any replica. Raises QueueUnavailable if Redis is away.

    A serving copy: whoever finds it silent asks the record, and `tasks.rebuild` restores it.
    """

    async def put(self, entry: QuarantineEntry) -> bool:
        """Add a case to every index at once and publish the event. True if it was new.

        A copy that is older than what the queue knows, by `entry.version`, changes nothing: late writers are harmless.
        """

    async def put_all(self, entries: Sequence[QuarantineEntry]) -> int:
        """`put` for many, in few round trips; gives how many were new."""

    async def move(self, entry: QuarantineEntry) -> bool:
        """Follow a step the record made: a final state removes the case. False if the case was not there.

        A case that was not there and is not final is added.
        """

    async def remove(self, case_id: str) -> bool:
        """Drop a case from every index. False if it was not there."""

    async def by_hash(self, hash: Hash32) -> QuarantineEntry | None:
        """The case of a transaction."""

    async def case(self, case_id: str) -> QuarantineEntry | None:
        """The case by its id."""

    async def by_sender(self, sender: Address) -> Sequence[QuarantineEntry]:
        """A sender's cases, by nonce."""

    async def ordered(
        self, order: CaseOrder = CaseOrder.PRIORITY, *, offset: int = 0, limit: int = 50
    ) -> Sequence[QuarantineEntry]:
        """Cases by PRIORITY or EXPIRY (others are questions for the record)."""

    async def counts(self) -> Mapping[CaseState, int]:
        """How many cases stand in each state; absent means none."""

    def events(self, after: str | None = None) -> AsyncIterator[QueueEvent]:
        """Endless stream of events: from now on, or after the id of one already seen (Last-Event-ID).

        The stream keeps the last 10,000 events. An id that is no longer kept continues at the oldest one.
        """

    async def case_ids(self) -> frozenset[str]:
        """The ids of all cases here (rebuild compares them with the record's)."""

    async def ping(self) -> None:
        """Raise QueueUnavailable if Redis does not answer."""

    async def close(self) -> None:
        """Give connections back; idempotent."""
