"""The reference engine: py-evm's opcodes under our own transaction driver.

Forks Frontier to Prague. A later fork runs with Prague's rules plus P256VERIFY and the transaction gas cap, and
the result's `engine` says so; CLZ and the MODEXP bounds and price of Osaka are what then differs.
"""

from __future__ import annotations

import os
import time
from typing import Any, Final

from eth.constants import CREATE_CONTRACT_ADDRESS
from eth.exceptions import ContractCreationCollision, VMError
from eth.vm.forks.cancun.transaction_context import CancunTransactionContext
from eth.vm.message import Message

from gateway.decoding import rlp
from gateway.decoding.keccak import keccak256
from gateway.errors import SimulationError, StateMissing
from gateway.evm.account_db import AccountDatabase
from gateway.evm.admission import (
    BLOB_GAS,
    MAX_NONCE,
    check_sender,
    check_transaction,
    delegate_of,
    effective_gas_price,
    floor_gas,
    intrinsic_gas,
)
from gateway.evm.diff import state_diff
from gateway.evm.py_evm_error import in_geths_words
from gateway.evm.py_evm_state import NEWEST, make_state
from gateway.evm.simulator import ADMISSION, Checks, Limits
from gateway.evm.tracer import ABORTED, REVERTED, LimitReached, Recorder
from gateway.evm.world import LayeredWorld
from gateway.model.block import BlockContext, Fork
from gateway.model.primitive import Address
from gateway.model.state import AccountState, StateKeys
from gateway.model.trace import FrameKind, SimulationResult, SimulationStatus
from gateway.model.transaction import Transaction

# py-evm hashes through eth_hash, whose default backend takes seven times as long; read at its first use
os.environ.setdefault("ETH_HASH_BACKEND", "pysha3")

NAME: Final = "py-evm"
_DELEGATION: Final = b"\xef\x01\x00"  # EIP-7702


def execute(
    world: LayeredWorld,
    transaction: Transaction,
    block: BlockContext,
    *,
    limits: Limits = Limits(),
    checks: Checks = ADMISSION,
    p256: bool = False,
) -> SimulationResult:
    """Run one transaction to its end in this thread; raises as `Simulator.simulate` does."""
    started = time.perf_counter()
    check_transaction(transaction, block)
    _require_first_keys(world, transaction, block)
    run = _Run(world, transaction, block, limits, checks, p256)
    try:
        run.execute()
    except LimitReached as reached:
        run.truncated = reached.limit
    if run.database.has_missing:
        raise StateMissing(run.database.missing)
    return run.result(started)


def _require_first_keys(world: LayeredWorld, transaction: Transaction, block: BlockContext) -> None:
    """Everything the transaction itself names, in one batch, before anything is executed."""
    if world.complete:
        return
    wanted = {transaction.sender, block.coinbase}
    if transaction.to is not None:
        wanted.add(transaction.to)
    for authorization in transaction.authorization_list:
        wanted |= {authorization.address} | ({authorization.authority} if authorization.authority else set())
    slots = set()
    for entry in transaction.access_list:
        wanted.add(entry.address)
        slots |= {(entry.address, slot) for slot in entry.slots}
    keys = StateKeys(
        frozenset(address for address in wanted if world.account(address) is None),
        frozenset(key for key in slots if world.slot(*key) is None),
    )
    if keys:
        raise StateMissing(keys)


class _Run:
    """One transaction: buy gas, apply authorizations, call or create, settle."""

    def __init__(
        self,
        world: LayeredWorld,
        transaction: Transaction,
        block: BlockContext,
        limits: Limits,
        checks: Checks,
        p256: bool,
    ) -> None:
        self.world, self.transaction, self.block, self.checks = world, transaction, block, checks
        self.fork = block.fork
        self.recorder = Recorder(limits)
        self.database = AccountDatabase(
            world,
            empty_accounts_exist=not self.fork.at_least(Fork.SPURIOUS_DRAGON),
            on_missing=self.recorder.speculate,
        )
        self.state = make_state(self.database, self.recorder, block, p256=p256)
        self.price = effective_gas_price(transaction, block.base_fee)
        self.truncated: str | None = None
        self.computation: Any = None
        self.gas_used = 0
        self.destroyed: tuple[Address, ...] = ()

    def execute(self) -> None:
        """From admission to settlement.

        Raises:
            Unexecutable: nonce, balance or the sender's code.
            LimitReached: what happened so far is in the recorder and the database.
        """
        transaction, database = self.transaction, self.database
        self._admit()
        nonce = database.get_nonce(transaction.sender)
        if self.checks.balance:
            blob_fee = BLOB_GAS * len(transaction.blob_versioned_hashes) * self.block.blob_base_fee
            cost = transaction.gas_limit * self.price + blob_fee
            database.set_balance(transaction.sender, database.get_balance(transaction.sender) - cost)
        database.set_nonce(transaction.sender, min(nonce + 1, MAX_NONCE))
        refund = self._authorize()
        message = self._message(nonce, refund)
        self._warm(message)
        try:
            self.computation = self._call(message)
        except VMError as error:
            raise SimulationError(
                f"py-evm refused to begin {transaction.hash}: {error}; report it with the transaction"
            ) from error
        except RecursionError as error:
            raise SimulationError(f"py-evm ran out of Python stack in {transaction.hash}") from error
        self._settle()

    def _admit(self) -> None:
        account = self.database.account(self.transaction.sender)
        sender = AccountState(account.nonce, account.balance, account.code, account.code_hash)
        if self.database.has_missing:
            raise StateMissing(self.database.missing)
        check_sender(self.transaction, sender, self.block, self.checks)
        if not self.checks.balance and account.balance < self.transaction.value:
            # the gift is no effect of the transaction, so it is part of the state before
            account.balance = self.transaction.value
            self.database.before[self.transaction.sender] = AccountState(
                account.nonce, account.balance, account.code, account.code_hash
            )

    def _authorize(self) -> int:
        """EIP-7702: write the delegations; the refund for authorities that existed."""
        refund = 0
        database = self.database
        for entry in self.transaction.authorization_list:
            authority = entry.authority
            if authority is None or entry.chain_id not in (0, self.block.chain_id) or entry.nonce >= MAX_NONCE:
                continue
            database.mark_address_warm(authority)
            code = database.get_code(authority)
            if (code and delegate_of(code) is None) or database.get_nonce(authority) != entry.nonce:
                continue
            if database.account_exists(authority):
                refund += 25_000 - 12_500
            database.set_code(authority, _DELEGATION + entry.address if any(entry.address) else b"")
            database.set_nonce(authority, entry.nonce + 1)
        return refund

    def _message(self, nonce: int, refund: int) -> Any:
        transaction = self.transaction
        gas = transaction.gas_limit - intrinsic_gas(transaction, self.fork)
        if transaction.to is None:
            created = keccak256(rlp.encode([transaction.sender, nonce]))[12:]
            return Message(
                gas=gas,
                to=CREATE_CONTRACT_ADDRESS,
                sender=transaction.sender,
                value=transaction.value,
                data=b"",
                code=transaction.input,
                create_address=created,
            )
        code = self.database.get_code(transaction.to)
        delegate = delegate_of(code) if self.fork.at_least(Fork.PRAGUE) else None
        if delegate is not None:
            self.database.mark_address_warm(delegate)
            code = self.database.get_code(delegate)
        return Message(
            gas=gas,
            to=transaction.to,
            sender=transaction.sender,
            value=transaction.value,
            data=transaction.input,
            code=code,
            code_address=delegate,
            is_delegation=delegate is not None,
            refund=refund,
        )

    def _warm(self, message: Any) -> None:
        """EIP-2929, EIP-2930, EIP-3651."""
        database = self.database
        database.mark_address_warm(self.transaction.sender)
        database.mark_address_warm(message.storage_address)
        if self.fork.at_least(Fork.SHANGHAI):
            database.mark_address_warm(self.block.coinbase)
        for entry in self.transaction.access_list:
            database.mark_address_warm(entry.address)
            for slot in entry.slots:
                database.mark_storage_warm(entry.address, slot)

    def _call(self, message: Any) -> Any:
        transaction = self.transaction
        context = CancunTransactionContext(self.price, transaction.sender)
        context._blob_versioned_hashes = transaction.blob_versioned_hashes
        kind = self.state.computation_class
        if not message.is_create:
            return kind.apply_message(self.state, message, context)
        if self.state.has_code_or_nonce(message.storage_address):
            self.recorder.kind = FrameKind.CREATE
            frame = self.recorder.enter(0)
            frame.from_, frame.to = transaction.sender, message.storage_address
            frame.value, frame.gas, frame.gas_used = message.value, message.gas, message.gas
            frame.input, frame.error = transaction.input, "contract address collision"
            self.recorder.leave(frame)
            computation = kind(self.state, message, context)
            computation.error = ContractCreationCollision("contract address collision")
            return computation
        return kind.apply_create_message(self.state, message, context)

    def _settle(self) -> None:
        """Refund, floor, tip, destroyed and empty accounts."""
        computation, transaction, database, fork = self.computation, self.transaction, self.database, self.fork
        destroyed = computation.get_accounts_for_deletion()
        refund = computation.get_gas_refund()
        london = fork.at_least(Fork.LONDON)
        if not london:
            refund += 24_000 * len(destroyed)  # until EIP-3529
        spent = transaction.gas_limit - computation.get_gas_remaining()
        spent -= min(refund, spent // (5 if london else 2))
        self.gas_used = max(spent, floor_gas(transaction, fork))
        if self.checks.balance:
            unused = (transaction.gas_limit - self.gas_used) * self.price
            database.set_balance(transaction.sender, database.get_balance(transaction.sender) + unused)
            tip = self.gas_used * (self.price - (self.block.base_fee if london else 0))
            database.set_balance(self.block.coinbase, database.get_balance(self.block.coinbase) + tip)
        for address in destroyed:
            database.delete_account(address)
        self.destroyed = tuple(Address(address) for address in sorted(destroyed))
        if fork.at_least(Fork.SPURIOUS_DRAGON):
            database.clear_touched()

    def result(self, started: float) -> SimulationResult:
        """The values of model/trace.py."""
        self.recorder.abort()
        error: str | None = ABORTED
        output = b""
        if self.computation is not None and self.truncated is None:
            error = in_geths_words(self.computation.error) if self.computation.is_error else None
            output = bytes(self.computation.output)
        status = SimulationStatus.SUCCESS
        if error is not None:
            status = SimulationStatus.REVERTED if error == REVERTED else SimulationStatus.HALTED
        frames = self.recorder.frames
        if frames:
            # geth's root frame counts the whole transaction, intrinsic gas and refund included
            frames[0].gas, frames[0].gas_used = self.transaction.gas_limit, self.gas_used
        trace = self.recorder.trace()
        created = tuple(
            Address(frame.to)
            for frame, packed in zip(frames, trace.undone, strict=True)
            if frame.to is not None
            and frame.kind in (FrameKind.CREATE, FrameKind.CREATE2)
            and frame.error is None
            and not packed
            and frame.to not in self.destroyed
        )
        keep_new_empty = not self.fork.at_least(Fork.SPURIOUS_DRAGON)
        return SimulationResult(
            status=status,
            gas_used=self.gas_used,
            output=output,
            error=error,
            trace=trace,
            state_diff=state_diff(self.database, self.world, keep_new_empty=keep_new_empty),
            created=created,
            destroyed=self.destroyed,
            block=self.block,
            engine=NAME if NEWEST.at_least(self.fork) else f"{NAME} ({NEWEST} rules)",
            duration=time.perf_counter() - started,
            truncated=self.truncated,
        )
