"""Somebody acts on the answer of a contract that is in the middle of its own change."""

from __future__ import annotations

from collections.abc import Iterator
from typing import ClassVar

from gateway.plugin import Address, Confidence, Detector, Family, Finding, Inspection, Need, Severity, describe_loss

GRAVE_SHARE = 0.05
"""part of the reader's stock from which on a loss on a passing answer is grave"""


class ReadOnlyReEntrancy(Detector):
    """A contract answered a question while its own change was half done.

    A pool calls out in the middle of a deposit or withdrawal; the ordering side takes the call and makes a third
    contract ask the pool for its price or balance. The answer rests on a slot that the pool is about to change: it
    is a value that never stood at the end of any transaction. Lenders that trust it lend too much.
    """

    id = "read-only-re-entrancy"
    family = Family.REENTRANCY
    severity = Severity.HIGH
    confidence = Confidence.MEDIUM
    needs = frozenset({Need.COMEBACK})
    references: ClassVar[tuple[str, ...]] = (
        "https://chainsecurity.com/curve-lp-oracle-manipulation-post-mortem/",
        "https://arxiv.org/abs/1812.05934",
    )
    false_positives: ClassVar[tuple[str, ...]] = (
        "A router that reads a pair's reserves inside the pair's own flash swap and uses another pair.",
    )
    needs_accesses = True

    def inspect(self, subject: Inspection) -> Iterator[Finding]:
        """One finding per contract whose passing state was used."""
        yield from self._counted_too_much(subject)
        yield from self._lent_too_much(subject)
        # where no outsider lost and nothing was made, the answer was asked for to trade by, as flash swaps are
        grave = subject.gained_for_little and bool(subject.losses or subject.issues)
        told = set()
        for view in subject.stale_views:
            if view.account in told or subject.is_own_balance(view.account, view.slot):
                continue
            if subject.collects_debts(view.account):
                continue
            told.add(view.account)
            yield self.finding(
                f"{view.reader} asked {view.account} in the middle of a change: slot {view.slot:#x} read "
                f"{view.seen}, at the end of the change it was {view.final}.",
                victim=view.reader,
                attacker=subject.roles.origin,
                instrument=view.account,
                frames=(view.outer, view.view),
                evidence={"slot": hex(view.slot), "seen": str(view.seen), "final": str(view.final)},
                severity=self.severity if grave else Severity.LOW,
            )

    def _counted_too_much(self, subject: Inspection) -> Iterator[Finding]:
        """A lender believed a balance that was leaving, and paid for it."""
        for view in subject.half_paid:
            lost = [loss for loss in subject.losses if loss.holder == view.reader and loss.to_cluster]
            worst = max(lost, key=lambda loss: loss.share or 0.0, default=None)
            if worst is None or (worst.share or 0.0) < GRAVE_SHARE or worst.signed:
                continue
            yield self.finding(
                f"{view.reader} asked {view.account} while {view.amount} units of {view.token} were about to leave "
                f"it, and lost {describe_loss(worst)} on the answer.",
                victim=view.reader,
                attacker=subject.roles.origin,
                instrument=view.account,
                frames=(view.outer, view.view, *worst.frames),
                evidence={"token": str(view.token), "leaving": str(view.amount)},
            )
            return

    def _lent_too_much(self, subject: Inspection) -> Iterator[Finding]:
        """A holder asked the half-done contract, directly or by a helper, and was robbed before that one was done."""
        frames = subject.simulation.trace.frames
        for loss in subject.losses if subject.stale_views else ():
            if not loss.acted or (loss.share or 0.0) < GRAVE_SHARE or loss.agreed or loss.signed:
                continue
            for view in subject.stale_views:
                if view.account == loss.holder or not self._asked(subject, view.view, loss.holder):
                    continue
                if subject.collects_debts(view.account):
                    continue
                began, ended = frames[view.view].left, frames[view.outer].left
                taken = any(
                    began < move.sequence < ended and move.to in subject.roles.cluster
                    for move in subject.ledger.outflows[loss.holder, loss.asset]
                )
                if taken:
                    yield self.finding(
                        f"{loss.holder} lost {describe_loss(loss)} on the word of {view.account}, whose slot "
                        f"{view.slot:#x} read {view.seen} in the middle of a change and {view.final} at its end.",
                        victim=loss.holder,
                        attacker=subject.roles.origin,
                        instrument=view.account,
                        frames=(view.outer, view.view, *loss.frames),
                        evidence={"slot": hex(view.slot), "seen": str(view.seen), "final": str(view.final)},
                    )
                    return

    def _asked(self, subject: Inspection, view: int, holder: Address) -> bool:
        """True if the holder's own code led to the question."""
        trace, cluster = subject.simulation.trace, subject.roles.cluster
        above = trace.frames[view].parent
        for account, _ in reversed(trace.path(above) if above >= 0 else ()):
            if account == holder or account in cluster:
                return account not in cluster
        return False
