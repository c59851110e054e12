"""Real mainnet blocks as values: pre-state, transactions in order, and their receipts."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import rlp
import zstandard

from gateway.decoding.keccak import keccak256
from gateway.errors import ConfigurationError
from gateway.evaluate.dataset import SHARED, address, octets, quantity, read_document, word
from gateway.model.block import BlockContext, Fork
from gateway.model.primitive import EMPTY_CODE_HASH, Address, Hash32
from gateway.model.state import AccountState, StateBatch
from gateway.model.transaction import AccessListEntry, RawTransaction, Transaction, TransactionType

BENIGN = SHARED / "benign"
CODE_FILES = ("codes.json.zst", "codes.json")
"""code hash -> code, shared by the blocks of a set"""

_BLOB_UPDATE_FRACTION = 3_338_477
"""EIP-4844, Cancun; the set ends before Prague changed it"""


@dataclass(frozen=True, slots=True)
class BlockRow:
    """One line of the index."""

    number: int
    date: str
    fork: Fork
    path: Path
    transactions: int
    gas_used: int


@dataclass(frozen=True, slots=True)
class Receipt:
    """What happened on chain."""

    status: int
    """1 or 0"""
    gas_used: int
    n_logs: int
    logs_hash: Hash32
    """keccak256(rlp([[address, topics, data], ...]))"""
    failure: str | None
    """"revert" or "exceptional" """
    created: Address | None


@dataclass(frozen=True, slots=True)
class RecordedTransaction:
    """One signed transaction of a block."""

    index: int
    kind: str
    """create, call or transfer"""
    transaction: Transaction
    receipt: Receipt
    honest: bool
    """False for the few that the data set itself does not count as honest"""


@dataclass(frozen=True, slots=True)
class RecordedBlock:
    """One block. State before transaction k: load the pre-state and execute 0 to k-1 in order."""

    context: BlockContext
    prestate: StateBatch
    transactions: tuple[RecordedTransaction, ...]
    receipts_root: Hash32
    receipts_verified: bool
    """False before Byzantium: the receipts of that time held state roots, only the gas total is known to be right"""
    gas_used: int


class BenignSet:
    """The set at `root`. Codes are shared by the blocks and read once, with the first block."""

    def __init__(self, root: Path = BENIGN) -> None:
        """Read the index; without one, every block file in `root` or in `root/blocks` belongs to the set.

        Raises:
            ConfigurationError: there is neither.
        """
        self._root = root
        self._codes: dict[str, bytes] | None = None
        self._dishonest: set[tuple[int, int]] = set()
        if not (root / "index.json").is_file():
            self.rows = tuple(unlisted_row(path) for path in _block_files(root))
            return
        document = json.loads((root / "index.json").read_text(encoding="utf-8"))
        self._dishonest = {
            (row["block"], index) for row in document.get("not_counted_as_honest", ()) for index in row["indices"]
        }
        self.rows = tuple(
            BlockRow(row["number"], row["date"], Fork(row["fork"]), root / row["file"], row["n_txs"], row["gas_used"])
            for row in document["blocks"]
        )

    def read(self, row: BlockRow) -> RecordedBlock:
        """One block with its state.

        Raises:
            ConfigurationError: the file is no recorded block; the message says what it lacks.
        """
        try:
            return self._read(row)
        except (KeyError, TypeError, ValueError, AttributeError, EOFError, zstandard.ZstdError) as error:
            raise ConfigurationError(
                f"{row.path} is no recorded block ({type(error).__name__}: {error}); it needs env, header, prestate "
                "and txs as the data set's README says"
            ) from error

    def _read(self, row: BlockRow) -> RecordedBlock:
        document = read_document(row.path)
        if self._codes is None:
            self._codes = self._shared_codes()
        number = document["env"]["number"]
        return RecordedBlock(
            context=_context(document),
            prestate=_prestate(document["prestate"], self._codes),
            transactions=tuple(
                RecordedTransaction(
                    index=tx["index"],
                    kind=tx["kind"],
                    transaction=_transaction(tx),
                    receipt=_receipt(tx["expected"]),
                    honest=(number, tx["index"]) not in self._dishonest,
                )
                for tx in document["txs"]
            ),
            receipts_root=word(document["header"]["receiptsRoot"]),
            receipts_verified=document["verified_by"] == "receipts_root",
            gas_used=quantity(document["header"]["gasUsed"]),
        )

    def _shared_codes(self) -> dict[str, bytes]:
        """The codes that blocks name by hash; a block file may hold its codes itself instead."""
        for folder in (self._root, self._root.parent):
            for name in CODE_FILES:
                if (folder / name).is_file():
                    return {key: octets(code) for key, code in read_document(folder / name).items()}
        return {}

    def __iter__(self) -> Iterator[RecordedBlock]:
        return (self.read(row) for row in self.rows)


def unlisted_row(path: Path) -> BlockRow:
    """The row of a block file that no index lists; what only the index says is zero."""
    return BlockRow(0, "", Fork.CANCUN, path, 0, 0)


def _block_files(root: Path) -> tuple[Path, ...]:
    folder = root / "blocks" if (root / "blocks").is_dir() else root
    found = tuple(
        path
        for pattern in ("*.json.zst", "*.json")
        for path in sorted(folder.glob(pattern))
        if path.name not in CODE_FILES
    )
    if not found:
        raise ConfigurationError(f"{root} holds no recorded blocks: neither index.json nor block files (*.json[.zst])")
    return found


def _context(document: Mapping[str, Any]) -> BlockContext:
    env = document["env"]
    return BlockContext(
        number=env["number"],
        timestamp=env["timestamp"],
        coinbase=address(env["coinbase"]),
        gas_limit=env["gas_limit"],
        base_fee=quantity(env["base_fee"] or 0),
        prev_randao=word(env["prev_randao"] or env["difficulty"]),
        chain_id=document["chain_id"],
        fork=Fork(document["fork"]),
        blob_base_fee=blob_base_fee(env["excess_blob_gas"] or 0),
        block_hashes={int(number): Hash32(octets(value)) for number, value in env["block_hashes"].items()},
    )


def blob_base_fee(excess_blob_gas: int) -> int:
    """Wei per blob gas: `fake_exponential` of EIP-4844 with Cancun's fraction."""
    output, accumulator, step = 0, _BLOB_UPDATE_FRACTION, 1
    while accumulator > 0:
        output += accumulator
        accumulator = accumulator * excess_blob_gas // (_BLOB_UPDATE_FRACTION * step)
        step += 1
    return output // _BLOB_UPDATE_FRACTION


def _prestate(document: Mapping[str, Any], codes: Mapping[str, bytes]) -> StateBatch:
    accounts: dict[Address, AccountState] = {}
    slots: dict[tuple[Address, int], int] = {}
    for key, row in document.items():
        account, code_hash = address(key), row.get("code_hash")
        code = octets(row["code"]) if "code" in row else b"" if code_hash is None else _code(codes, code_hash)
        accounts[account] = AccountState(
            nonce=row["nonce"],
            balance=quantity(row["balance"]),
            code=code,
            code_hash=keccak256(code) if code else EMPTY_CODE_HASH,
        )
        slots.update({(account, quantity(slot)): quantity(value) for slot, value in row["storage"].items()})
    return StateBatch(accounts=accounts, slots=slots)


def _code(codes: Mapping[str, bytes], code_hash: str) -> bytes:
    if code_hash not in codes:
        raise ValueError(f"no code for {code_hash}: put {CODE_FILES[0]} beside the blocks, or the code into the block")
    return codes[code_hash]


def _receipt(document: Mapping[str, Any]) -> Receipt:
    created = document.get("created")
    return Receipt(
        status=document["status"],
        gas_used=document["gas_used"],
        n_logs=document["n_logs"],
        logs_hash=Hash32(octets(document["logs_hash"])),
        failure=document.get("failure"),
        created=None if created is None else address(created),
    )


def _transaction(row: Mapping[str, Any]) -> Transaction:
    raw = octets(row["raw"])
    kind = TransactionType(row["type"])
    price = row.get("gas_price")
    return Transaction(
        raw=RawTransaction(raw, Hash32(octets(row["hash"]))),
        type=kind,
        chain_id=_legacy_chain_id(raw) if kind is TransactionType.LEGACY else 1,
        sender=address(row["from"]),
        nonce=row["nonce"],
        to=None if row["to"] is None else address(row["to"]),
        value=quantity(row["value"]),
        input=octets(row["input"]),
        gas_limit=row["gas"],
        max_fee_per_gas=quantity(price or row["max_fee_per_gas"]),
        max_priority_fee_per_gas=quantity(price or row["max_priority_fee_per_gas"]),
        access_list=tuple(
            AccessListEntry(address(entry["address"]), tuple(map(quantity, entry["storage_keys"])))
            for entry in row.get("access_list") or ()
        ),
        max_fee_per_blob_gas=quantity(row.get("max_fee_per_blob_gas") or 0),
        blob_versioned_hashes=tuple(Hash32(octets(item)) for item in row.get("blob_versioned_hashes") or ()),
    )


def _legacy_chain_id(raw: bytes) -> int | None:
    v = int.from_bytes(rlp.decode(raw)[6], "big")
    return None if v in (27, 28) else (v - 35) // 2
