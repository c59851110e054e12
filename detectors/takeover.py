"""The code or the owner of a live contract is replaced at the wish of somebody it did not know."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterator
from typing import ClassVar

from gateway.plugin import Address, Confidence, Detector, Family, Finding, Inspection, Log, Need, Severity, SlotUse

# EIP-1967, and the two slots that OpenZeppelin used before it (zos-lib)
_SLOTS = {
    0x360894A13BA1A3210667C828492DB98DCA3E2076CC3735A920A3CA505D382BBC: "implementation",
    0xB53127684A568B3173AE13B9F8A6016E243E63B6E8EE1178D6A717850B5D6103: "admin",
    0xA3F0AD74E5423AEBFD80D3EF4346578335A9A72AEAEE59FF6CB3582B35133D50: "beacon",
    0x7050C9E0F4CA769C69BD3A8EF740BC37934F8E2C036E5A723FD8EE048ED3F8C3: "implementation",
    0x10D6A54A4754C8869D6886B5F5D7FBFA5B4522237EA5C60D11BC4E7A1FF9390B: "admin",
}
_ADDRESS = (1 << 160) - 1
OFFICES = 2
"""plain slots with the same new name from which on it is no note of who called last"""
_OWNERSHIP_TRANSFERRED = bytes.fromhex("8be0079c531659141344cd1fd0a4f28419497f9722a3daafe3b4186f6b6457e0")


class Takeover(Detector):
    """A live contract was given other code or another owner by a stranger.

    The implementation, admin or beacon slot of a proxy changed, or ownership went from one holder to the ordering
    side, or several plain slots that named others name the same member of it, and the contract knew neither the
    caller nor the origin: no owner slot held them, no role was theirs, no signature was checked, no registry that the
    contract trusts answered for them, and nobody paid. Initialisers left open, upgrade functions and setters without
    a guard and colliding storage all end like this; the money follows in the next call.
    """

    id = "takeover"
    family = Family.TAKEOVER
    severity = Severity.HIGH
    confidence = Confidence.HIGH
    needs = frozenset({Need.CODE})
    references: ClassVar[tuple[str, ...]] = (
        "https://eips.ethereum.org/EIPS/eip-1967",
        "https://github.com/OpenZeppelin/openzeppelin-contracts/security/advisories/GHSA-5vp3-v4hc-gx76",
    )
    false_positives: ClassVar[tuple[str, ...]] = (
        "A deployer who initialises a proxy in a later transaction than its creation.",
        "A lottery or king-of-the-hill game that announces its leader as its owner.",
    )
    needs_accesses = True

    def inspect(self, subject: Inspection) -> Iterator[Finding]:
        """One finding per contract and kind of change."""
        created = frozenset(subject.simulation.created)
        for use in subject.simulation.trace.written:
            what = _SLOTS.get(use.slot)
            if what is not None and use.frame >= 0 and use.address not in created:
                yield from self._replaced(subject, use, what)
        for log in subject.simulation.trace.events(frozenset({_OWNERSHIP_TRANSFERRED})):
            if not log.reverted and log.address not in created:
                yield from self._owned(subject, log)
        yield from self._supplanted(subject, created)
        yield from self._planted(subject)

    def _replaced(self, subject: Inspection, use: SlotUse, what: str) -> Iterator[Finding]:
        change = subject.simulation.state_diff.get(use.address)
        after = change.storage.get(use.slot, (0, 0))[1] if change is not None else 0
        stranger = subject.stranger(use.address, use.frame, use.sequence, door=True)
        first = use.address == subject.transaction.to and not use.before  # a deployer's second step
        if not after or first or stranger is None:
            return
        new = Address((after & (2**160 - 1)).to_bytes(20, "big"))
        yield self.finding(
            f"The {what} of {use.address} was set to {new} by {stranger}, whom it did not know.",
            victim=use.address,
            attacker=subject.roles.origin,
            frames=(use.frame,),
            evidence={"before": f"{use.before:#x}", "after": f"{after:#x}", "slot": f"{use.slot:#x}"},
        )

    def _owned(self, subject: Inspection, log: Log) -> Iterator[Finding]:
        parties = [Address(topic[12:]) for topic in log.topics[1:]]
        parties += [Address(log.data[at + 12 : at + 32]) for at in range(0, len(log.data) // 32 * 32, 32)]
        if len(parties) != 2 or not any(parties[0]) or parties[1] not in subject.roles.cluster:
            return
        stranger = subject.stranger(log.address, log.frame, log.sequence, door=True)
        if stranger is None or parties[0] in subject.roles.cluster:
            return
        yield self.finding(
            f"Ownership of {log.address} went from {parties[0]} to {parties[1]} at the wish of {stranger}, "
            "whom it did not know.",
            victim=log.address,
            attacker=subject.roles.origin,
            frames=(log.frame,),
            evidence={"before": str(parties[0]), "after": str(parties[1])},
        )

    def _supplanted(self, subject: Inspection, created: frozenset[Address]) -> Iterator[Finding]:
        """Contracts that kept others' addresses in plain slots and now keep one member of the ordering side there.

        One such slot may be a note of who called last; several that name the same newcomer are its offices.
        """
        simulation = subject.simulation
        preimages, changed = simulation.trace.preimages or {}, simulation.state_diff
        offices: dict[tuple[Address, Address], list[SlotUse]] = defaultdict(list)
        for use in simulation.trace.written:
            if not use.before >> 80 or use.frame < 0 or use.slot in preimages or use.slot in _SLOTS:
                continue
            ours = use.address in subject.roles.cluster and use.address != subject.transaction.to
            if use.address in created or ours:
                continue
            change = changed.get(use.address)
            after = change.storage.get(use.slot, (0, 0))[1] if change is not None else 0
            newcomer = self._newcomer(use.before, after, subject.roles.cluster)
            if newcomer is not None:
                offices[use.address, newcomer].append(use)
        for (contract, newcomer), uses in offices.items():
            if len(uses) < OFFICES or self._was_paid(subject, contract, uses[0].frame):
                continue
            stranger = subject.stranger(contract, uses[0].frame, uses[0].sequence, door=True)
            if stranger is not None:
                yield self.finding(
                    f"{len(uses)} slots of {contract} that named others name {newcomer} now, "
                    f"at the wish of {stranger}, whom it did not know and who paid nothing.",
                    victim=contract,
                    attacker=subject.roles.origin,
                    frames=(uses[0].frame,),
                    evidence={f"slot {use.slot:#x}": f"{use.before:#x}" for use in uses[:8]},
                )

    def _planted(self, subject: Inspection) -> Iterator[Finding]:
        """Plain slots that named a contract and now name another, which a stranger gave as an argument of his call.

        A router, a feed or a strategy of the stranger's own is trusted from then on, by everybody's calls.
        """
        trace = subject.simulation.trace
        preimages = trace.preimages or {}
        words = [word for word in subject.said if word.replaced and word.named and word.slot not in preimages]
        told: set[Address] = set()
        for word in words:
            if word.contract in told or word.slot in _SLOTS:
                continue
            told.add(word.contract)
            use = next(use for use in trace.written if (use.address, use.slot) == (word.contract, word.slot))
            yield self.finding(
                f"{word.contract} was made to name {word.named} in place of another by a call of somebody whom it did "
                "not know and who paid nothing.",
                victim=word.contract,
                attacker=subject.roles.origin,
                instrument=word.named,
                frames=(use.frame,),
                evidence={"slot": f"{word.slot:#x}", "before": f"{use.before:#x}", "after": f"{word.value:#x}"},
            )

    def _was_paid(self, subject: Inspection, contract: Address, frame: int) -> bool:
        """True if the call that changed the contract brought it something; a gift on another occasion buys nothing."""
        calls = subject.simulation.trace.visits(subject.roles.cluster)
        return any(
            contract in (move.token, move.to) and calls[move.frame] == calls[frame] for move in subject.facts.transfers
        )

    def _newcomer(self, before: int, after: int, cluster: frozenset[Address]) -> Address | None:
        """The member of the ordering side that took the place of another address in a word."""
        for shift in (0, 8):  # beside a flag that solc packs in front of an address
            new = (after >> shift & _ADDRESS).to_bytes(20, "big")
            if new in cluster:
                old = (before >> shift & _ADDRESS).to_bytes(20, "big")
                if old not in cluster and any(old[:10]):
                    return Address(new)
        return None
