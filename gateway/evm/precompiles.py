"""Precompiles that py-evm lacks, or makes so slow that a sender could stall a worker with them."""

from __future__ import annotations

import hashlib
from typing import Any, Final

from eth.exceptions import VMError

from gateway.evm.kzg import opens_to
from gateway.evm.p256 import verify

P256_ADDRESS: Final = (0x100).to_bytes(20, "big")
POINT_EVALUATION_ADDRESS: Final = (0x0A).to_bytes(20, "big")

_BLS_MODULUS: Final = 0x73EDA753299D7D483339D80809A1D80553BDA402FFFE5BFEFFFFFFFF00000001
_SUCCESS: Final = (4096).to_bytes(32, "big") + _BLS_MODULUS.to_bytes(32, "big")


def p256_verify(gas: int) -> Any:
    """P256VERIFY at the given price (RIP-7212, EIP-7951)."""

    def run(computation: Any) -> Any:
        computation.consume_gas(gas, reason="P256VERIFY precompile")
        if verify(bytes(computation.msg.data)):
            computation.output = (1).to_bytes(32, "big")
        return computation

    return run


def point_evaluation(computation: Any) -> Any:
    """EIP-4844's precompile; py-evm's own reads the whole trusted setup, for seconds, at every call."""
    computation.consume_gas(50_000, reason="point evaluation precompile")
    data = bytes(computation.msg.data)
    if len(data) != 192:
        raise VMError("invalid input length")
    versioned_hash, z, y, commitment, proof = data[:32], data[32:64], data[64:96], data[96:144], data[144:]
    if b"\x01" + hashlib.sha256(commitment).digest()[1:] != versioned_hash:
        raise VMError("mismatched versioned hash")
    if not opens_to(commitment, z, y, proof):
        raise VMError("error verifying kzg proof")
    computation.output = _SUCCESS
    return computation
