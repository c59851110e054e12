"""py-evm's opcode tables with hooks where something is worth noting, and a clock in every loop."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

from eth.constants import STACK_DEPTH_LIMIT
from eth.exceptions import Halt, InvalidJumpDestination, OutOfGas
from eth.vm import mnemonics, opcode_values
from eth.vm.logic.invalid import InvalidOpcode

from gateway.evm.admission import MAX_INITCODE
from gateway.model.block import Fork
from gateway.model.trace import AccessKind, FrameKind

Opcode = Callable[[Any], Any]
"""takes the computation"""

_ENVIRONMENT = {
    opcode_values.TIMESTAMP: "TIMESTAMP",
    opcode_values.NUMBER: "NUMBER",
    opcode_values.COINBASE: "COINBASE",
    opcode_values.DIFFICULTY: "PREVRANDAO",
    opcode_values.BASEFEE: "BASEFEE",
    opcode_values.GASPRICE: "GASPRICE",
    opcode_values.GASLIMIT: "GASLIMIT",
    opcode_values.BLOCKHASH: "BLOCKHASH",
    opcode_values.ORIGIN: "ORIGIN",
    opcode_values.SELFBALANCE: "SELFBALANCE",
}

_CALLS = {
    opcode_values.CALL: FrameKind.CALL,
    opcode_values.CALLCODE: FrameKind.CALLCODE,
    opcode_values.DELEGATECALL: FrameKind.DELEGATECALL,
    opcode_values.STATICCALL: FrameKind.STATICCALL,
}

_JUMPDEST = opcode_values.JUMPDEST
_PREIMAGES = range(20, 1025)
"""bytes of a preimage that is kept, as in the native engine"""
"""bytes; an array's slot, and a mapping's key with its slot"""


def hooked(opcodes: Mapping[int, Opcode]) -> tuple[Opcode, ...]:
    """One fork's table as 256 entries, with hooks."""
    table = [opcodes.get(value) or InvalidOpcode(value) for value in range(256)]
    for value, name in _ENVIRONMENT.items():
        if value in opcodes:
            table[value] = _environment(opcodes[value], name)
    table[opcode_values.BALANCE] = _balance(opcodes[opcode_values.BALANCE])
    for value, kind in _CALLS.items():
        if value in opcodes:
            table[value] = _call(opcodes[value], kind)
    for value, kind in ((opcode_values.CREATE, FrameKind.CREATE), (opcode_values.CREATE2, FrameKind.CREATE2)):
        if value in opcodes:
            table[value] = _create(opcodes[value], kind)
    table[opcode_values.SLOAD] = _load(opcodes[opcode_values.SLOAD], AccessKind.SLOAD)
    table[opcode_values.SSTORE] = _store(opcodes[opcode_values.SSTORE], AccessKind.SSTORE)
    if opcode_values.TLOAD in opcodes:
        table[opcode_values.TLOAD] = _load(opcodes[opcode_values.TLOAD], AccessKind.TLOAD)
        table[opcode_values.TSTORE] = _store(opcodes[opcode_values.TSTORE], AccessKind.TSTORE)
    table[opcode_values.SHA3] = _keccak(opcodes[opcode_values.SHA3])
    table[opcode_values.SELFDESTRUCT] = _selfdestruct(opcodes[opcode_values.SELFDESTRUCT])
    table[opcode_values.JUMP] = _jump
    table[opcode_values.JUMPI] = _jump_if
    return tuple(table)


def as_number(value: int | bytes) -> int:
    """A stack entry as an unsigned number; py-evm keeps either form."""
    return value if isinstance(value, int) else int.from_bytes(value, "big")


def as_address(value: int | bytes) -> bytes:
    """The lower 20 bytes of a stack entry."""
    return (as_number(value) & ((1 << 160) - 1)).to_bytes(20, "big")


def _environment(opcode: Opcode, name: str) -> Opcode:
    def run(computation: Any) -> None:
        opcode(computation)
        computation.state.recorder.read_environment(name)

    return run


def _balance(opcode: Opcode) -> Opcode:
    """Only the coinbase's balance says something of the surroundings: a simulation may have another one."""

    def run(computation: Any) -> None:
        stack = computation._stack.values
        address = as_address(stack[-1]) if stack else b""
        opcode(computation)
        if address == computation.state.block.coinbase:
            computation.state.recorder.read_environment("BALANCE")

    return run


def _load(opcode: Opcode, kind: AccessKind) -> Opcode:
    def run(computation: Any) -> None:
        stack = computation._stack.values
        slot = stack[-1] if stack else 0
        opcode(computation)
        value = as_number(stack[-1])
        computation.state.recorder.access(kind, computation.msg.storage_address, as_number(slot), value, value)

    return run


def _store(opcode: Opcode, kind: AccessKind) -> Opcode:
    transient = kind is AccessKind.TSTORE

    def run(computation: Any) -> None:
        stack = computation._stack.values
        if len(stack) < 2:
            opcode(computation)
            return
        slot, value = as_number(stack[-1]), as_number(stack[-2])
        address, state = computation.msg.storage_address, computation.state
        if transient:
            previous = as_number(state.get_transient_storage(address, slot))
        else:
            previous = state.get_storage(address, slot)
        opcode(computation)
        state.recorder.access(kind, address, slot, value, previous)

    return run


def _keccak(opcode: Opcode) -> Opcode:
    def run(computation: Any) -> None:
        stack = computation._stack.values
        offset, size = stack[-2:][::-1] if len(stack) > 1 else (0, 0)
        opcode(computation)
        length = as_number(size)
        if length in _PREIMAGES:
            data = computation.memory_read_bytes(as_number(offset), length)
            computation.state.recorder.hashed(as_number(stack[-1]), data)

    return run


def _call(opcode: Opcode, kind: FrameKind) -> Opcode:
    with_value = kind in (FrameKind.CALL, FrameKind.CALLCODE)

    def run(computation: Any) -> None:
        recorder = computation.state.recorder
        arguments = computation._stack.values[-5:][::-1]
        if len(arguments) < 5:
            opcode(computation)  # too few: it raises
            return
        frames = len(recorder.frames)
        recorder.kind = kind
        recorder.target = as_address(arguments[1])
        opcode(computation)
        if len(recorder.frames) == frames:
            _refused_call(computation, recorder, kind, arguments, as_number(arguments[2]) if with_value else None)

    return run


def _refused_call(computation: Any, recorder: Any, kind: FrameKind, arguments: list[Any], value: int | None) -> None:
    """A call that the depth or the balance forbade: py-evm makes no child of it, geth shows it."""
    depth = computation.msg.depth + 1
    frame = recorder.enter(depth)
    offset, size = arguments[3:5] if value is not None else arguments[2:4]
    delegate = kind is FrameKind.DELEGATECALL
    frame.kind = kind
    frame.from_ = computation.msg.storage_address
    frame.to = frame.code_address = as_address(arguments[1])
    frame.value = computation.msg.value if delegate else value or 0
    frame.gas = computation.returned_gas
    frame.input = computation.memory_read_bytes(as_number(offset), as_number(size))
    too_deep = depth > STACK_DEPTH_LIMIT
    frame.error = "max call depth exceeded" if too_deep else "insufficient balance for transfer"
    recorder.leave(frame)


def _create(opcode: Opcode, kind: FrameKind) -> Opcode:
    def run(computation: Any) -> None:
        recorder = computation.state.recorder
        arguments = computation._stack.values[-3:][::-1]
        if len(arguments) == 3 and as_number(arguments[2]) > MAX_INITCODE and _limits_init_code(computation):
            raise OutOfGas("init code exceeds the limit of EIP-3860")  # py-evm says so in a frame that no node has
        frames = len(recorder.frames)
        recorder.kind = kind
        recorder.target = None
        opcode(computation)
        if len(recorder.frames) == frames:
            _refused_creation(computation, recorder, kind, [as_number(argument) for argument in arguments])

    return run


def _limits_init_code(computation: Any) -> bool:
    return computation.state.block.fork.at_least(Fork.SHANGHAI) and not computation.msg.is_static


def _refused_creation(computation: Any, recorder: Any, kind: FrameKind, arguments: list[int]) -> None:
    """A creation that never began: depth, balance, nonce, or something lies at the address already."""
    value, offset, size = arguments
    message, state = computation.msg, computation.state
    frame = recorder.enter(message.depth + 1)
    frame.kind, frame.from_, frame.value = kind, message.storage_address, value
    frame.input = computation.memory_read_bytes(offset, size)
    collided = False
    if message.depth + 1 > STACK_DEPTH_LIMIT:
        frame.error = "max call depth exceeded"
    elif state.get_balance(message.storage_address) < value:
        frame.error = "insufficient balance for transfer"
    elif state.get_nonce(message.storage_address) >= 2**64 - 1:
        frame.error = "nonce uint64 overflow"
    else:
        frame.error = "contract address collision"
        collided = True
    remaining = computation.seen_gas if collided else computation.get_gas_remaining()
    frame.gas = remaining - remaining // 64
    frame.gas_used = frame.gas if collided else 0
    recorder.leave(frame)


def _selfdestruct(opcode: Any) -> Opcode:
    # from Cancun on py-evm wraps it to warn of its deprecation, once per use
    execute = getattr(opcode, "__wrapped__", opcode)

    def run(computation: Any) -> None:
        recorder, state = computation.state.recorder, computation.state
        stack = computation._stack.values
        beneficiary = as_address(stack[-1]) if stack else None
        address = computation.msg.storage_address
        balance = state.get_balance(address)
        try:
            execute(computation)
        except Halt:
            frame = recorder.enter(computation.msg.depth + 1)
            frame.kind = FrameKind.SELFDESTRUCT
            frame.from_, frame.to, frame.value = address, beneficiary, balance
            recorder.leave(frame)
            raise

    return run


def _jump(computation: Any) -> None:
    computation.state.recorder.tick()
    computation.consume_gas(8, mnemonics.JUMP)
    _go(computation, computation.stack_pop1_int())


def _jump_if(computation: Any) -> None:
    computation.state.recorder.tick()
    computation.consume_gas(10, mnemonics.JUMPI)
    destination, condition = computation.stack_pop_ints(2)
    if condition:
        _go(computation, destination)


def _go(computation: Any, destination: int) -> None:
    code = computation.code
    if destination >= len(code) or code[destination] != _JUMPDEST or not code.is_valid_opcode(destination):
        raise InvalidJumpDestination("invalid jump destination")
    code.program_counter = destination
