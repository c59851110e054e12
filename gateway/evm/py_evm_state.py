"""py-evm's state and computation classes, fork by fork, on our database and with our recorder."""

from __future__ import annotations

import sys
from functools import cache
from typing import Any

from eth.exceptions import Halt
from eth.vm.computation import NO_RESULT
from eth.vm.execution_context import ExecutionContext
from eth.vm.forks.berlin.state import BerlinState
from eth.vm.forks.byzantium.state import ByzantiumState
from eth.vm.forks.cancun.state import CancunState
from eth.vm.forks.constantinople.state import ConstantinopleState
from eth.vm.forks.frontier.state import FrontierState
from eth.vm.forks.homestead.state import HomesteadState
from eth.vm.forks.istanbul.state import IstanbulState
from eth.vm.forks.london.state import LondonState
from eth.vm.forks.paris.state import ParisState
from eth.vm.forks.petersburg.state import PetersburgState
from eth.vm.forks.prague.state import PragueState
from eth.vm.forks.shanghai.state import ShanghaiState
from eth.vm.forks.spurious_dragon.state import SpuriousDragonState
from eth.vm.forks.tangerine_whistle.state import TangerineWhistleState

from gateway.decoding.keccak import keccak256
from gateway.evm.account_db import AccountDatabase
from gateway.evm.precompiles import P256_ADDRESS, POINT_EVALUATION_ADDRESS, p256_verify, point_evaluation
from gateway.evm.py_evm_error import in_geths_words
from gateway.evm.py_evm_opcodes import hooked
from gateway.evm.tracer import Frame, Recorder
from gateway.model.block import BlockContext, Fork
from gateway.model.primitive import EMPTY_CODE_HASH
from gateway.model.trace import FrameKind

# A call takes about a dozen Python frames, and 1,024 calls may nest.
sys.setrecursionlimit(max(sys.getrecursionlimit(), 32_000))

_STATES: dict[Fork, Any] = {
    Fork.FRONTIER: FrontierState,
    Fork.HOMESTEAD: HomesteadState,
    Fork.TANGERINE_WHISTLE: TangerineWhistleState,
    Fork.SPURIOUS_DRAGON: SpuriousDragonState,
    Fork.BYZANTIUM: ByzantiumState,
    Fork.CONSTANTINOPLE: ConstantinopleState,
    Fork.PETERSBURG: PetersburgState,
    Fork.ISTANBUL: IstanbulState,
    Fork.BERLIN: BerlinState,
    Fork.LONDON: LondonState,
    Fork.PARIS: ParisState,
    Fork.SHANGHAI: ShanghaiState,
    Fork.CANCUN: CancunState,
    Fork.PRAGUE: PragueState,
}
NEWEST = Fork.PRAGUE
"""py-evm 0.12.1b1 ends here; a later fork is executed with these rules and the result says so"""

_MAX_CODES = 4096
_positions: dict[bytes, tuple[set[int], set[int]]] = {}


def make_state(database: AccountDatabase, recorder: Recorder, block: BlockContext, *, p256: bool) -> Any:
    """py-evm's state object for one run in `block`."""
    fork = min(block.fork, NEWEST, key=list(Fork).index)
    return _state_class(fork, p256_gas(block.fork) if p256 or block.fork.at_least(Fork.OSAKA) else None)(
        database, recorder, block
    )


def p256_gas(fork: Fork) -> int:
    """EIP-7951 doubled the price of RIP-7212."""
    return 6900 if fork.at_least(Fork.OSAKA) else 3450


class _State:
    """Replaces py-evm's storage, journal and block hashes; comes before the fork's class."""

    def __init__(self, database: AccountDatabase, recorder: Recorder, block: BlockContext) -> None:
        merged = block.fork.at_least(Fork.PARIS)
        self.recorder, self.block, self._account_db = recorder, block, database
        self.execution_context = ExecutionContext(
            coinbase=block.coinbase,
            timestamp=block.timestamp,
            block_number=block.number,
            difficulty=0 if merged else int.from_bytes(block.prev_randao, "big"),
            mix_hash=block.prev_randao if merged else bytes(32),
            gas_limit=block.gas_limit,
            prev_hashes=(),
            chain_id=block.chain_id,
            base_fee_per_gas=block.base_fee,
        )
        # py-evm passes each of these through one more call; most runs make hundreds
        for name in _DIRECT:
            setattr(self, name, getattr(database, name))

    def snapshot(self) -> int:
        return self._account_db.record()

    def revert(self, snapshot: int) -> None:
        self._account_db.discard(snapshot)

    def commit(self, snapshot: int) -> None:
        """Nothing to do: what is not undone stays."""

    def increment_nonce(self, address: bytes) -> None:
        self._account_db.set_nonce(address, self._account_db.get_nonce(address) + 1)

    def has_code_or_nonce(self, address: bytes) -> bool:
        account = self._account_db.account(address)
        occupied = account.nonce != 0 or account.code_hash != EMPTY_CODE_HASH
        return occupied or self._account_db.has_storage(address)  # EIP-684, EIP-7610

    def get_ancestor_hash(self, number: int) -> bytes:
        if not max(0, self.block.number - 256) <= number < self.block.number:
            return b""
        return self._account_db.block_hash(number, self.block.block_hashes.get(number))

    def get_transient_storage(self, address: bytes, slot: int) -> bytes:
        return self._account_db.get_transient(address, slot)

    def set_transient_storage(self, address: bytes, slot: int, value: bytes) -> None:
        self._account_db.set_transient(address, slot, value)

    @property
    def blob_base_fee(self) -> int:
        return self.block.blob_base_fee


_DIRECT = (
    "get_storage",
    "set_storage",
    "delete_storage",
    "get_balance",
    "set_balance",
    "get_nonce",
    "set_nonce",
    "get_code",
    "set_code",
    "get_code_hash",
    "account_exists",
    "account_is_empty",
    "touch_account",
    "is_storage_warm",
    "mark_storage_warm",
    "mark_address_warm",
    "delete_account",
)


class _Computation:
    """Adds frames, logs and a tighter loop; comes before the fork's class.

    To mypy its only base is `object`: the fork's class, which `super()` reaches, is put behind it at run time.
    """

    table: tuple[Any, ...] = ()
    state: Any
    msg: Any
    code: Any
    returned_gas = 0
    """gas that came back last: what a refused call was to have"""
    seen_gas = 0
    """gas that was looked at last: what a refused creation was to share"""

    def __init__(self, state: Any, message: Any, transaction_context: Any) -> None:
        super().__init__(state, message, transaction_context)  # type: ignore[call-arg]  # see the class
        code = message.code
        known = _positions.get(code)
        if known is None:
            if len(_positions) >= _MAX_CODES:
                _positions.clear()
            known = _positions[code] = (self.code.valid_positions, self.code.invalid_positions)
        self.code.valid_positions, self.code.invalid_positions = known

    def return_gas(self, amount: int) -> None:
        self.returned_gas = amount
        super().return_gas(amount)  # type: ignore[misc]  # see the class

    def get_gas_remaining(self) -> int:
        self.seen_gas = super().get_gas_remaining()  # type: ignore[misc]  # see the class
        return self.seen_gas

    def add_log_entry(self, account: bytes, topics: tuple[int, ...], data: bytes) -> None:
        self.state.recorder.log(account, topics, data)

    @classmethod
    def apply_message(cls, state: Any, message: Any, context: Any, parent_computation: Any = None) -> Any:
        if message.is_create:  # apply_create_message has opened the frame
            return super().apply_message(state, message, context, parent_computation)  # type: ignore[misc]  # see the class
        frame = _enter_call(state, message, parent_computation)
        computation = super().apply_message(state, message, context, parent_computation)  # type: ignore[misc]  # see the class
        _leave(state, frame, computation)
        return computation

    @classmethod
    def apply_create_message(cls, state: Any, message: Any, context: Any, parent_computation: Any = None) -> Any:
        frame = _enter_creation(state, message)
        checkpoint = state.snapshot()
        state.delete_storage(message.storage_address)  # a new account has none, and nobody need ask
        computation = super().apply_create_message(  # type: ignore[misc]  # see the class
            state, message, context, parent_computation
        )
        if computation.is_error:
            state.revert(checkpoint)
        _leave(state, frame, computation)
        return computation

    @classmethod
    def apply_computation(cls, state: Any, message: Any, context: Any, parent_computation: Any = None) -> Any:
        # As py-evm's, but: the table is a tuple, one try holds the whole loop, and the cost of init code is
        # charged with the intrinsic gas, not here (py-evm also charges it when an EIP-7702 account creates).
        with cls(state, message, context) as computation:  # type: ignore[attr-defined]  # see the class
            if parent_computation is None:
                computation.contracts_created = []
            else:
                computation.contracts_created = parent_computation.contracts_created
            if message.is_create:
                computation.contracts_created.append(message.storage_address)
            else:
                precompile = computation.precompiles.get(message.code_address, NO_RESULT)
                if precompile is not NO_RESULT:
                    if not message.is_delegation:
                        precompile(computation)
                    return computation
            table = cls.table
            try:
                for opcode in computation.code:
                    table[opcode](computation)
            except Halt:
                pass
        return computation


def _enter_call(state: Any, message: Any, parent: Any) -> Frame:
    recorder: Recorder = state.recorder
    kind = recorder.kind
    frame = recorder.enter(message.depth)
    to = message.to
    if kind in (FrameKind.DELEGATECALL, FrameKind.CALLCODE):
        frame.from_ = parent.msg.storage_address
        to = recorder.target
    else:
        frame.from_ = message.sender
    frame.to = to
    frame.code_address = message.code_address
    if message.code:
        frame.code_hash = state.get_code_hash(frame.code_address)
        recorder.codes[frame.code_hash] = message.code
    frame.value, frame.gas = message.value, message.gas
    frame.input = bytes(message.data)
    recorder.keep(len(frame.input))
    return frame


def _enter_creation(state: Any, message: Any) -> Frame:
    recorder: Recorder = state.recorder
    if recorder.kind is not FrameKind.CREATE2:
        recorder.kind = FrameKind.CREATE
    frame = recorder.enter(message.depth)
    frame.from_ = message.sender
    frame.to = frame.code_address = message.storage_address
    if message.code:
        frame.code_hash = keccak256(message.code)
        recorder.codes[frame.code_hash] = message.code
    frame.value, frame.gas, frame.input = message.value, message.gas, bytes(message.code)
    recorder.keep(len(frame.input))
    return frame


def _leave(state: Any, frame: Frame, computation: Any) -> None:
    frame.gas_used = frame.gas - computation.get_gas_remaining()
    if computation.is_error:
        frame.error = in_geths_words(computation.error)
    frame.output = bytes(computation.output)
    state.recorder.keep(len(frame.output))
    state.recorder.leave(frame)


@cache
def _state_class(fork: Fork, p256_price: int | None) -> Any:
    base = _STATES[fork]
    origin = base.computation_class
    precompiles = dict(origin.get_precompiles())
    if p256_price is not None:
        precompiles[P256_ADDRESS] = p256_verify(p256_price)
    if POINT_EVALUATION_ADDRESS in precompiles:
        precompiles[POINT_EVALUATION_ADDRESS] = point_evaluation
    computation = type(
        f"Recorded{origin.__name__}",
        (_Computation, origin),
        {"table": hooked(origin.opcodes), "_precompiles": precompiles},
    )
    return type(f"Recorded{base.__name__}", (_State, base), {"computation_class": computation})
