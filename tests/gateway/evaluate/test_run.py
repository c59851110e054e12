"""Recorded blocks are found wherever they lie, and what is none is refused by name."""

from __future__ import annotations

import json
import shutil
from pathlib import Path
from typing import Any

import pytest

from gateway.errors import ConfigurationError
from gateway.evaluate.benign import BENIGN, BenignSet
from gateway.evaluate.run import find_blocks


def block(number: int = 5) -> dict[str, Any]:
    """A block of one file: nothing happens, but one account has code."""
    env = dict.fromkeys(("base_fee", "prev_randao", "excess_blob_gas"))
    env |= {"number": number, "timestamp": 1, "coinbase": "0x" + "00" * 20, "gas_limit": 1, "difficulty": "0x1"}
    return {
        "chain_id": 1,
        "fork": "London",
        "verified_by": "receipts_root",
        "env": {**env, "block_hashes": {}},
        "header": {"receiptsRoot": "0x" + "01" * 32, "gasUsed": "0x0"},
        "prestate": {"0x" + "0a" * 20: {"nonce": 1, "balance": "0x0", "code": "0x6001", "storage": {}}},
        "txs": [],
    }


@pytest.fixture
def copied(tmp_path: Path) -> Path:
    """Block files without the set's index."""
    if not BENIGN.is_dir():
        pytest.skip(f"no benign blocks at {BENIGN}")
    rows = sorted((row for row in BenignSet().rows if row.transactions), key=lambda row: row.gas_used)[:2]
    for row in rows:
        shutil.copy(row.path, tmp_path)
    (tmp_path / "codes.json.zst").symlink_to(BENIGN / "codes.json.zst")
    return tmp_path


def test_a_folder_of_blocks_needs_no_index(copied: Path) -> None:
    found = list(find_blocks(copied))
    assert len(found) == 2
    assert all(recorded.transactions for recorded in found)


def test_one_block_file_finds_its_codes_beside_it(copied: Path) -> None:
    file = next(path for path in copied.iterdir() if path.name != "codes.json.zst")
    (found,) = find_blocks(file)
    assert str(found.context.number) == file.name.split(".")[0]


def test_a_block_may_hold_its_codes_and_be_plain_json(tmp_path: Path) -> None:
    (tmp_path / "5.json").write_text(json.dumps(block()))
    (found,) = find_blocks(tmp_path)
    (account,) = found.prestate.accounts.values()
    assert account.code == b"\x60\x01"


@pytest.mark.parametrize(
    ("content", "says"),
    [("{}", "KeyError: 'env'"), ("[]", "no recorded block"), ("not json", "no recorded block")],
)
def test_a_file_that_is_no_block_is_named(content: str, says: str, tmp_path: Path) -> None:
    (tmp_path / "bad.json").write_text(content)
    with pytest.raises(ConfigurationError, match=says) as told:
        list(find_blocks(tmp_path))
    assert "bad.json" in str(told.value)


def test_a_code_that_is_nowhere_is_named(tmp_path: Path) -> None:
    document = block()
    document["prestate"] = {
        "0x" + "0a" * 20: {"nonce": 1, "balance": "0x0", "code_hash": "0x" + "0b" * 32, "storage": {}}
    }
    (tmp_path / "5.json").write_text(json.dumps(document))
    with pytest.raises(ConfigurationError, match=r"no code for 0x0b0b.*codes.json.zst"):
        list(find_blocks(tmp_path))


@pytest.mark.parametrize("name", ["", "nowhere"])
def test_where_there_are_no_blocks_it_says_so(name: str, tmp_path: Path) -> None:
    with pytest.raises(ConfigurationError, match=r"holds no recorded blocks|does not exist"):
        list(find_blocks(tmp_path / name))
