"""Whose contract it is: what can be told of a creator from an address, and of a contract's kind from its code."""

from __future__ import annotations

import re

import evmole

from gateway.decoding.keccak import keccak256
from gateway.decoding.rlp import encode
from gateway.model.primitive import Address

NONCES_EXAMINED = 256
"""the latest nonces of a sender that are tried"""
CALLBACKS = {
    "10d1e85c": "uniswapV2Call",
    "84800812": "pancakeCall",
    "fa461e33": "uniswapV3SwapCallback",
    "e9cbafb0": "uniswapV3FlashCallback",
    "23a69e75": "pancakeV3SwapCallback",
    "a1d48336": "pancakeV3FlashCallback",
    "91dd7346": "unlockCallback",
    "23e30c8b": "onFlashLoan",
    "920f5c84": "executeOperation (Aave)",
    "1b11d0ff": "executeOperation (Aave V3)",
    "f04f2707": "receiveFlashLoan (Balancer)",
    "8b418713": "callFunction (dYdX)",
    "31f57072": "onMorphoFlashLoan",
    "d5b99797": "DVMFlashLoanCall",
    "2aa10b38": "DSPFlashLoanCall",
    "150b7a02": "onERC721Received",
    "f23a6e61": "onERC1155Received",
    "0023de29": "tokensReceived",
}
"""selector -> function that a lender, a pool or a token calls back"""
_STANDARD = (
    frozenset({"a9059cbb", "70a08231", "095ea7b3"}),  # ERC-20
    frozenset({"6352211e", "42842e0e"}),  # ERC-721
    frozenset({"f242432a", "00fdd58e"}),  # ERC-1155
    frozenset({"022c0d9f", "0902f1ac"}),  # a pair
    frozenset({"128acb08", "3850c7bd"}),  # a concentrated pool
    frozenset({"6a761202", "affed0e0"}),  # a Safe
    frozenset({"b61d27f6", "3a871cdd"}),  # an account of ERC-4337
)
"""selectors that together say what everybody's contract a code is a copy of"""
_CALL, _DELEGATECALL = 0xF1, 0xF4
_PUSH1, _PUSH32 = 0x60, 0x7F
_PUSH20 = re.compile(rb"\x73(.{20})", re.DOTALL)


def created_address(creator: Address, nonce: int) -> Address:
    """Where a CREATE of an account with this nonce puts its contract."""
    return Address(keccak256(encode([bytes(creator), nonce]))[12:])


def is_made_by(contract: Address, sender: Address, nonce: int) -> bool:
    """True if one of the sender's latest transactions before `nonce` created the contract; pure arithmetic.

    Takes about a millisecond: ask only when everything else fits.
    """
    return any(
        created_address(sender, earlier) == contract for earlier in range(nonce, max(-1, nonce - NONCES_EXAMINED), -1)
    )


def is_standard(code: bytes) -> bool:
    """True for code that many honest contracts share: tokens, pools, wallets, and whatever only delegates."""
    used = _opcodes(code)
    if _DELEGATECALL in used and _CALL not in used:
        return True
    known = frozenset(selectors(code))
    return any(kind <= known for kind in _STANDARD)


def selectors(code: bytes) -> tuple[str, ...]:
    """The functions that the code's dispatcher names, as 8 hex digits each. Milliseconds: not for the hot path."""
    found = evmole.contract_info(code, selectors=True).functions or ()
    return tuple(function.selector for function in found)


def embedded_addresses(code: bytes, limit: int = 32) -> tuple[Address, ...]:
    """Constants of twenty bytes that look like addresses: neither masks nor small numbers."""
    found: dict[Address, None] = {}
    for match in _PUSH20.finditer(code):
        constant = match[1]
        if any(constant[:6]) and len(set(constant)) > 6:
            found[Address(constant)] = None
            if len(found) >= limit:
                break
    return tuple(found)


def _opcodes(code: bytes) -> set[int]:
    found, at = set(), 0
    while at < len(code):
        opcode = code[at]
        found.add(opcode)
        at += 1 + (opcode - _PUSH1 + 1 if _PUSH1 <= opcode <= _PUSH32 else 0)
    return found
