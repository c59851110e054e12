"""A transaction from received bytes to decoded fields, and the submission that brought it."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from enum import IntEnum
from ipaddress import ip_network

from gateway.model.primitive import Address, Hash32


class TransactionType(IntEnum):
    """EIP-2718 envelope types that a user can sign on Ethereum."""

    LEGACY = 0
    ACCESS_LIST = 1
    """EIP-2930"""
    DYNAMIC_FEE = 2
    """EIP-1559"""
    BLOB = 3
    """EIP-4844; decoded for replay of mainnet blocks, refused at the public RPC"""
    SET_CODE = 4
    """EIP-7702"""


@dataclass(frozen=True, slots=True)
class RawTransaction:
    """The bytes as received; what is forwarded is exactly `data`."""

    data: bytes
    hash: Hash32
    """keccak256(data)"""


@dataclass(frozen=True, slots=True)
class AccessListEntry:
    """One address of an EIP-2930 access list with its storage slots."""

    address: Address
    slots: tuple[int, ...]


@dataclass(frozen=True, slots=True)
class Authorization:
    """One EIP-7702 authorization tuple."""

    chain_id: int
    """0 means every chain"""
    address: Address
    """the delegate whose code the authority will run; zero clears the delegation"""
    nonce: int
    y_parity: int
    r: int
    s: int
    authority: Address | None
    """the recovered signer; None where the signature is not valid (the tuple is then skipped by the chain)"""


@dataclass(frozen=True, slots=True)
class Transaction:
    """A decoded transaction with its sender, recovered once."""

    raw: RawTransaction
    type: TransactionType
    chain_id: int | None
    """None for a legacy transaction signed without EIP-155"""
    sender: Address
    nonce: int
    to: Address | None
    """None creates a contract"""
    value: int
    """wei"""
    input: bytes
    gas_limit: int
    max_fee_per_gas: int
    """wei; the gas price for types 0 and 1"""
    max_priority_fee_per_gas: int
    """wei; the gas price for types 0 and 1"""
    access_list: tuple[AccessListEntry, ...] = ()
    authorization_list: tuple[Authorization, ...] = ()
    max_fee_per_blob_gas: int = 0
    blob_versioned_hashes: tuple[Hash32, ...] = ()

    @property
    def hash(self) -> Hash32:
        """keccak256 of the signed bytes."""
        return self.raw.hash

    @property
    def selector(self) -> bytes:
        """The first four bytes of the input, or fewer if the input is shorter."""
        return self.input[:4]


@dataclass(frozen=True, slots=True)
class Client:
    """Who submitted, as far as the edge knows."""

    address: str
    """IP address as text; empty if unknown"""
    key: str = ""
    """API key id, never the key itself"""

    @property
    def owner(self) -> str:
        """Who shares limits with whom: the key, else the address; of IPv6 the network of a customer, 64 bits."""
        if self.key:
            return f"key {self.key}"
        if ":" in self.address:
            try:
                return str(ip_network(f"{self.address}/64", strict=False))
            except ValueError:
                return self.address
        return self.address


@dataclass(frozen=True, slots=True)
class Submission:
    """What one RPC item asked to be sent: one transaction, or a bundle in order."""

    method: str
    transactions: tuple[RawTransaction, ...]
    client: Client
    received_at: datetime
    """timezone-aware, UTC"""
