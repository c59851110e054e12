"""What happened, counted once per transaction and small: detectors start here, not from raw frames."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum

from gateway.model.primitive import Address


class TokenStandard(StrEnum):
    """Which interface a movement spoke."""

    NATIVE = "native"
    ERC20 = "erc20"
    ERC721 = "erc721"
    ERC1155 = "erc1155"


@dataclass(frozen=True, slots=True)
class Transfer:
    """One movement of an asset that stood at the end of the transaction."""

    sequence: int
    frame: int
    standard: TokenStandard
    token: Address
    """zero address for the chain's own coin"""
    from_: Address
    to: Address
    amount: int
    """smallest unit; 1 for an ERC-721 token"""
    token_id: int | None = None


@dataclass(frozen=True, slots=True)
class Approval:
    """One allowance that was set; `amount` is None for an approval of all tokens (ERC-721/1155)."""

    sequence: int
    frame: int
    token: Address
    owner: Address
    spender: Address
    amount: int | None


@dataclass(frozen=True, slots=True)
class Facts:
    """Derived facts of one transaction."""

    transfers: tuple[Transfer, ...] = ()
    approvals: tuple[Approval, ...] = ()
