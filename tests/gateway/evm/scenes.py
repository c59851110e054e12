"""Small contracts as bytes, blocks and unsigned transactions for engine tests."""

from __future__ import annotations

from gateway.decoding.keccak import keccak256
from gateway.evm.world import LayeredWorld
from gateway.model.block import BlockContext, Fork
from gateway.model.primitive import Address, Hash32
from gateway.model.state import AccountState, StateBatch
from gateway.model.transaction import AccessListEntry, Authorization, RawTransaction, Transaction, TransactionType

SENDER = Address(b"\x11" * 20)
CONTRACT = Address(b"\xcc" * 20)
OTHER = Address(b"\xdd" * 20)
COINBASE = Address(b"\xc0" * 20)
ETHER = 10**18


def block(
    fork: Fork = Fork.PRAGUE, *, base_fee: int = 7, gas_limit: int = 30_000_000, number: int = 100
) -> BlockContext:
    """A block with values that no test would meet by chance."""
    return BlockContext(
        number=number,
        timestamp=1_700_000_000,
        coinbase=COINBASE,
        gas_limit=gas_limit,
        base_fee=base_fee if fork.at_least(Fork.LONDON) else 0,
        prev_randao=Hash32(b"\x5a" * 32),
        chain_id=1,
        fork=fork,
    )


def transaction(
    to: Address | None = CONTRACT,
    *,
    data: bytes = b"",
    value: int = 0,
    gas: int = 1_000_000,
    nonce: int = 0,
    sender: Address = SENDER,
    fee: int = 10,
    tip: int = 10,
    access_list: tuple[AccessListEntry, ...] = (),
    authorizations: tuple[Authorization, ...] = (),
    kind: TransactionType | None = None,
) -> Transaction:
    """A decoded transaction that nobody signed."""
    implied = TransactionType.SET_CODE if authorizations else TransactionType.DYNAMIC_FEE
    return Transaction(
        raw=RawTransaction(b"", keccak256(b"unsigned")),
        type=implied if kind is None else kind,
        chain_id=1,
        sender=sender,
        nonce=nonce,
        to=to,
        value=value,
        input=data,
        gas_limit=gas,
        max_fee_per_gas=fee,
        max_priority_fee_per_gas=tip,
        access_list=access_list,
        authorization_list=authorizations,
    )


def account(code: bytes = b"", *, balance: int = 0, nonce: int = 0) -> AccountState:
    """An account with its code hash."""
    return AccountState(nonce, balance, code, keccak256(code))


def world(
    code: bytes = b"",
    *,
    accounts: dict[Address, AccountState] | None = None,
    slots: dict[tuple[Address, int], int] | None = None,
    complete: bool = True,
) -> LayeredWorld:
    """A rich sender, the contract with `code`, an empty coinbase, and what else is given."""
    made = LayeredWorld(complete=complete)
    known = {SENDER: account(balance=100 * ETHER), CONTRACT: account(code, balance=ETHER), COINBASE: account()}
    made.load(StateBatch(known | (accounts or {}), slots or {}))
    return made


def push(value: int | bytes) -> bytes:
    """The shortest PUSH of `value`, at least PUSH1."""
    data = value if isinstance(value, bytes) else value.to_bytes(max(1, (value.bit_length() + 7) // 8), "big")
    return bytes([0x5F + len(data)]) + data


def call(to: Address, *, value: int = 0, opcode: int = 0xF1, gas: int | None = None, size: int = 0) -> bytes:
    """Call `to` with `size` bytes of memory, keep the flag on the stack; CALL, CALLCODE, DELEGATECALL or STATICCALL."""
    amount = push(value) if opcode in (0xF1, 0xF2) else b""
    allowance = b"\x5a" if gas is None else push(gas)
    return push(0) + push(0) + push(size) + push(0) + amount + push(to) + allowance + bytes([opcode])


STOP = b"\x00"
ADD_ONE = push(0) + b"\x54" + push(1) + b"\x01" + push(0) + b"\x55"  # slot 0 += 1
ANNOUNCE = push(0xABCD) + push(0) + push(0) + b"\xa1"  # LOG1 without data
REVERT = push(0) + push(0) + b"\xfd"
FOREVER = b"\x5b" + push(0) + b"\x56"  # JUMPDEST, PUSH 0, JUMP
KECCAK_FOREVER = b"\x5b" + push(64) + push(0) + b"\x20" + b"\x50" + push(0) + b"\x56"
