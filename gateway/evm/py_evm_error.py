"""py-evm's errors in geth's words."""

from __future__ import annotations

from eth.exceptions import (
    ContractCreationCollision,
    FullStack,
    InsufficientFunds,
    InsufficientStack,
    InvalidInstruction,
    InvalidJumpDestination,
    OutOfBoundsRead,
    OutOfGas,
    ReservedBytesInCode,
    Revert,
    StackDepthLimit,
    VMError,
    WriteProtection,
)

from gateway.evm.tracer import PRECOMPILE_FAILED, REVERTED

_WORDS: tuple[tuple[type[VMError], str], ...] = (
    (Revert, REVERTED),
    (InsufficientStack, "stack underflow"),
    (FullStack, "stack limit reached 1024"),
    (InvalidJumpDestination, "invalid jump destination"),
    (WriteProtection, "write protection"),
    (OutOfBoundsRead, "return data out of bounds"),
    (ReservedBytesInCode, "invalid code: must not begin with 0xef"),
    (ContractCreationCollision, "contract address collision"),
    (StackDepthLimit, "max call depth exceeded"),
    (InsufficientFunds, "insufficient balance for transfer"),
)


def in_geths_words(error: VMError) -> str:
    """py-evm's error as geth prints it (core/vm/errors.go)."""
    for kind, text in _WORDS:
        if isinstance(error, kind):
            return text
    if isinstance(error, InvalidInstruction):
        return "invalid opcode"
    if isinstance(error, OutOfGas):
        reason = str(error)
        if "EIP170" in reason:
            return "max code size exceeded"
        if "EIP-3860" in reason and "exceeds" in reason:
            return "max initcode size exceeded"
        if "Write contract code" in reason:
            return "contract creation code storage out of gas"
        return "out of gas"
    return PRECOMPILE_FAILED
