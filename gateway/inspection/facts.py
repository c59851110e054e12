"""Derives the facts of one transaction from its trace in one pass over frames and one over logs."""

from __future__ import annotations

from gateway.model.facts import Approval, Facts, TokenStandard, Transfer
from gateway.model.primitive import ZERO_ADDRESS, Address
from gateway.model.trace import CallFrame, FrameKind, Log, SimulationResult
from gateway.model.transaction import Transaction

TRANSFER = bytes.fromhex("ddf252ad1be2c89b69c2b068fc378daa952ba7f163c4a11628f55a4df523b3ef")
APPROVAL = bytes.fromhex("8c5be1e5ebec7d5bd14f71427d1e84f3dd0314c0f7b2291e5b200ac8c7c3b925")
APPROVAL_FOR_ALL = bytes.fromhex("17307eab39ab6107e8899845ad3d59bd9653f200f220920489ca2b5937696c31")
TRANSFER_SINGLE = bytes.fromhex("c3d58168c5ae7397731d063d5bbf3d657854427343f4c083240f7aacaa2d0f62")
TRANSFER_BATCH = bytes.fromhex("4a39dc06d4c0dbc64b70af90fd698a233a518aa5d07e595d983b8c0526c8f7fb")
DEPOSIT = bytes.fromhex("e1fffcc4923d04b559f4d29a8bfc6cda04eb5b0d3c460751c2402c5c5cc9109c")
WITHDRAWAL = bytes.fromhex("7fcf532c15f0a6db0bd6d0e038bea71d30d808c7d98cb3bf7268a95bf5081b65")

_VALUE_KINDS = (FrameKind.CALL, FrameKind.CALLCODE, FrameKind.CREATE, FrameKind.CREATE2, FrameKind.SELFDESTRUCT)


def derive(transaction: Transaction, simulation: SimulationResult) -> Facts:
    """The facts of a simulated transaction; only effects that stood count."""
    transfers: list[Transfer] = []
    approvals: list[Approval] = []
    for frame in simulation.trace.frames:
        if frame.value and not frame.reverted and frame.kind in _VALUE_KINDS and frame.to is not None:
            transfers.append(_native(frame, frame.to))
    coin = {(move.from_, move.amount) for move in transfers} | {(move.to, move.amount) for move in transfers}
    for log in simulation.trace.logs:
        if log.reverted or not log.topics:
            continue
        if log.topics[0] in (DEPOSIT, WITHDRAWAL):
            transfers.extend(_wrapping(log, coin))
        else:
            _read_log(log, transfers, approvals)
    transfers.sort(key=lambda transfer: transfer.sequence)
    return Facts(transfers=tuple(transfers), approvals=tuple(approvals))


def _native(frame: CallFrame, to: Address) -> Transfer:
    return Transfer(frame.entered, frame.index, TokenStandard.NATIVE, ZERO_ADDRESS, frame.from_, to, frame.value)


def _read_log(log: Log, transfers: list[Transfer], approvals: list[Approval]) -> None:
    topic = log.topics[0]
    if topic == TRANSFER:
        transfers.extend(_transfer(log))
    elif topic == APPROVAL and len(log.topics) == 3 and len(log.data) >= 32:
        amount = int.from_bytes(log.data[:32], "big")
        approvals.append(
            Approval(log.sequence, log.frame, log.address, _address(log.topics[1]), _address(log.topics[2]), amount)
        )
    elif topic == APPROVAL_FOR_ALL and len(log.topics) == 3 and any(log.data[:32]):
        approvals.append(
            Approval(log.sequence, log.frame, log.address, _address(log.topics[1]), _address(log.topics[2]), None)
        )
    elif topic == TRANSFER_SINGLE and len(log.topics) == 4 and len(log.data) >= 64:
        transfers.append(
            Transfer(
                log.sequence,
                log.frame,
                TokenStandard.ERC1155,
                log.address,
                _address(log.topics[2]),
                _address(log.topics[3]),
                int.from_bytes(log.data[32:64], "big"),
                int.from_bytes(log.data[:32], "big"),
            )
        )


def _wrapping(log: Log, coin: set[tuple[Address, int]]) -> list[Transfer]:
    """A wrapped coin mints and burns without Transfer; other contracts use the same event names for other things."""
    if len(log.topics) != 2 or len(log.data) != 32:
        return []
    holder, amount = _address(log.topics[1]), int.from_bytes(log.data, "big")
    if (log.address, amount) not in coin:
        return []
    parties = (ZERO_ADDRESS, holder) if log.topics[0] == DEPOSIT else (holder, ZERO_ADDRESS)
    return [Transfer(log.sequence, log.frame, TokenStandard.ERC20, log.address, *parties, amount)]


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
