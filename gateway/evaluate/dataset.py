"""Where the data sets lie and how their files are read."""

from __future__ import annotations

import io
import json
from pathlib import Path
from typing import Any

import zstandard

from gateway.model.primitive import Address, Hash32

SHARED = Path(__file__).resolve().parents[2].parent / "shared"
"""The data sets lie beside the project, never in it."""

_MAX_WINDOW = 1 << 27
"""bytes; the code file is packed with a window of 64 MiB"""


def read_document(path: Path) -> Any:
    """The JSON value in one `.json.zst` file, or in a plain `.json`.

    Raises:
        FileNotFoundError: there is no such file.
        ValueError: the file holds no JSON.
    """
    if path.suffix != ".zst":
        return json.loads(path.read_text(encoding="utf-8"))
    with (
        path.open("rb") as packed,
        zstandard.ZstdDecompressor(max_window_size=_MAX_WINDOW).stream_reader(packed) as raw,
    ):
        return json.load(io.TextIOWrapper(raw, encoding="utf-8"))


def quantity(value: str | int) -> int:
    """A number that is written as `0x` hex or as a JSON integer."""
    return value if isinstance(value, int) else int(value, 16)


def octets(text: str) -> bytes:
    """Bytes written as `0x` hex."""
    return bytes.fromhex(text[2:])


def address(text: str) -> Address:
    """An address written as `0x` hex."""
    return Address(octets(text))


def word(text: str | None) -> Hash32:
    """32 bytes from hex of any length; zero if absent."""
    return Hash32(quantity(text or "0x0").to_bytes(32, "big"))
