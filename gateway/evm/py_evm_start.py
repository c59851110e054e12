"""What a py-evm process does before its first run, so that this one is not slow."""

from __future__ import annotations

from typing import Final

from gateway.decoding.keccak import keccak256
from gateway.evm.py_evm import execute
from gateway.evm.py_evm_state import NEWEST
from gateway.evm.world import LayeredWorld
from gateway.model.block import BlockContext
from gateway.model.primitive import Address
from gateway.model.state import AccountState, StateBatch
from gateway.model.transaction import RawTransaction, Transaction, TransactionType

_CONTRACT: Final = Address(b"\x02" * 20)


def warm_up() -> None:
    """Build the newest fork's tables and load what py-evm imports late, for the first run."""
    sender = Address(b"\x01" * 20)
    code = bytes.fromhex("6001600052602060002060005500")  # a hash and a store
    world = LayeredWorld(complete=True)
    world.load(
        StateBatch(
            {sender: AccountState(balance=10**18), _CONTRACT: AccountState(code=code, code_hash=keccak256(code))}
        )
    )
    transaction = Transaction(
        raw=RawTransaction(b"", keccak256(b"")),
        type=TransactionType.LEGACY,
        chain_id=1,
        sender=sender,
        nonce=0,
        to=_CONTRACT,
        value=0,
        input=b"",
        gas_limit=100_000,
        max_fee_per_gas=1,
        max_priority_fee_per_gas=1,
    )
    block = BlockContext(
        number=1,
        timestamp=1,
        coinbase=sender,
        gas_limit=30_000_000,
        base_fee=0,
        prev_randao=keccak256(b""),
        chain_id=1,
        fork=NEWEST,
    )
    execute(world, transaction, block)
