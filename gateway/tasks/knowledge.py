"""What the process knows beside the chain: signatures, allow list, deployments. Loaded at the start and on change.

Judging asks it without waiting; everything slow happens here, off the hot path.
"""

from __future__ import annotations

import asyncio
from collections import OrderedDict, deque
from collections.abc import Callable
from datetime import UTC, datetime

import structlog

from gateway.errors import RecordUnavailable
from gateway.inspection.knowledge.copycat import CodeOf, Recogniser, signatures_of
from gateway.inspection.knowledge.deployment import deployments_of, prepared
from gateway.inspection.knowledge.trust import Lowered, Trust
from gateway.model.deployment import Deployment
from gateway.model.finding import Finding, InspectionReport
from gateway.model.primitive import Address
from gateway.model.trace import FrameKind, SimulationResult
from gateway.model.transaction import Transaction
from gateway.model.trust import Reputation
from gateway.model.verdict import Action
from gateway.pipeline import Judgement
from gateway.store.knowledge.deployments import Deployments
from gateway.store.knowledge.signatures import Signatures
from gateway.store.knowledge.trust import TrustBook
from gateway.store.quarantine import Record

log = structlog.get_logger()

DEPLOYMENTS = 20_000
"""contracts known in this process; the latest"""
WAITING = 256
"""deployments that wait to be looked at; beyond, the newest are not looked at and the log says so"""
_LOOK = 1.0
_CREATIONS = (FrameKind.CREATE, FrameKind.CREATE2)


class Knowledge:
    """The living signatures, the allow list, and the latest deployments."""

    def __init__(
        self,
        record: Record,
        signatures: Signatures,
        trust: TrustBook,
        deployments: Deployments,
        *,
        code_of: CodeOf,
        reputation: Callable[[Address], Reputation | None],
        creator: Callable[[Address], Address | None],
        now: Callable[[], datetime] = lambda: datetime.now(UTC),
    ) -> None:
        """`creator`: who created a contract lately, as this process remembers; `code_of`: code by its hash."""
        self._record, self._signatures, self._book, self._deployments = record, signatures, trust, deployments
        self._code_of, self._reputation, self._remembered, self._now = code_of, reputation, creator, now
        self._known: OrderedDict[Address, Deployment] = OrderedDict()
        self._waiting: deque[Judgement] = deque()
        self._trust = Trust()
        self._seen_signatures: tuple[int, int, int] | None = None
        self._seen_trust: tuple[int, int] | None = None
        self._last_deployment: int | None = None
        self._last_mark = 0
        self._recogniser = Recogniser(well_known=self.is_well_known, creator=self.creator)

    def recognise(self, transaction: Transaction, code: bytes | None) -> tuple[Finding, ...]:
        """What can be said before simulation; microseconds."""
        return self._recogniser.before(transaction, code, self._now())

    def add_to(self, report: InspectionReport, transaction: Transaction, simulation: SimulationResult) -> list[Finding]:
        """What can be said after simulation, beside the detectors' findings."""
        found = list(self._recogniser.after(transaction, simulation, self._now()))
        about = prepared(transaction, report, self._known.get, self._now())
        return [*found, about] if about is not None else found

    def lower(self, report: InspectionReport, transaction: Transaction) -> Lowered:
        """The report after allow list and reputation."""
        return self._trust.lower(report, transaction, self._now())

    def is_well_known(self, contract: Address) -> bool:
        """True for a contract that the allow list names or that many people use: no signature speaks of it."""
        if self._trust.is_listed(contract):
            return True
        reputation = self._reputation(contract)
        return reputation is not None and reputation.public

    def creator(self, contract: Address) -> Address | None:
        """Who deployed the contract, if it was seen."""
        seen = self._known.get(contract)
        return seen.creator if seen is not None else self._remembered(contract)

    def offer(self, judgement: Judgement) -> None:
        """Look at what a forwarded transaction deployed, later; returns at once."""
        if judgement.simulation is None or judgement.verdict.action is not Action.FORWARD:
            return
        if not any(frame.kind in _CREATIONS for frame in judgement.simulation.trace.frames):
            return
        if len(self._waiting) >= WAITING:
            log.warning("deployment.not_looked_at", hash=str(judgement.transaction.hash))
            return
        self._waiting.append(judgement)

    async def run(self) -> None:
        """Until cancelled."""
        while True:
            try:
                await self.once()
            except RecordUnavailable as error:
                log.warning("knowledge.waiting", error=str(error))
            await asyncio.sleep(_LOOK)

    async def once(self) -> None:
        """Take in what changed, and write what was seen. Raises RecordUnavailable."""
        await self._look_at_deployments()
        await self._load_deployments()
        await self._sign()
        version = await self._signatures.version()
        if version != self._seen_signatures:
            self._recogniser.replace(await self._signatures.speaking())
            self._seen_signatures = version
        trusted = await self._book.version()
        if trusted != self._seen_trust:
            self._trust = Trust(await self._book.entries(), self._reputation)
            self._seen_trust = trusted
        hits = self._recogniser.take_hits()
        if hits:
            await self._signatures.add_hits(hits)

    async def _look_at_deployments(self) -> None:
        while self._waiting:
            judgement = self._waiting.popleft()
            simulation = judgement.simulation
            if simulation is not None:
                seen = await asyncio.to_thread(list, deployments_of(judgement.transaction, simulation, self._now()))
                await self._deployments.add(seen)

    async def _load_deployments(self) -> None:
        if self._last_deployment is None:
            self._last_deployment = max(0, await self._deployments.latest() - DEPLOYMENTS)
        while page := await self._deployments.after(self._last_deployment):
            for number, seen in page:
                self._known[seen.address] = seen
                self._last_deployment = number
            while len(self._known) > DEPLOYMENTS:
                self._known.popitem(last=False)

    async def _sign(self) -> None:
        """Make signatures of what was confirmed since. Replicas may do it at the same time: one of them succeeds."""
        for confirmed in await self._signatures.unsigned(self._last_mark):
            self._last_mark = confirmed.mark_id
            detail = await self._record.detail(confirmed.case_id)
            if detail is None or detail.simulation is None:
                log.info("signature.none", case=confirmed.case_id, reason="the case was not simulated")
                continue
            transaction = detail.transaction
            if transaction.to is not None and self.is_well_known(transaction.to):
                log.info("signature.none", case=confirmed.case_id, reason="many people use the called contract")
                continue
            made = await asyncio.to_thread(
                signatures_of,
                transaction,
                detail.simulation,
                self._code_of,
                self.creator,
                case_id=confirmed.case_id,
                author=confirmed.author,
                now=self._now(),
            )
            kept = await self._signatures.add(confirmed, made)
            reason = "" if made else "nothing in it is the attacker's own beyond doubt"
            log.info("signature.made", case=confirmed.case_id, count=kept, reason=reason)
