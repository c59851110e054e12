"""Verdicts do not hang on marks of the corpus: names, addresses, code, wrappers, the block, or who is paid at the end.

Recorded attacks and honest acts run again in every guise of `variation.py`. A guise that did the same must be judged
the same. `stopgate evaluate --vary` does this for every case; here a sample does.
"""

from __future__ import annotations

import asyncio
from pathlib import Path

import pytest

import gateway
from gateway.evaluate.benign import BenignSet
from gateway.evaluate.case import find_cases, read_case
from gateway.evaluate.command import make_simulator
from gateway.evaluate.variation import HONEST, STRIKES
from gateway.evaluate.vary import Comparison, vary_block, vary_case
from gateway.inspection.registry import load
from tests.detectors.acts import FOLDER

SHARED = Path(gateway.__file__).resolve().parents[1] / ".." / "shared"
SAMPLE = 15
EVERY = 9
"""every ninth case, so that years and kinds mix"""
LARGEST = 300_000
"""bytes of a case file; larger ones take too long here"""

OPEN = frozenset({"2022-04-Rari_exp"})
"""cases whose detector does not yet see through a wrapper"""


def compare(path: Path) -> tuple[Comparison, ...]:
    async def run() -> tuple[Comparison, ...]:
        simulator = make_simulator("auto")
        try:
            return await vary_case(simulator, load(), read_case(path))
        finally:
            await simulator.close()

    return asyncio.run(run())


def sample() -> list[Path]:
    """A fixed sample of cases; empty where the corpus is absent."""
    if not (SHARED / "corpus").is_dir():
        return []
    small = [path for path in find_cases([SHARED / "corpus"]) if path.stat().st_size <= LARGEST]
    return [path for path in small[::EVERY] if read_case(path).moves][:SAMPLE]


CASES = sample()


@pytest.mark.corpus
@pytest.mark.skipif(not CASES, reason="no corpus beside the project at ../shared/corpus")
def test_the_sample_is_worth_something() -> None:
    assert len(CASES) == SAMPLE


@pytest.mark.corpus
@pytest.mark.parametrize("path", CASES, ids=lambda path: path.name.split(".")[0])
def test_an_attack_in_another_guise_is_judged_the_same(path: Path) -> None:
    rows = compare(path)
    assert {row.variation for row in rows} == set(STRIKES)
    assert sum(not row.unfit for row in rows) >= 8
    lost = {row.variation for row in rows if row.changed and row.held_before}
    assert lost == set() or rows[0].act in OPEN


@pytest.mark.parametrize(
    "name",
    [
        "payments.swap",
        "missing-authority.large-own-withdrawal",
        "share-price.vault-harvest",
        "spot-oracle.flash-arbitrage",
        "rewards.claim",
        "airdrop.airdrop-of-hundreds",
        "takeover.multisig-payment",
    ],
)
def test_an_honest_act_in_another_guise_passes(name: str) -> None:
    rows = compare(FOLDER / f"{name}.json.zst")
    assert {row.variation for row in rows} == set(HONEST)
    assert sum(not row.unfit for row in rows) >= 2
    assert [row.variation for row in rows if row.held_after and not row.unfit] == []


@pytest.mark.corpus
@pytest.mark.skipif(not (SHARED / "benign").is_dir(), reason="no honest blocks beside the project at ../shared/benign")
def test_no_honest_call_of_a_block_is_held_in_any_guise() -> None:
    async def run() -> list[Comparison]:
        simulator, blocks = make_simulator("auto"), BenignSet(SHARED / "benign")
        row = min(
            (row for row in blocks.rows if row.number > 17_000_000 and row.transactions > 50),
            key=lambda row: row.transactions,
        )
        try:
            return await vary_block(simulator, load(), blocks.read(row), lambda: None)
        finally:
            await simulator.close()

    rows = asyncio.run(run())
    fit = [row for row in rows if not row.unfit]
    assert len(fit) > 100
    assert [row for row in fit if row.held_after] == []
