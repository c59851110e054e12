"""Past blocks of a real anvil with real attacks in them."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Iterator
from pathlib import Path

import pytest
from typer.testing import CliRunner

from fixtures.record import recorder
from fixtures.rpc import Rpc
from fixtures.scenes import staged
from fixtures.scenes.stage import Act, Label
from gateway.cli import cli
from gateway.errors import ConfigurationError
from gateway.evaluate.backtest import BlockReport, Journal, block_range
from gateway.evaluate.past import PacedReader
from tests.anvil import needs_anvil

SCENES = ("missing-authority", "slices")


@pytest.fixture(scope="module")
def past() -> Iterator[tuple[Rpc, set[str], int]]:
    """A chain on which two scenes were played, the hashes of the exploits' transactions, and its newest block."""
    with recorder() as rpc:
        exploits: set[str] = set()
        for item in staged(*SCENES).program:
            if isinstance(item, Act):
                for step in item.steps:
                    rpc.perform(step)
                if item.label is Label.EXPLOIT:
                    exploits |= {signed.hash for signed in item.transactions}
            else:
                rpc.perform(item)
        yield rpc, exploits, int(rpc("eth_blockNumber"), 16)


def run(rpc: Rpc, folder: Path, *arguments: str) -> dict[str, object]:
    """The JSON object that the command prints last."""
    done = CliRunner().invoke(
        cli,
        ["backtest", "--upstream", str(rpc._client.base_url), "--json", *arguments],
        env={"STOPGATE_DATA_DIR": str(folder)},
        catch_exceptions=False,
    )
    assert done.exit_code == 0, done.output
    document = json.loads(done.stdout.strip().splitlines()[-1])
    assert isinstance(document, dict)
    return document


@needs_anvil
def test_the_attacks_of_past_blocks_are_found_and_honest_people_pass(
    past: tuple[Rpc, set[str], int], tmp_path: Path
) -> None:
    rpc, exploits, head = past
    found = run(rpc, tmp_path, "--from", "1")
    assert (found["blocks"], found["to"]) == (head, head)
    assert found["unfaithful"] == [], "every run came out as its receipt says"
    assert found["incomplete"] == 0
    held = {row["hash"]: row for row in found["held"]}  # type: ignore[attr-defined]
    assert held.keys() <= exploits
    clauses = {detector for row in held.values() for detector in row["detectors"]}
    assert {"unauthorised-outflow", "sliced-drain"} <= clauses


@needs_anvil
def test_a_run_that_was_cut_off_goes_on_where_it_was(past: tuple[Rpc, set[str], int], tmp_path: Path) -> None:
    rpc, _, head = past
    journal = tmp_path / "journal.jsonl"
    whole = run(rpc, tmp_path, "--last", "5", "--journal", str(journal))
    lines = journal.read_text().splitlines()
    assert len(lines) == 6
    journal.write_text("\n".join(lines[:4]) + "\n" + lines[4][:20])  # cut in the middle of a line
    again = run(rpc, tmp_path, "--last", "5", "--journal", str(journal))
    assert len(journal.read_text().splitlines()) == 6
    assert {**again, "seconds": 0} == {**whole, "seconds": 0}
    assert whole["from"] == head - 4


def test_a_journal_of_another_rule_set_is_refused(tmp_path: Path) -> None:
    file = tmp_path / "j.jsonl"
    Journal(file, "rules-1", 1).write(BlockReport(7, "0x07", 1, 0))
    assert list(Journal(file, "rules-1", 1).done) == [7]
    with pytest.raises(ConfigurationError, match="no journal of rule set rules-2"):
        Journal(file, "rules-2", 1)
    file.write_text("not one")
    with pytest.raises(ConfigurationError, match="no journal"):
        Journal(file, "rules-1", 1)


@pytest.mark.parametrize(
    ("wanted", "reached"),
    [
        ((None, None, 10), (91, 100)),
        ((5, 9, None), (5, 9)),
        ((5, None, None), (5, 100)),
        ((None, None, 1000), (1, 100)),
    ],
)
def test_a_range_is_named_by_its_ends_or_its_length(
    wanted: tuple[int | None, int | None, int | None], reached: tuple[int, int]
) -> None:
    assert block_range(100, *wanted) == reached


@pytest.mark.parametrize("wanted", [(None, None, None), (5, None, 3), (5, 101, None), (9, 5, None)])
def test_an_impossible_range_is_refused(wanted: tuple[int | None, int | None, int | None]) -> None:
    with pytest.raises(ConfigurationError):
        block_range(100, *wanted)


def test_a_chain_without_blocks_is_named() -> None:
    with pytest.raises(ConfigurationError, match="no block after its genesis"):
        block_range(0, None, None, 10)


async def test_a_public_node_is_asked_no_faster_than_it_allows() -> None:
    class Node:
        async def call(self, method: str, params: object = (), *, within: float | None = None) -> object:
            return "0x1"

        async def batch(self, calls: object, *, within: float | None = None) -> list[object]:
            return []

    reader = PacedReader(Node(), 100)
    started = asyncio.get_running_loop().time()
    await reader.batch([("eth_chainId", ())] * 10)
    await reader.call("eth_chainId")
    await reader.call("eth_chainId")
    assert asyncio.get_running_loop().time() - started >= 0.1
    assert reader.calls == 12
