"""A signature that says nothing is taken for the owner's word."""

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
)

_PERMITS = frozenset(
    bytes.fromhex(selector)
    for selector in (
        "d505accf",  # permit(address,address,uint256,uint256,uint8,bytes32,bytes32), EIP-2612
        "8fcbaf0c",  # permit(address,address,uint256,uint256,bool,uint8,bytes32,bytes32), DAI
    )
)
GRAVE_SHARE = 0.02
"""part of an account's stock from which on a payment is more than the gas of its orders"""
_APPROVAL = bytes.fromhex("8c5be1e5ebec7d5bd14f71427d1e84f3dd0314c0f7b2291e5b200ac8c7c3b925")
_ECRECOVER = Address(b"\0" * 19 + b"\x01")
_CHECKS = frozenset({_ECRECOVER})
_ANSWERS = frozenset({bytes.fromhex("1626ba7e")})
"""isValidSignature(bytes32,bytes)"""


class HollowSignature(Detector):
    """An empty signature moved somebody else's tokens.

    Two ways to take silence for consent. A token that has no `permit` swallows the call in its fallback, and a
    router that takes the return for an approval spends the old allowance of whoever the caller names. And
    `ecrecover` answers nothing for a signature that is none: code that compares this with an owner who is not set
    lets everybody in. In both the tokens of an outsider go to the ordering side, or an allowance for them is written
    down, and no signature was recovered.
    """

    id = "hollow-signature"
    family = Family.SIGNATURE
    severity = Severity.HIGH
    confidence = Confidence.HIGH
    needs = frozenset({Need.CALLS})
    references: ClassVar[tuple[str, ...]] = (
        "https://eips.ethereum.org/EIPS/eip-2612",
        "https://swcregistry.io/docs/SWC-117",
    )
    false_positives: ClassVar[tuple[str, ...]] = (
        "A relayer that pays itself out of an allowance and calls a permit which the token does not have.",
    )

    def inspect(self, subject: Inspection) -> Iterator[Finding]:
        """One finding per robbed owner."""
        told: set[Address] = set()
        trace = subject.simulation.trace
        looked_at = (*trace.select(selectors=_PERMITS), *trace.select(to=_CHECKS))
        for _, frame in sorted({frame.index: frame for frame in looked_at}.items()):
            if frame.reverted:
                continue
            if frame.input[:4] in _PERMITS and len(frame.input) >= 68 and not self._granted(subject, frame):
                theft = self._taken(subject, frame, Address(frame.input[16:36]), frame.to)
                how = f"the permit that {frame.to} was asked for granted nothing"
            elif frame.to == _ECRECOVER and not any(frame.output) and frame.parent >= 0:
                theft = self._let_in(subject, frame) or self._gave_itself_away(subject, frame)
                how = "the signature that was shown is nobody's"
            else:
                continue
            if theft is None and frame.to == _ECRECOVER:
                yield from self._approved(subject, frame, told)
            if theft is not None and theft.from_ not in told:
                told.add(theft.from_)
                yield self.finding(
                    f"{theft.amount} units of {theft.token} went from {theft.from_} to {theft.to}, though {how}.",
                    victim=theft.from_,
                    attacker=subject.roles.origin,
                    frames=(frame.index, theft.frame),
                    evidence={"token": str(theft.token), "amount": str(theft.amount)},
                )

    def _granted(self, subject: Inspection, permit: CallFrame) -> bool:
        """True if the token checked anything or announced an allowance while it handled the permit."""
        trace = subject.simulation.trace
        if any(permit.entered < log.sequence < permit.left for log in trace.events(frozenset({_APPROVAL}))):
            return True
        return any(
            permit.entered < frame.entered < permit.left
            for frame in (*trace.select(to=_CHECKS), *trace.select(selectors=_ANSWERS))
        )

    def _taken(self, subject: Inspection, after: CallFrame, owner: Address, token: Address | None) -> Transfer | None:
        """The movement of the owner's tokens to the ordering side after a frame, if the owner did not sign at all."""
        if owner in subject.roles.cluster or self._signed(subject, owner):
            return None
        for move in subject.facts.transfers:
            mine = move.from_ == owner and move.token == token and move.sequence > after.left
            if mine and move.amount and move.to in subject.roles.cluster:
                return move
        return None

    def _let_in(self, subject: Inspection, check: CallFrame) -> Transfer | None:
        """The theft under the contract that took an unrecovered signature, if nothing else vouches for it."""
        frames = subject.simulation.trace.frames
        asker = frames[check.parent]
        while asker.parent >= 0 and asker.from_ not in subject.roles.cluster:
            asker = frames[asker.parent]
        trace = subject.simulation.trace
        if trace.select(selectors=_ANSWERS) or any(any(frame.output) for frame in trace.select(to=_CHECKS)):
            return None
        for loss in subject.losses:
            if loss.compensated or not loss.to_cluster or loss.agreed or loss.signed:
                continue
            for move in subject.ledger.outflows[loss.holder, loss.asset]:
                if check.left < move.sequence < asker.left and move.to in subject.roles.cluster:
                    return move
        return None

    def _gave_itself_away(self, subject: Inspection, check: CallFrame) -> Transfer | None:
        """What a contract paid the ordering side after it had recovered nobody, by another call and an office it knew.

        Accounts are asked for their word first and made to act later. Not where any check under the contract was good,
        nor where it had known who sent the transaction.
        """
        account = subject.simulation.trace.frames[check.parent].context
        mine = frozenset((subject.roles.origin,))
        if (
            account is None
            or subject.consent.was_shown(account)
            or subject.consent.bonds(account, mine, before=check.entered)
        ):
            return None
        for loss in subject.losses:
            if loss.holder != account or loss.compensated or not (loss.acted and loss.to_cluster):
                continue
            if loss.asset.item is None and (loss.share or 0.0) < GRAVE_SHARE:
                continue  # what its gas costs
            for move in subject.ledger.outflows[loss.holder, loss.asset]:
                if check.left < move.sequence and move.to in subject.roles.cluster:
                    return move
        return None

    def _approved(self, subject: Inspection, check: CallFrame, told: set[Address]) -> Iterator[Finding]:
        """Allowances for the ordering side that a token wrote down after it had recovered nobody, in the same call."""
        trace, cluster = subject.simulation.trace, subject.roles.cluster
        if trace.select(selectors=_ANSWERS) or any(any(frame.output) for frame in trace.select(to=_CHECKS)):
            return
        asker = trace.frames[check.parent]
        for approval in subject.facts.approvals:
            inside = check.left < approval.sequence < asker.left and asker.context == approval.token
            own = approval.owner in cluster or approval.owner in told
            if not inside or own or approval.amount == 0 or approval.spender not in cluster or not any(approval.owner):
                continue
            told.add(approval.owner)
            yield self.finding(
                f"{approval.token} wrote down an allowance of {approval.owner} for {approval.spender}, "
                "though the signature that was shown is nobody's.",
                victim=approval.owner,
                attacker=subject.roles.origin,
                instrument=approval.token,
                frames=(check.index, approval.frame),
                evidence={"token": str(approval.token), "spender": str(approval.spender)},
            )

    def _signed(self, subject: Inspection, owner: Address) -> bool:
        """True if any signature of the owner was recovered or confirmed by its own contract."""
        trace = subject.simulation.trace
        return bool(trace.select(to=frozenset({owner}), selectors=_ANSWERS)) or any(
            frame.output[12:32] == owner for frame in trace.select(to=_CHECKS)
        )
