"""Somebody is paid for what was only lent to him."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterator, Mapping
from typing import ClassVar, NamedTuple

from gateway.plugin import (
    ZERO_ADDRESS,
    Address,
    Asset,
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

SMALL_SHARE = 0.001
"""part of the payer's stock from which on a payment for a borrowed balance is grave; for a borrowed item any is"""
# moves the asset instead of asking about it
_ORDERS = frozenset(
    bytes.fromhex(selector)
    for selector in (
        "a9059cbb",  # transfer
        "23b872dd",  # transferFrom
        "42842e0e",  # safeTransferFrom
        "b88d4fde",  # safeTransferFrom with data
        "f242432a",  # safeTransferFrom of ERC-1155
    )
)
_BALANCE_OF = bytes.fromhex("70a08231")
_ASKING = frozenset({FrameKind.STATICCALL, FrameKind.CALL})


class _Stay(NamedTuple):
    """When something was in the hands of the ordering side that it neither had before nor has now."""

    first: int
    last: int
    lent: int
    """units that came"""
    item: bool


class BorrowedStanding(Detector):
    """A contract paid its holders, and the one it paid held nothing a moment before and holds nothing now.

    Airdrops, dividends, rewards and votes that look at a balance, or at who owns an item, at the moment of asking pay
    whoever can borrow. Here tokens or items came to the ordering side and left it again within the transaction; in
    between a contract asked about that holding and paid something else out, without being given anything and without
    knowing the one it paid. Whoever had held for long gets that much less.
    """

    id = "borrowed-standing"
    family = Family.REWARD
    severity = Severity.HIGH
    confidence = Confidence.MEDIUM
    needs = frozenset({Need.OUTSIDER_LOSS})
    references: ClassVar[tuple[str, ...]] = (
        "https://cwe.mitre.org/data/definitions/841.html",
        "https://github.com/SunWeb3Sec/DeFiHackLabs",
    )
    false_positives: ClassVar[tuple[str, ...]] = (
        "A claim with an item of one's own that a lender keeps as collateral and hands out for the purpose.",
        "A giveaway that pays whoever passes an item through, as it was announced.",
    )
    needs_accesses = True

    def inspect(self, subject: Inspection) -> Iterator[Finding]:
        """One finding per contract and asset that was paid out."""
        stays: Mapping[Address, _Stay] | None = None
        for loss in subject.losses:
            paid = loss.acted and not loss.compensated and loss.asset.item is None
            if not paid or not (loss.to_cluster or subject.gain_covers(loss)):
                continue
            stays = self._stays(subject) if stays is None else stays
            asked = self._asked(subject, loss, stays) if stays else None
            if asked is None or not subject.unexplained(loss):
                continue
            held, frame = asked
            yield self.finding(
                f"{loss.holder} asked what the ordering side holds of {held}, which was only passing through, "
                f"and lost {describe_loss(loss)}.",
                victim=loss.holder,
                attacker=subject.roles.origin,
                instrument=held,
                frames=(frame, *loss.frames),
                evidence={"asset": str(loss.asset.token), "amount": str(loss.amount), "held": str(held)},
            )

    def _stays(self, subject: Inspection) -> Mapping[Address, _Stay]:
        """Token -> from when to when units of it were with the ordering side that came from outside and left again."""
        flows: dict[Asset, list[int]] = defaultdict(lambda: [0, 0, 0, 0])
        for move, inward in subject.facts.crossings(subject.roles.cluster):
            if move.token == ZERO_ADDRESS:
                continue
            flow = flows[Asset(move.token, move.token_id)]
            if inward:
                flow[0] = flow[0] or move.sequence
                flow[2] += move.amount
            else:
                flow[1] = move.sequence
                flow[3] += move.amount
        found: dict[Address, _Stay] = {}
        for asset, (first, last, came, left) in flows.items():
            if first and first < last and came <= left:
                known = found.get(asset.token, _Stay(first, last, 0, False))
                item = known.item or asset.item is not None
                found[asset.token] = _Stay(min(first, known.first), max(last, known.last), known.lent + came, item)
        return found

    def _asked(self, subject: Inspection, loss: Loss, stays: Mapping[Address, _Stay]) -> tuple[Address, int] | None:
        """(token, frame) of a question about the ordering side's holding, before the payment and during the stay."""
        cluster, moves = subject.roles.cluster, subject.ledger.outflows[loss.holder, loss.asset]
        payment = max((move.sequence for move in moves), default=0)
        for frame in subject.simulation.trace.select(kinds=_ASKING, from_={loss.holder}, to=stays.keys()):
            if frame.to is None or frame.to == loss.asset.token or frame.input[:4] in _ORDERS or len(frame.output) < 32:
                continue
            stay = stays[frame.to]
            if not stay.first < frame.entered < min(stay.last, payment):
                continue
            if not stay.item and ((loss.share or 0.0) < SMALL_SHARE or self._owned_more(frame, stay)):
                continue
            if any(frame.input.find(member) >= 0 or frame.output.find(member) >= 0 for member in cluster):
                return frame.to, frame.index
        return None

    def _owned_more(self, frame: CallFrame, stay: _Stay) -> bool:
        """True if the answer shows that less was lent than was there before."""
        return frame.input[:4] == _BALANCE_OF and int.from_bytes(frame.output[:32], "big") > 2 * stay.lent
