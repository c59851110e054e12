"""Signs as wallets do (EIP-191), for tests."""

from __future__ import annotations

from eth_account import Account
from eth_account.messages import encode_defunct


def personal_sign(key: str, text: str) -> str:
    """65 bytes, as a wallet's `personal_sign` answers."""
    signed = Account.from_key("0x" + key).sign_message(encode_defunct(text=text))
    return "0x" + bytes(signed.signature).hex()


def address_of(key: str) -> str:
    """The account of a key."""
    return str(Account.from_key("0x" + key).address)
