"""Verdicts do not hang on marks of the corpus: its senders may bear any name.

A case is run as recorded, and again with every sender under another address, in state, call data and codes, so that
the hashes of the attack contracts that name it change too. The same transactions must be held. Contracts keep their
addresses, for mapping entries keyed by them cannot be moved.
"""

from __future__ import annotations

import asyncio
import dataclasses
from pathlib import Path

import pytest

import gateway
from gateway.decoding.keccak import keccak256
from gateway.evaluate.case import Case, Move, find_cases, read_case
from gateway.evaluate.command import make_simulator
from gateway.evaluate.run import CaseResult, run_case
from gateway.inspection.registry import load
from gateway.model.primitive import Address, Hash32
from gateway.model.state import StateBatch

CORPUS = Path(gateway.__file__).resolve().parents[1] / ".." / "shared" / "corpus"
SAMPLE = 15
EVERY = 9
"""every ninth case, so that years and kinds mix"""
LARGEST = 300_000
"""bytes of a case file; larger ones take too long here"""


def rename(case: Case) -> Case:
    """The case with other senders."""
    names = {
        address: Address(keccak256(b"another " + address)[12:])
        for address in sorted({move.transaction.sender for move in case.moves})
    }
    moves = tuple(_move(move, names) for move in case.moves)
    return dataclasses.replace(case, prestate=_state(case.prestate, names), moves=moves)


def _bytes(data: bytes, names: dict[Address, Address]) -> bytes:
    for address, other in names.items():
        data = data.replace(bytes(address), bytes(other))
    return data


def _move(move: Move, names: dict[Address, Address]) -> Move:
    sent = move.transaction
    transaction = dataclasses.replace(
        sent,
        sender=names[sent.sender],
        to=names.get(sent.to, sent.to) if sent.to is not None else None,
        input=_bytes(sent.input, names),
    )
    return dataclasses.replace(move, patch=_state(move.patch, names), transaction=transaction)


def _state(batch: StateBatch, names: dict[Address, Address]) -> StateBatch:
    accounts = {}
    for address, state in batch.accounts.items():
        code = _bytes(state.code, names)
        hash_ = Hash32(keccak256(code)) if code != state.code else state.code_hash
        accounts[names.get(address, address)] = dataclasses.replace(state, code=code, code_hash=hash_)
    slots = {
        (names.get(address, address), slot): int.from_bytes(_bytes(value.to_bytes(32, "big"), names), "big")
        for (address, slot), value in batch.slots.items()
    }
    return StateBatch(accounts, slots, batch.block_hashes)


def _held(result: CaseResult) -> list[bool]:
    return [judged.held for judged in result.judged]


async def _both(case: Case) -> tuple[CaseResult, CaseResult]:
    simulator = make_simulator("auto")
    try:
        rules = load()
        return await run_case(simulator, rules, case), await run_case(simulator, rules, rename(case))
    finally:
        await simulator.close()


def sample() -> list[Path]:
    """A fixed sample of cases; empty where the corpus is absent."""
    if not CORPUS.is_dir():
        return []
    small = [path for path in find_cases([CORPUS]) if path.stat().st_size <= LARGEST]
    return small[::EVERY][:SAMPLE]


CASES = sample()


@pytest.mark.corpus
@pytest.mark.skipif(not CASES, reason="no corpus beside the project at ../shared/corpus")
def test_the_sample_is_worth_something() -> None:
    assert len(CASES) == SAMPLE


@pytest.mark.corpus
@pytest.mark.parametrize("path", CASES, ids=lambda path: path.name.split(".")[0])
def test_names_and_code_hashes_carry_no_verdict(path: Path) -> None:
    recorded, renamed = asyncio.run(_both(read_case(path)))
    assert _held(renamed) == _held(recorded)
