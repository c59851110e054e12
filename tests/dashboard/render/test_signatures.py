from __future__ import annotations

import pytest

from dashboard.render.signatures import events, functions, read_call, read_event


@pytest.mark.parametrize(
    ("selector", "name"),
    [
        ("a9059cbb", "transfer"), ("23b872dd", "transferFrom"), ("095ea7b3", "approve"), ("70a08231", "balanceOf"),
        ("022c0d9f", "swap"), ("0902f1ac", "getReserves"), ("3659cfe6", "upgradeTo"), ("f2fde38b", "transferOwnership"),
        ("d505accf", "permit"), ("5cffe9de", "flashLoan"), ("38ed1739", "swapExactTokensForTokens"),
        ("6a761202", "execTransaction"),
    ],
)  # fmt: skip
def test_published_selectors_are_read(selector: str, name: str) -> None:
    assert functions()[bytes.fromhex(selector)].name == name


def test_the_transfer_event_is_read() -> None:
    topic = bytes.fromhex("ddf252ad1be2c89b69c2b068fc378daa952ba7f163c4a11628f55a4df523b3ef")
    assert events()[topic].name == "Transfer"
    reading = read_event((topic, bytes(31) + b"\x01", bytes(31) + b"\x02"), (7).to_bytes(32))
    assert [text for _, text in reading.arguments] == ["0x" + "00" * 19 + "01", "0x" + "00" * 19 + "02", "7"]


@pytest.mark.parametrize("data", [b"", b"\xa9", bytes.fromhex("a9059cbb"), bytes.fromhex("a9059cbb") + bytes(63)])
def test_short_calldata_does_no_harm(data: bytes) -> None:
    assert read_call(data).arguments == ()


def test_an_unknown_selector_stays_four_bytes() -> None:
    reading = read_call(bytes.fromhex("12345678") + bytes(32))
    assert (reading.name, reading.known) == ("0x12345678", False)
