"""The list of signed transactions that the demonstration plays, with the truth about each."""

from __future__ import annotations

import json
from dataclasses import dataclass
from importlib import resources
from typing import Any

import zstandard

PLAYBILL = "playbill.json.zst"
"""beside this module; `make fixtures` writes it from the scenes"""


@dataclass(frozen=True, slots=True)
class Line:
    """One signed transaction."""

    note: str
    """who does what, for people"""
    raw: str
    """as `eth_sendRawTransaction` takes it"""
    hash: str


@dataclass(frozen=True, slots=True)
class Setup:
    """Sent straight to the chain: deployments and funding that the acts stand on."""

    line: Line


@dataclass(frozen=True, slots=True)
class Act:
    """Sent through the gateway."""

    name: str
    family: str
    story: str
    honest: bool
    lines: tuple[Line, ...]


def load() -> tuple[Setup | Act, ...]:
    """The programme in order; for a chain with id 31337 that funds the well-known development account."""
    packed = resources.files(__package__).joinpath(PLAYBILL).read_bytes()
    return tuple(_item(item) for item in json.loads(zstandard.ZstdDecompressor().decompress(packed)))


def _item(item: dict[str, Any]) -> Setup | Act:
    if "setup" in item:
        return Setup(Line(**item["setup"]))
    lines = tuple(Line(**line) for line in item["lines"])
    return Act(item["name"], item["family"], item["story"], item["honest"], lines)
