"""Derives the facts of one transaction from its trace: the reference for the native engine, which derives the same."""

from __future__ import annotations

from collections.abc import Sequence

from gateway.model.comeback import comebacks
from gateway.model.facts import Approval, Facts, Reserves, TokenStandard, Transfer
from gateway.model.fold import TRANSFER as TRANSFER
from gateway.model.primitive import ZERO_ADDRESS, Address
from gateway.model.trace import CallFrame, FrameKind, Log, SimulationResult, StateDiff

APPROVAL = bytes.fromhex("8c5be1e5ebec7d5bd14f71427d1e84f3dd0314c0f7b2291e5b200ac8c7c3b925")
APPROVAL_FOR_ALL = bytes.fromhex("17307eab39ab6107e8899845ad3d59bd9653f200f220920489ca2b5937696c31")
TRANSFER_SINGLE = bytes.fromhex("c3d58168c5ae7397731d063d5bbf3d657854427343f4c083240f7aacaa2d0f62")
TRANSFER_BATCH = bytes.fromhex("4a39dc06d4c0dbc64b70af90fd698a233a518aa5d07e595d983b8c0526c8f7fb")
DEPOSIT = bytes.fromhex("e1fffcc4923d04b559f4d29a8bfc6cda04eb5b0d3c460751c2402c5c5cc9109c")
WITHDRAWAL = bytes.fromhex("7fcf532c15f0a6db0bd6d0e038bea71d30d808c7d98cb3bf7268a95bf5081b65")
SENT = bytes.fromhex("06b541ddaa720db2b10a4d0cdac39b8d360425fc073085fac19bc82614677987")
MINTED = bytes.fromhex("2fe5be0146f74c5bce36c0b80911af6c7d86ff27e89d5cfa61fc681327954e5d")
BURNED = bytes.fromhex("a78a9be3a7b862d26933ad85fb11d80ef66b8f972d7cbba06621d583943a4098")
SYNC = bytes.fromhex("1c411e9a96e071241c2f21f7726b17ae89e3cab4c78be50e062b03a9fffbbad1")

_VALUE_KINDS = (FrameKind.CALL, FrameKind.CALLCODE, FrameKind.CREATE, FrameKind.CREATE2, FrameKind.SELFDESTRUCT)
_MASK = (1 << 112) - 1


def derive(simulation: SimulationResult) -> Facts:
    """The facts of a simulated transaction; only effects that stood count. Linear in frames and the bytes of events."""
    transfers: list[Transfer] = []
    approvals: list[Approval] = []
    silent: list[Transfer] = []
    for frame in simulation.trace.frames:
        if frame.value and not frame.reverted and frame.kind in _VALUE_KINDS and frame.to is not None:
            transfers.append(_native(frame, frame.to))
    coin = {(move.from_, move.amount) for move in transfers} | {(move.to, move.amount) for move in transfers}
    for log in simulation.trace.logs:
        if log.reverted or not log.topics:
            continue
        topic = log.topics[0]
        if topic in (DEPOSIT, WITHDRAWAL):
            transfers.extend(_wrapping(log, coin))
        elif topic in (SENT, MINTED, BURNED):
            silent.extend(_sent(log))
        elif topic in (APPROVAL, APPROVAL_FOR_ALL):
            approvals.extend(_approval(log))
        else:
            transfers.extend(_moved(log))
    # an ERC-777 token that also says Transfer, as most do, moved once
    spoken = {_identity(move) for move in transfers if move.standard is TokenStandard.ERC20}
    transfers += [move for move in silent if _identity(move) not in spoken]
    transfers.sort(key=lambda transfer: transfer.sequence)
    return Facts(
        transfers=transfers,
        approvals=approvals,
        comebacks=list(comebacks(simulation.trace.frames)),
        reserves=_reserves(simulation.trace.logs, simulation.state_diff),
    )


def _native(frame: CallFrame, to: Address) -> Transfer:
    return Transfer(frame.entered, frame.index, TokenStandard.NATIVE, ZERO_ADDRESS, frame.from_, to, frame.value)


def _identity(move: Transfer) -> tuple[object, ...]:
    return move.frame, move.token, move.from_, move.to, move.amount


def _moved(log: Log) -> list[Transfer]:
    topic = log.topics[0]
    if topic == TRANSFER:
        return _transfer(log)
    if topic not in (TRANSFER_SINGLE, TRANSFER_BATCH) or len(log.topics) != 4:
        return []
    parties = (_address(log.topics[2]), _address(log.topics[3]))
    if topic == TRANSFER_BATCH:
        return [
            Transfer(log.sequence, log.frame, TokenStandard.ERC1155, log.address, *parties, amount, item)
            for item, amount in _batch(log.data)
        ]
    if len(log.data) < 64:
        return []
    item, amount = int.from_bytes(log.data[:32], "big"), int.from_bytes(log.data[32:64], "big")
    return [Transfer(log.sequence, log.frame, TokenStandard.ERC1155, log.address, *parties, amount, item)]


def _batch(data: bytes) -> list[tuple[int, int]]:
    """(item, amount) of two arrays of equal length, each within the data; none if they are not."""
    items, amounts = _array(data, 0), _array(data, 32)
    if items is None or amounts is None or len(items) != len(amounts):
        return []
    return list(zip(items, amounts, strict=True))


def _array(data: bytes, at: int) -> list[int] | None:
    """The elements of the array whose offset is the word at `at`; None if it does not lie within the data."""
    if len(data) < at + 32:
        return None
    body = int.from_bytes(data[at : at + 32], "big") + 32
    if body > len(data):
        return None
    end = body + 32 * int.from_bytes(data[body - 32 : body], "big")
    if end > len(data):
        return None
    return [int.from_bytes(data[word : word + 32], "big") for word in range(body, end, 32)]


def _approval(log: Log) -> list[Approval]:
    if len(log.topics) != 3:
        return []
    parties = (_address(log.topics[1]), _address(log.topics[2]))
    if log.topics[0] == APPROVAL:
        if len(log.data) < 32:
            return []
        amount = int.from_bytes(log.data[:32], "big")
        return [Approval(log.sequence, log.frame, log.address, *parties, amount)]
    return [Approval(log.sequence, log.frame, log.address, *parties, None)] if any(log.data[:32]) else []


def _wrapping(log: Log, coin: set[tuple[Address, int]]) -> list[Transfer]:
    """A wrapped coin mints and burns without Transfer; other contracts use the same event names for other things."""
    if len(log.topics) != 2 or len(log.data) != 32:
        return []
    holder, amount = _address(log.topics[1]), int.from_bytes(log.data, "big")
    if (log.address, amount) not in coin:
        return []
    parties = (ZERO_ADDRESS, holder) if log.topics[0] == DEPOSIT else (holder, ZERO_ADDRESS)
    return [Transfer(log.sequence, log.frame, TokenStandard.ERC20, log.address, *parties, amount)]


def _sent(log: Log) -> list[Transfer]:
    """ERC-777: Sent(operator, from, to, ...), Minted(operator, to, ...), Burned(operator, from, ...)."""
    if len(log.data) < 32 or len(log.topics) != (4 if log.topics[0] == SENT else 3):
        return []
    last = _address(log.topics[-1])
    if log.topics[0] == SENT:
        parties = (_address(log.topics[2]), last)
    else:
        parties = (ZERO_ADDRESS, last) if log.topics[0] == MINTED else (last, ZERO_ADDRESS)
    amount = int.from_bytes(log.data[:32], "big")
    return [Transfer(log.sequence, log.frame, TokenStandard.ERC777, log.address, *parties, amount)]


def _transfer(log: Log) -> list[Transfer]:
    if len(log.topics) == 4:
        token_id = int.from_bytes(log.topics[3], "big")
        parties = (_address(log.topics[1]), _address(log.topics[2]))
        return [Transfer(log.sequence, log.frame, TokenStandard.ERC721, log.address, *parties, 1, token_id)]
    words = [*log.topics[1:], *(log.data[at : at + 32] for at in range(0, min(len(log.data), 96), 32))]
    if len(words) != 3 or any(len(word) != 32 for word in words):
        return []
    parties = (_address(words[0]), _address(words[1]))
    amount = int.from_bytes(words[2], "big")
    return [Transfer(log.sequence, log.frame, TokenStandard.ERC20, log.address, *parties, amount)]


def _address(word: bytes) -> Address:
    return Address(word[-20:])


def _reserves(logs: Sequence[Log], diffs: StateDiff) -> list[Reserves]:
    last: dict[Address, tuple[int, int] | None] = {}
    for log in logs:
        if log.reverted or not log.topics or log.topics[0] != SYNC:
            continue
        words = [int.from_bytes(log.data[at : at + 32], "big") for at in (0, 32)]
        last[log.address] = (words[0], words[1]) if len(log.data) >= 64 else None
    return [Reserves(pool, _held(pool, after, diffs), after) for pool, after in last.items()]


def _held(pool: Address, after: tuple[int, int] | None, diffs: StateDiff) -> tuple[int, int] | None:
    """The reserves before, from the slot that packs them: two numbers of 112 bits, and a time above."""
    if after is None or max(after) > _MASK or pool not in diffs:
        return None
    packed, storage = after[0] | after[1] << 112, diffs[pool].storage
    for slot in sorted(storage):
        before, now = storage[slot]
        if now & ((1 << 224) - 1) == packed:
            return before & _MASK, before >> 112 & _MASK
    return None
