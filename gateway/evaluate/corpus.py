"""Recorded attacks as values: pre-state, transactions, and what they must do."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import rlp
from sha3 import keccak_256

from gateway.evaluate.dataset import SHARED, address, octets, quantity, read_document, word
from gateway.model.block import BlockContext, Fork
from gateway.model.primitive import EMPTY_CODE_HASH, Address, Hash32
from gateway.model.state import AccountState, StateBatch
from gateway.model.transaction import RawTransaction, Transaction, TransactionType

CORPUS = SHARED / "corpus"


@dataclass(frozen=True, slots=True)
class CaseRow:
    """One line of the index: enough to choose cases without opening them."""

    id: str
    path: Path
    date: str
    chain: str
    classes: tuple[str, ...]
    loss_usd: float | None
    executable: bool
    verified: bool
    transactions: int
    gas: int | None
    calls: int


@dataclass(frozen=True, slots=True)
class Step:
    """One transaction of a case with the block it runs in."""

    block: BlockContext
    """the gas limit is raised to that of the transaction where the recorded one is lower"""
    patch: StateBatch
    """slots to load before this transaction; empty for nearly all"""
    transaction: Transaction
    signed: bool
    """False: `raw.data` is empty and `raw.hash` stands for the fields; run it without admission checks"""
    succeeds: bool
    gas_used: int
    """as recorded; not exact for every case, see the data set's README"""


@dataclass(frozen=True, slots=True)
class RecordedDiff:
    """What must have changed on one account that is not the attacker's."""

    balance: tuple[int, int] | None
    storage: Mapping[int, tuple[int, int]]


@dataclass(frozen=True, slots=True)
class Loser:
    """A contract that ends with less of something."""

    address: Address
    lost: Mapping[str, int]
    """token address or "native" -> negative amount in its smallest unit"""
    also_received: bool


@dataclass(frozen=True, slots=True)
class AttackCase:
    """One recorded attack."""

    id: str
    name: str
    date: str
    chain: str
    chain_id: int
    classes: tuple[str, ...]
    loss_usd: float | None
    mechanism: str
    flash_loan: bool
    variant: str
    verified: bool
    note: str
    prestate: StateBatch
    steps: tuple[Step, ...]
    """empty for a case that has only a trace"""
    attackers: frozenset[Address]
    created: frozenset[Address]
    """contracts that the attack creates"""
    victims: frozenset[Address]
    losers: tuple[Loser, ...]
    gain: Mapping[str, int]
    """net flow of the attacker's addresses: token address or "native" -> amount"""
    state_diff: Mapping[Address, RecordedDiff]
    traces: tuple[Mapping[str, Any], ...]
    """trees like geth's callTracer, with logs, as recorded with the original attack code"""


def corpus_rows(root: Path = CORPUS) -> tuple[CaseRow, ...]:
    """The index of the corpus; FileNotFoundError if there is none at `root`."""
    document = json.loads((root / "index.json").read_text(encoding="utf-8"))
    return tuple(
        CaseRow(
            id=row["id"],
            path=root / row["file"],
            date=row["date"],
            chain=row["chain"],
            classes=tuple(row["classes"]),
            loss_usd=row.get("loss_usd"),
            executable=row["kind"] == "executable",
            verified=bool(row["verified"]),
            transactions=row.get("txs") or 0,
            gas=row.get("gas"),
            calls=row["n_calls"],
        )
        for row in document["cases"]
    )


def read_cases(rows: Sequence[CaseRow]) -> Iterator[AttackCase]:
    """The cases of these rows, one at a time."""
    return (read_case(row.path) for row in rows)


def read_case(path: Path) -> AttackCase:
    """One case file."""
    case = read_document(path)
    return AttackCase(
        id=case["id"],
        name=case["name"],
        date=case["date"],
        chain=case["chain"],
        chain_id=case["chain_id"],
        classes=tuple(case["classes"]),
        loss_usd=case["loss_usd"],
        mechanism=case["mechanism"],
        flash_loan=bool(case["flash_loan"]),
        variant=case.get("variant", ""),
        verified=bool(case["verified"]),
        note=case.get("note", ""),
        prestate=_prestate(case["prestate"]),
        steps=tuple(_steps(case)),
        attackers=frozenset(map(address, case["attacker_addresses"])),
        created=frozenset(map(address, case["created_in_attack"])),
        victims=frozenset(map(address, case["victims"])),
        losers=tuple(
            Loser(address(row["address"]), {k: int(v) for k, v in row["lost"].items()}, bool(row["also_received"]))
            for row in case["losers"]
        ),
        gain={token: int(amount) for token, amount in case["attacker_gain"].items()},
        state_diff={address(key): _recorded_diff(diff) for key, diff in case["state_diff"].items()},
        traces=tuple(case["traces"]),
    )


def _prestate(document: Mapping[str, Any]) -> StateBatch:
    accounts: dict[Address, AccountState] = {}
    slots: dict[tuple[Address, int], int] = {}
    for key, row in document.items():
        account, code = address(key), octets(row["code"])
        accounts[account] = AccountState(
            nonce=quantity(row["nonce"]),
            balance=quantity(row["balance"]),
            code=code,
            code_hash=Hash32(keccak_256(code).digest()) if code else EMPTY_CODE_HASH,
        )
        slots.update({(account, quantity(slot)): quantity(value) for slot, value in row["storage"].items()})
    return StateBatch(accounts=accounts, slots=slots)


def _recorded_diff(document: Mapping[str, Any]) -> RecordedDiff:
    balance = document.get("balance")
    return RecordedDiff(
        balance=None if balance is None else (quantity(balance[0]), quantity(balance[1])),
        storage={
            quantity(slot): (quantity(before), quantity(after))
            for slot, (before, after) in document.get("storage", {}).items()
        },
    )


def _steps(case: Mapping[str, Any]) -> Iterator[Step]:
    for row in case.get("txs", ()):
        gas = quantity(row["gas"])
        block = _block(row.get("block", case["block"]), case, gas)
        yield Step(
            block=block,
            patch=StateBatch(
                slots={
                    (address(patch["address"]), quantity(patch["slot"])): quantity(patch["value"])
                    for patch in row.get("state_patch", ())
                }
            ),
            transaction=_transaction(row, gas, block),
            signed="raw" in row,
            succeeds=row["expect_success"],
            gas_used=quantity(row["gas_used"]),
        )


def _block(row: Mapping[str, Any], case: Mapping[str, Any], gas: int) -> BlockContext:
    return BlockContext(
        number=quantity(row["number"]),
        timestamp=quantity(row["timestamp"]),
        coinbase=address(row["coinbase"]),
        gas_limit=max(quantity(row["gas_limit"]), gas),
        base_fee=quantity(row["basefee"]),
        prev_randao=word(row["prevrandao"]),
        chain_id=case["chain_id"],
        fork=Fork(case["spec"].capitalize()),
    )


def _transaction(row: Mapping[str, Any], gas: int, block: BlockContext) -> Transaction:
    sender, to, value, data = address(row["from"]), address(row["to"]), quantity(row["value"]), octets(row["input"])
    if "raw" in row:
        raw = octets(row["raw"])
        fields = rlp.decode(raw[1:])
        return Transaction(
            raw=RawTransaction(raw, Hash32(keccak_256(raw).digest())),
            type=TransactionType(raw[0]),
            chain_id=int.from_bytes(fields[0], "big"),
            sender=sender,
            nonce=row["nonce"],
            to=to,
            value=value,
            input=data,
            gas_limit=gas,
            max_fee_per_gas=int.from_bytes(fields[3], "big"),
            max_priority_fee_per_gas=int.from_bytes(fields[2], "big"),
        )
    nonce = row.get("nonce", 0)
    stand_in = rlp.encode([sender, nonce, to, value, data, gas, block.number])
    return Transaction(
        raw=RawTransaction(b"", Hash32(keccak_256(stand_in).digest())),
        type=TransactionType.LEGACY,
        chain_id=None,
        sender=sender,
        nonce=nonce,
        to=to,
        value=value,
        input=data,
        gas_limit=gas,
        max_fee_per_gas=block.base_fee,
        max_priority_fee_per_gas=block.base_fee,
    )
