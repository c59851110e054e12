"""Moves a case to where an inspection that was finished later says it belongs."""

from __future__ import annotations

from collections.abc import Callable

from gateway.errors import QueueUnavailable, Unexecutable
from gateway.model.case import Conflict
from gateway.model.facts import Facts
from gateway.model.quarantine import CaseState, QuarantineEntry
from gateway.model.verdict import Action
from gateway.pipeline import Judgement
from gateway.store.quarantine import LiveQueue, Record

_TARGETS = {
    Action.FORWARD: CaseState.RELEASED,
    Action.HOLD: CaseState.HELD,
    # It had all the time there is: somebody has to look at it.
    Action.DEFER: CaseState.HELD,
    Action.REJECT: CaseState.REJECTED,
}


class Conclusion:
    """Writes the outcome: the record first, then the live queue. A release goes out by the outbox, exactly once."""

    def __init__(
        self,
        record: Record,
        queue: LiveQueue,
        inspected: Callable[[str, Facts], None] = lambda case_id, facts: None,
    ) -> None:
        """`inspected` hears of every case that was inspected to the end; it must neither wait nor raise."""
        self._record, self._queue, self._inspected = record, queue, inspected

    async def judged(self, entry: QuarantineEntry, judgement: Judgement) -> QuarantineEntry | Conflict:
        """The inspection came to a verdict. Conflict if the case was decided meanwhile. Raises RecordUnavailable."""
        verdict = judgement.verdict
        target = _TARGETS[verdict.action]
        reason = f"inspected to the end: {verdict.clause}: {verdict.reason}"
        moved = await self._record.move(
            entry.case_id, {entry.state}, target, "gateway", reason, verdict=verdict, detail=judgement.detail
        )
        self._inspected(entry.case_id, judgement.facts)
        return await self._follow(moved)

    async def refused(self, entry: QuarantineEntry, error: Unexecutable) -> QuarantineEntry | Conflict:
        """A node would not take the transaction (any more). Raises RecordUnavailable."""
        target = CaseState.SUPERSEDED if error.reason == "nonce too low" else CaseState.REJECTED
        moved = await self._record.move(entry.case_id, {entry.state}, target, "gateway", f"not executable: {error}")
        return await self._follow(moved)

    async def _follow(self, moved: QuarantineEntry | Conflict) -> QuarantineEntry | Conflict:
        if isinstance(moved, QuarantineEntry):
            try:
                await self._queue.move(moved)
            except QueueUnavailable:
                # The record decides; rebuild brings the queue in line.
                return moved
        return moved
