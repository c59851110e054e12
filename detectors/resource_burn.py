"""Work or state far above any use is put on the sequencer."""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Iterator
from typing import ClassVar

from gateway.plugin import (
    ZERO_ADDRESS,
    Address,
    Confidence,
    Detector,
    Family,
    Finding,
    Inspection,
    Need,
    Severity,
    is_blank,
)

# calls of one precompile: (worth a note, beyond any use)
_CALLS = {
    5: ("modular exponentiation", 200, 1_500),
    6: ("curve addition", 2_000, 20_000),
    7: ("curve multiplication", 1_000, 5_000),
    8: ("pairing check", 50, 400),
    9: ("BLAKE2 compression", 1_000, 10_000),
    10: ("point evaluation", 20, 200),
}
_PLACES = frozenset(Address(number.to_bytes(20, "big")) for number in _CALLS)
SLOTS_NOTED = 200
SLOTS_EXTREME = 500
GRAINS_NOTED = 100
GRAINS_EXTREME = 300
"""accounts that are sent less coin than anybody can ever spend"""
GRAIN = 10**6
"""wei of such a payment"""
HEAP_NOTED = 50_000
HEAP_EXTREME = 300_000
"""bytes of logs that say nothing but one byte over and over"""
BLANK = 980
"""in a thousand bytes, those that are the same"""
BLANK_CODE = 1_000
"""bytes of one contract of that kind"""
BLANK_NOTED = 20_000
BLANK_EXTREME = 40_000
"""bytes of code of that kind in all"""


class ResourceBurn(Detector):
    """A transaction burns proving work or state without any use.

    Some work is cheap in gas and dear to those who must prove or store it: thousands of calls of one precompile, or
    hundreds of slots filled with one and the same word while no event, payment or reader has any use for them, or
    accounts with a grain of coin, logs and contracts of nothing but zeros. Sent at the least fee it slows a rollup
    down for everybody. A note below, grave beyond what any known use needs.
    """

    id = "resource-burn"
    family = Family.RESOURCE
    severity = Severity.LOW
    confidence = Confidence.MEDIUM
    needs = frozenset({Need.CODE})
    references: ClassVar[tuple[str, ...]] = ("https://cwe.mitre.org/data/definitions/400.html",)
    false_positives: ClassVar[tuple[str, ...]] = (
        "A verifier of delay functions or of very many proofs at once.",
        "A stock of storage kept for gas refunds, as was the custom before EIP-3529.",
    )

    def inspect(self, subject: Inspection) -> Iterator[Finding]:
        """One finding per precompile and per contract that is filled."""
        calls: dict[int, int] = defaultdict(int)
        for link in subject.simulation.trace.links:
            if link.to is not None and link.to in _PLACES:
                calls[link.to[19]] += link.times
        for number, count in calls.items():
            name, noted, extreme = _CALLS[number]
            if count >= noted:
                yield self.finding(
                    f"{count} calls of {name} in one transaction.",
                    attacker=subject.roles.origin,
                    instrument=subject.transaction.to,
                    evidence={"precompile": str(number), "calls": str(count), "gas": str(subject.simulation.gas_used)},
                    severity=Severity.HIGH if count >= extreme else Severity.LOW,
                )
        yield from self._filled(subject)
        yield from self._blank(subject)

    def _blank(self, subject: Inspection) -> Iterator[Finding]:
        """Accounts, logs and contracts that hold nothing, in numbers that are of use to nobody."""
        trace = subject.simulation.trace
        moves = subject.facts.transfers if len(trace.frames) > GRAINS_NOTED else ()
        grains = {move.to for move in moves if move.token == ZERO_ADDRESS and 0 < move.amount <= GRAIN}
        heap = trace.blank_logs(BLANK_CODE, BLANK)
        made = (frame.output for frame in trace.creations if not frame.reverted and len(frame.output) >= BLANK_CODE)
        code = sum(len(output) for output in made if is_blank(output, BLANK))
        for count, noted, extreme, what in (
            (len(grains), GRAINS_NOTED, GRAINS_EXTREME, "accounts were sent a grain of coin"),
            (heap, HEAP_NOTED, HEAP_EXTREME, "bytes of logs repeat one byte"),
            (code, BLANK_NOTED, BLANK_EXTREME, "bytes of code repeat one byte"),
        ):
            if count >= noted:
                yield self.finding(
                    f"{count} {what}.",
                    attacker=subject.roles.origin,
                    instrument=subject.transaction.to,
                    evidence={"count": str(count), "gas": str(subject.simulation.gas_used)},
                    severity=Severity.HIGH if count >= extreme else Severity.LOW,
                )

    def _filled(self, subject: Inspection) -> Iterator[Finding]:
        preimages = subject.simulation.trace.preimages
        if preimages is None or subject.facts.transfers or subject.simulation.trace.logs:
            return
        created = frozenset(subject.simulation.created)
        for address, diff in subject.simulation.state_diff.items():
            if len(diff.storage) < SLOTS_NOTED or address in created:
                continue
            words: Counter[int] = Counter(
                after for slot, (before, after) in diff.storage.items() if not before and slot not in preimages
            )
            if words and words.most_common(1)[0][1] >= SLOTS_NOTED:
                yield self._slots(subject, address, *words.most_common(1)[0])

    def _slots(self, subject: Inspection, address: Address, word: int, count: int) -> Finding:
        return self.finding(
            f"{count} new slots of {address} were filled with the same word, and nothing else happened.",
            attacker=subject.roles.origin,
            victim=None,
            instrument=address,
            evidence={"slots": str(count), "word": hex(word), "gas": str(subject.simulation.gas_used)},
            severity=Severity.HIGH if count >= SLOTS_EXTREME else Severity.LOW,
        )
