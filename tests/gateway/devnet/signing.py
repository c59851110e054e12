"""Signed transactions of the first development account."""

from __future__ import annotations

from typing import Any

from eth_account import Account

KEY = "0xac0974bec39a17e36ba4a6b4d238ff944bacb478cbed5efcae784d7bf4f2ff80"
SENDER = "0xf39Fd6e51aad88F6F4ce6aB8827279cffFb92266"
OTHER = "0x70997970C51812dc3A010C7d01b50e0d17dc79C8"
RETURN_42 = "0x602a60005260206000f3"
REVERT_WITH_1 = "0x600160005260206000fd"
LOG_7 = "0x600760205fa1"


def signed(nonce: int = 0, **fields: Any) -> bytes:
    """One transaction of type 2; `fields` replace its own."""
    transaction = {
        "type": 2,
        "chainId": 31337,
        "nonce": nonce,
        "to": OTHER,
        "value": 1,
        "gas": 21_000,
        "maxFeePerGas": 5 * 10**9,
        "maxPriorityFeePerGas": 10**9,
        **fields,
    }
    kept = {key: value for key, value in transaction.items() if value is not None}
    return bytes(Account.sign_transaction(kept, KEY).raw_transaction)


def creation(runtime: str) -> bytes:
    """Code that deploys up to 32 bytes of runtime code."""
    code = bytes.fromhex(runtime[2:])
    return b"\x7f" + code.ljust(32, b"\0") + bytes.fromhex("600052") + b"\x60" + bytes([len(code)]) + b"\x60\x00\xf3"
