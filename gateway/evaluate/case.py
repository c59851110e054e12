"""Cases and honest blocks as the yardstick runs them; lenient about what a file leaves out."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from gateway.decoding.envelope import decode_transaction
from gateway.decoding.keccak import keccak256
from gateway.errors import ConfigurationError
from gateway.evaluate.dataset import address, octets, quantity, read_document, word
from gateway.model.block import BlockContext, Fork
from gateway.model.chain import ChainProfile
from gateway.model.primitive import EMPTY_CODE_HASH, Address
from gateway.model.profiles import profile_for
from gateway.model.state import AccountState, StateBatch
from gateway.model.transaction import Authorization, RawTransaction, Transaction, TransactionType

HONEST = "honest"


@dataclass(frozen=True, slots=True)
class Move:
    """One transaction of a case, with the block it runs in."""

    block: BlockContext
    patch: StateBatch
    transaction: Transaction


@dataclass(frozen=True, slots=True)
class Case:
    """Transactions in order on one complete state, and what they are known to be."""

    id: str
    date: str
    classes: tuple[str, ...]
    family: str
    honest: bool
    verified: bool
    prestate: StateBatch
    moves: tuple[Move, ...]
    attackers: frozenset[Address] = frozenset()
    """contracts and accounts that act for the attacker"""


def find_cases(paths: Sequence[Path]) -> tuple[Path, ...]:
    """Case files under `paths`: a corpus folder, a folder of cases, or single files, in order and once each.

    Raises:
        ConfigurationError: a path does not exist or holds no case.
    """
    found: dict[Path, None] = {}
    for path in paths:
        if not path.exists():
            raise ConfigurationError(f"{path} does not exist; name a case file or a folder of cases")
        files = [path] if path.is_file() else sorted(_case_files(path))
        if not files:
            raise ConfigurationError(f"{path} holds no case file (*.json or *.json.zst)")
        found.update(dict.fromkeys(files))
    return tuple(found)


def _case_files(folder: Path) -> Iterator[Path]:
    inner = next((folder / name for name in ("attacks", "cases") if (folder / name).is_dir()), folder)
    for pattern in ("*.json.zst", "*.json"):
        yield from (file for file in inner.glob(pattern) if file.name not in ("index.json", "codes.json.zst"))


def read_case(path: Path) -> Case:
    """One case file; `moves` is empty where it holds nothing that can be executed.

    Raises:
        ConfigurationError: the file is not such a case.
    """
    try:
        document = read_document(path) if path.suffix == ".zst" else json.loads(path.read_text(encoding="utf-8"))
        return _case(document, path.name.split(".json")[0])
    except (KeyError, TypeError, ValueError, AttributeError) as error:
        raise ConfigurationError(f"{path} is no case file: {type(error).__name__} {error}") from error


def _case(document: Mapping[str, Any], name: str) -> Case:
    executable = document.get("kind", "executable") == "executable" and "prestate" in document
    return Case(
        id=document.get("id", name),
        date=document.get("date") or "",
        classes=tuple(document.get("classes") or ()),
        family=document.get("family") or "",
        honest=document.get("label") == HONEST,
        verified=bool(document.get("verified", True)),
        prestate=_prestate(document["prestate"]) if executable else StateBatch(),
        moves=tuple(_moves(document)) if executable else (),
        attackers=frozenset(map(address, document.get("attacker_addresses") or ())),
    )


def _prestate(document: Mapping[str, Any]) -> StateBatch:
    accounts: dict[Address, AccountState] = {}
    slots: dict[tuple[Address, int], int] = {}
    for key, row in document.items():
        account, code = address(key), octets(row.get("code") or "0x")
        accounts[account] = AccountState(
            nonce=quantity(row.get("nonce") or 0),
            balance=quantity(row.get("balance") or 0),
            code=code,
            code_hash=keccak256(code) if code else EMPTY_CODE_HASH,
        )
        for slot, value in (row.get("storage") or {}).items():
            slots[account, quantity(slot)] = quantity(value)
    return StateBatch(accounts=accounts, slots=slots)


def _moves(document: Mapping[str, Any]) -> Iterator[Move]:
    fork = Fork(document.get("spec", "CANCUN").capitalize())
    for row in document["txs"]:
        block = {**document["block"], **(row.get("block") or {})}
        gas = quantity(row["gas"])
        context = BlockContext(
            number=quantity(block["number"]),
            timestamp=quantity(block["timestamp"]),
            coinbase=address(block.get("coinbase") or "0x" + "00" * 20),
            gas_limit=max(quantity(block.get("gas_limit") or 0), gas),
            base_fee=quantity(block.get("basefee") or 0),
            prev_randao=word(block.get("prevrandao")),
            chain_id=document.get("chain_id", 1),
            fork=fork,
        )
        patched = {
            (address(patch["address"]), quantity(patch["slot"])): quantity(patch["value"])
            for patch in row.get("state_patch") or ()
        }
        yield Move(context, StateBatch(slots=patched), _transaction(row, gas, context))


def _transaction(row: Mapping[str, Any], gas: int, block: BlockContext) -> Transaction:
    """The fields as the file gives them; without admission checks only the envelope of type 4 says more."""
    raw = octets(row.get("raw") or "0x")
    if raw[:1] == bytes([TransactionType.SET_CODE]):
        return decode_transaction(raw, profile_for(block.chain_id), replay=True)
    sender, data = address(row["from"]), octets(row.get("input") or "0x")
    permissions = _authorizations(raw, block)
    stand_in = raw or sender + (row.get("to") or "").encode() + data + gas.to_bytes(32, "big")
    return Transaction(
        raw=RawTransaction(raw, keccak256(stand_in)),
        type=TransactionType.SET_CODE if permissions else TransactionType.LEGACY,
        chain_id=block.chain_id,
        sender=sender,
        nonce=quantity(row.get("nonce") or 0),
        to=address(row["to"]) if row.get("to") else None,
        value=quantity(row.get("value") or 0),
        input=data,
        gas_limit=gas,
        max_fee_per_gas=block.base_fee,
        max_priority_fee_per_gas=0,
        authorization_list=permissions,
    )


def _authorizations(raw: bytes, block: BlockContext) -> tuple[Authorization, ...]:
    """What accounts signed to delegate to; only the signed bytes carry it."""
    if raw[:1] != bytes((TransactionType.SET_CODE,)):
        return ()
    profile = ChainProfile("recorded", block.chain_id, ((0, block.fork),))
    return decode_transaction(raw, profile, replay=True).authorization_list
