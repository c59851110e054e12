"""One payment, or one claim, was counted as often as the contract looked at it."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Sequence
from typing import ClassVar

from gateway.plugin import (
    ZERO_ADDRESS,
    Address,
    CallFrame,
    Confidence,
    Detector,
    Family,
    Finding,
    FrameKind,
    Inspection,
    Loss,
    Need,
    Severity,
    describe_loss,
)

SMALL = 10**14
"""wei of a payment that is not worth counting twice"""
ALIKE = 0.02
"""part of the payment by which units that are made one to one may differ from it: a fee"""
TWICE = 2
OFTEN = 3
"""times that a claim was counted; twice what a record says may be a prize"""
PARTS_EXAMINED = 64
_LENDING = frozenset({FrameKind.DELEGATECALL})


class RecountedPayment(Detector):
    """A contract counted one payment, or one claim, several times.

    A contract that lets its callers bundle several calls runs them by DELEGATECALL, and each of them sees the value
    of the whole. If several look at it, a deposit made once is credited as many times, and the others' money pays for
    the rest. Here parts of such a bundle each made units for the ordering side about as many as the coin that came
    in, or a record of that side grew by several times the one payment.
    """

    id = "recounted-payment"
    family = Family.SHARE
    severity = Severity.HIGH
    confidence = Confidence.HIGH
    needs = frozenset({Need.CALLS})
    references: ClassVar[tuple[str, ...]] = (
        "https://www.paradigm.xyz/2021/08/two-rights-might-make-a-wrong",
        "https://cwe.mitre.org/data/definitions/837.html",
    )
    false_positives: ClassVar[tuple[str, ...]] = (
        "A bundle whose parts each credit the whole, with the surplus taken back before its end.",
    )
    needs_accesses = True

    def inspect(self, subject: Inspection) -> Iterator[Finding]:
        """One finding per payment or claim that was counted more than once."""
        yield from self._claims(subject)
        bundles = self._bundles(subject)
        for index, parts in bundles.items():
            house = parts[0].context
            times = max(self._made(subject, parts), self._noted(subject, parts)) if len(parts) >= TWICE else 0
            if house is not None and times >= TWICE:
                yield self.finding(
                    f"{house} was paid {parts[0].value} wei once and counted them {times} times.",
                    victim=house,
                    attacker=subject.roles.origin,
                    frames=(index, *(part.index for part in parts)),
                    evidence={"paid": str(parts[0].value), "times": str(times)},
                )

    def _bundles(self, subject: Inspection) -> dict[int, list[CallFrame]]:
        """Frame that runs parts of a bundle with its own value on its own account -> those parts."""
        trace, bundles = subject.simulation.trace, dict[int, list[CallFrame]]()
        for frame in trace.select(kinds=_LENDING):
            if frame.value < SMALL or frame.reverted or frame.context in subject.roles.own:
                continue
            above = trace.frames[frame.parent]
            if frame.value == above.value and frame.context == above.context:
                parts = bundles.setdefault(above.index, [])
                if len(parts) < PARTS_EXAMINED:
                    parts.append(frame)
        return bundles

    def _claims(self, subject: Inspection) -> Iterator[Finding]:
        """Payments that are a multiple of what the one record of them grew by, which was looked at as often."""
        for loss in subject.losses:
            if not loss.acted or loss.compensated or loss.asset.item is not None or not loss.to_cluster:
                continue
            times = self._times_claimed(subject, loss)
            if times >= OFTEN:
                yield self.finding(
                    f"{loss.holder} lost {describe_loss(loss)}, {times} times what it noted as paid in the one record "
                    "that it looked at so often.",
                    victim=loss.holder,
                    attacker=subject.roles.origin,
                    frames=loss.frames,
                    evidence={"paid": str(loss.amount), "times": str(times)},
                )

    def _times_claimed(self, subject: Inspection, loss: Loss) -> int:
        diff = subject.simulation.state_diff.get(loss.holder)
        grown = {
            slot: loss.amount // (after - before)
            for slot, (before, after) in (diff.storage.items() if diff is not None else ())
            if SMALL <= after - before < loss.amount and loss.amount % (after - before) == 0
        }
        looks: Counter[int] = Counter()
        for access in subject.simulation.trace.accesses_of(frozenset({loss.holder})) if grown else ():
            looks[access.slot] += access.value == access.previous
        return max((times for slot, times in grown.items() if looks[slot] >= times), default=0)

    def _made(self, subject: Inspection, parts: Sequence[CallFrame]) -> int:
        """In how many of `parts` about as many units of one token were made for the ordering side as coin came in."""
        paid, found = parts[0].value, set[tuple[Address, int]]()
        for move in subject.facts.transfers:
            made = move.from_ == ZERO_ADDRESS and move.to in subject.roles.cluster and move.token_id is None
            if made and abs(move.amount - paid) <= ALIKE * paid:
                part = next((part.index for part in parts if part.entered < move.sequence < part.left), None)
                if part is not None:
                    found.add((move.token, part))
        tokens = [token for token, _ in found]
        return max((tokens.count(token) for token in set(tokens)), default=0)

    def _noted(self, subject: Inspection, parts: Sequence[CallFrame]) -> int:
        """By how many times the payment a record of the ordering side grew, if not by more than there were parts."""
        house, paid = parts[0].context, parts[0].value
        diff = subject.simulation.state_diff.get(house) if house is not None else None
        preimages = subject.simulation.trace.preimages or {}
        times = 0
        for slot, (before, after) in diff.storage.items() if diff is not None else ():
            many, rest = divmod(after - before, paid)
            if not rest and TWICE <= many <= len(parts):
                key = preimages.get(slot, b"")
                if any(key.find(member) >= 0 for member in subject.roles.cluster):
                    times = max(times, many)
        return times
