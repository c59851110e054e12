"""What a run did, without its amounts: time moves interest and prices in honest code, but not who is paid."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass

from gateway.model.primitive import ZERO_ADDRESS, Address
from gateway.model.trace import FrameKind, SimulationResult, SimulationStatus

TRANSFER = bytes.fromhex("ddf252ad1be2c89b69c2b068fc378daa952ba7f163c4a11628f55a4df523b3ef")
"""keccak256("Transfer(address,address,uint256)"), ERC-20 and ERC-721"""

Flow = tuple[Address, Address, Address]
"""(token or zero for the chain's coin, from, to)"""


@dataclass(frozen=True, slots=True)
class Outline:
    """The structure of one run's effects."""

    status: SimulationStatus
    flows: frozenset[Flow]
    events: Counter[tuple[Address, bytes]]
    """(contract, first topic) of events that stand"""
    calls: Counter[tuple[FrameKind, Address | None, bytes]]
    """(kind, callee, selector) of calls that stand"""
    created: int


@dataclass(frozen=True, slots=True)
class Difference:
    """How a second run differs from the first."""

    text: str
    flows: bool


_COINBASE = Address(b"coinbase".rjust(20, b"\xff"))
"""stands for whoever collects the fees: paying him is paying the same party in every block"""


def outline(result: SimulationResult) -> Outline:
    """The outline of one run; created addresses are left out, for they may depend on the block."""
    created = set(result.created)

    def known(address: Address | None) -> Address | None:
        if address == result.block.coinbase:
            return _COINBASE
        return None if address in created else address

    flows: set[Flow] = set()
    for frame in result.trace.frames:
        moves = frame.kind in (FrameKind.CALL, FrameKind.CREATE, FrameKind.CREATE2, FrameKind.SELFDESTRUCT)
        if moves and frame.value and not frame.reverted and frame.to is not None:
            flows.add((ZERO_ADDRESS, known(frame.from_) or ZERO_ADDRESS, known(frame.to) or ZERO_ADDRESS))
    for log in result.trace.logs:
        if not log.reverted and len(log.topics) >= 3 and log.topics[0] == TRANSFER:
            sender, receiver = Address(log.topics[1][12:]), Address(log.topics[2][12:])
            flows.add((log.address, known(sender) or ZERO_ADDRESS, known(receiver) or ZERO_ADDRESS))
    return Outline(
        status=result.status,
        flows=frozenset(flows),
        events=Counter(
            (known(log.address) or ZERO_ADDRESS, log.topics[0] if log.topics else b"")
            for log in result.trace.logs
            if not log.reverted
        ),
        calls=Counter(
            (frame.kind, known(frame.to), frame.input[:4])
            for frame in result.trace.frames
            if not frame.reverted and frame.kind is not FrameKind.SELFDESTRUCT
        ),
        created=len(created),
    )


def difference(first: Outline, second: Outline) -> Difference | None:
    """How `second` differs, the gravest thing first; None if the structure is the same."""
    gained = second.flows - first.flows
    if gained:
        token, sender, receiver = min(gained)
        what = "coins" if token == ZERO_ADDRESS else f"token {token}"
        more = f" and {len(gained) - 1} more" if len(gained) > 1 else ""
        return Difference(f"{what} move from {sender} to {receiver}{more}, which they do not otherwise", True)
    if first.status is not second.status:
        return Difference(f"it ends with {second.status} instead of {first.status}", False)
    if first.created != second.created:
        return Difference(f"it creates {second.created} contracts instead of {first.created}", False)
    calls = [key for key in second.calls.keys() | first.calls.keys() if first.calls[key] != second.calls[key]]
    if calls:
        kind, callee, selector = min(calls, key=lambda key: (key[0], key[1] or b"", key[2]))
        return Difference(
            f"{kind} {callee or 'a new contract'} 0x{selector.hex()} happens a different number of times", False
        )
    if first.events != second.events:
        return Difference("other events are emitted", False)
    if first.flows - second.flows:
        return Difference("value that moves here stays where it is", False)
    return None
