"""A signature that was used before is good again."""

from __future__ import annotations

from collections.abc import Iterator
from typing import ClassVar

from gateway.plugin import (
    Address,
    CallFrame,
    Confidence,
    Detector,
    Family,
    Finding,
    Inspection,
    Need,
    Severity,
    Transfer,
    describe_loss,
    signature_key,
)

_ECRECOVER = Address(b"\0" * 19 + b"\x01")


class ReplayedSignature(Detector):
    """The same signature moved its signer's tokens a second time.

    A signed order has to be spent by its use: a nonce goes up, a fill is recorded, an identifier is crossed out.
    Here digest and signature are those that an earlier transaction brought, the signer's tokens went to somebody
    else again, and the contract that checked the signature wrote nothing that is not a balance. Whoever has seen the
    signature can repeat it until the signer owns nothing. Orders that are filled in parts record each fill. Or each of
    several contracts crosses the digest out once, and pays on it, for what was signed does not say which of them.
    """

    id = "replayed-signature"
    family = Family.SIGNATURE
    severity = Severity.HIGH
    confidence = Confidence.HIGH
    needs = frozenset({Need.PAST})
    references: ClassVar[tuple[str, ...]] = ("https://swcregistry.io/docs/SWC-121",)
    false_positives: ClassVar[tuple[str, ...]] = ("A standing order that its signer meant to be used many times.",)
    needs_accesses = True

    def inspect(self, subject: Inspection) -> Iterator[Finding]:
        """One finding per signature."""
        seen = frozenset(subject.memory.signatures)
        told: set[bytes] = set()
        for frame in subject.simulation.trace.select(to=frozenset({_ECRECOVER})) if seen else ():
            if frame.reverted or not any(frame.output):
                continue
            key, signer = signature_key(frame.input), Address(frame.output[12:32])
            # twice in one transaction is how settlements check and then use one order
            if key not in seen or key in told:
                continue
            told.add(key)
            yield from self._cashed_elsewhere(subject, frame)
            theft = self._moved(subject, signer, frame)
            if theft is not None and signer not in subject.roles.cluster and not self._spent(subject, frame):
                yield self.finding(
                    f"{theft.amount} units of {theft.token} went from {signer} to {theft.to} on a signature "
                    f"that had been used before; {frame.from_} keeps no record of its use.",
                    victim=signer,
                    attacker=subject.roles.origin,
                    instrument=frame.from_,
                    frames=(frame.index, theft.frame),
                    evidence={"digest": frame.input[:32].hex()},
                )

    def _cashed_elsewhere(self, subject: Inspection, check: CallFrame) -> Iterator[Finding]:
        """A contract that only now strikes the digest off paid on it, as another had done before."""
        if subject.roles.gave or not self._struck_off(subject, check):
            return
        for loss in subject.losses:
            plain = loss.holder == check.from_ and loss.to_cluster and not loss.compensated
            if plain and loss.signed and all(bond.endswith("checked a signature") for bond in loss.bonds):
                yield self.finding(
                    f"{loss.holder} lost {describe_loss(loss)} on a signature that had been used before elsewhere; "
                    "what was signed does not name the contract that it is meant for.",
                    victim=loss.holder,
                    attacker=subject.roles.origin,
                    frames=(check.index, *loss.frames),
                    evidence={"digest": check.input[:32].hex()},
                )
                return

    def _struck_off(self, subject: Inspection, check: CallFrame) -> bool:
        """True if the contract wrote down, in an entry that was empty, that this digest is used."""
        preimages = subject.simulation.trace.preimages or {}
        digest = check.input[:32]
        return any(
            use.address == check.from_ and not use.before and preimages.get(use.slot, b"")[:32] == digest
            for use in subject.simulation.trace.written
        )

    def _moved(self, subject: Inspection, signer: Address, check: CallFrame) -> Transfer | None:
        for move in subject.facts.transfers:
            if move.from_ == signer and move.sequence > check.left and move.amount:
                return move
        return None

    def _spent(self, subject: Inspection, check: CallFrame) -> bool:
        """True if the checking contract changed anything else than balances of the tokens that moved."""
        diff = subject.simulation.state_diff.get(check.from_)
        amounts = {abs(amount) for changes in subject.ledger.net.values() for amount in changes.values()}
        changes = diff.storage.values() if diff is not None else ()
        return any(abs(after - before) not in amounts for before, after in changes)
