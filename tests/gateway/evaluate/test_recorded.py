"""A recording is judged by what it shows; what was not recorded is not made up."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from gateway.decoding.keccak import keccak256
from gateway.evaluate.case import read_case
from gateway.evaluate.recorded import judge_recording
from gateway.inspection.registry import load
from gateway.inspection.trace.facts import TRANSFER
from gateway.model.primitive import Address

THIEF, TOOL, VAULT, TOKEN = (Address(bytes([number]) * 20) for number in (0xA1, 0xA2, 0xB1, 0xC1))
STOCK = 10**20


def padded(number: int) -> str:
    return "0x" + number.to_bytes(32, "big").hex()


def entry(holder: Address, mapping: int) -> str:
    return "0x" + keccak256(bytes(12) + holder + mapping.to_bytes(32, "big")).hex()


def call(from_: Address, to: Address, calls: list[Any] | None = None, logs: list[Any] | None = None) -> dict[str, Any]:
    fields = {"type": "CALL", "from": str(from_), "to": str(to), "gas": "0x1000", "gasUsed": "0x100", "input": "0x01"}
    return {**fields, "value": "0x0", "calls": calls or [], "logs": logs or []}


def document(owner: Address, calls: bool = True) -> dict[str, Any]:
    """The vault pays all its tokens to the tool; it keeps the address of `owner`."""
    log = {
        "address": str(TOKEN),
        "topics": ["0x" + TRANSFER.hex(), padded(int.from_bytes(VAULT)), padded(int.from_bytes(TOOL))],
        "data": padded(STOCK),
    }
    tree = call(THIEF, TOOL, [call(TOOL, VAULT, [call(VAULT, TOKEN, [], [log])])] if calls else [])
    return {
        "id": "made",
        "date": "2020-01-01",
        "kind": "trace-only",
        "chain_id": 1,
        "spec": "CANCUN",
        "block": dict.fromkeys(("number", "timestamp", "gas_limit", "basefee"), "0x1")
        | {"coinbase": str(THIEF), "prevrandao": padded(0)},
        "prestate": {
            str(VAULT): {"code": "0x60", "storage": {"0x0": padded(int.from_bytes(owner))}},
            str(TOKEN): {"code": "0x61", "storage": {entry(VAULT, 3): hex(STOCK)}},
            str(TOOL): {"code": "0x62", "storage": {}},
        },
        "state_diff": {
            str(TOKEN): {"storage": {entry(VAULT, 3): [hex(STOCK), "0x0"], entry(TOOL, 3): ["0x0", hex(STOCK)]}}
        },
        "traces": [tree],
    }


@pytest.mark.parametrize(("owner", "held"), [(VAULT, True), (TOOL, False)])
def test_consent_and_stock_are_found_in_the_state_before(tmp_path: Path, owner: Address, held: bool) -> None:
    path = tmp_path / "made.json"
    path.write_text(json.dumps(document(owner)), encoding="utf-8")
    result = judge_recording(path, read_case(path), load())
    assert result is not None
    assert result.held is held
    assert ("unauthorised-outflow" in result.detectors) is held


def test_a_recording_of_nothing_is_not_judged(tmp_path: Path) -> None:
    path = tmp_path / "made.json"
    path.write_text(json.dumps(document(VAULT, calls=False)), encoding="utf-8")
    assert judge_recording(path, read_case(path), load()) is None
