from __future__ import annotations

from datetime import timedelta

import pytest

from dashboard.render.quantity import Asset, amount_text, asset_of, decimal_text, loss_text, span_text
from gateway.model.case import TokenInfo
from gateway.model.facts import TokenStandard
from gateway.model.primitive import ZERO_ADDRESS, Address

TOKEN = Address(b"\x01" * 20)


@pytest.mark.parametrize(
    ("amount", "decimals", "text"),
    [
        (0, 18, "0"),
        (1, 18, "< 0.000001"),
        (10**18, 18, "1"),
        (1_234_567_890, 6, "1,234.56789"),
        (1_999_999_999_999_999_999, 18, "1.999999"),
        (5, 0, "5"),
    ],
)
def test_numbers_are_cut_and_never_rounded_up(amount: int, decimals: int, text: str) -> None:
    assert decimal_text(amount, decimals) == text


def test_amounts_of_tokens_that_say_nonsense_are_in_units() -> None:
    for tokens in ({}, {TOKEN: TokenInfo("BIG", 10_000)}, {TOKEN: TokenInfo("NEG", -1)}):
        asset = asset_of(TOKEN, TokenStandard.ERC20, tokens, "ETH")
        assert amount_text(-7, asset) == "−7 units of 0x010101…0101"


def test_huge_amounts_stay_short() -> None:
    assert len(amount_text(2**256 - 1, Asset("X", 0, True))) < 40


def test_the_chains_own_coin_has_its_symbol() -> None:
    asset = asset_of(ZERO_ADDRESS, TokenStandard.NATIVE, {}, "MATIC")
    assert amount_text(15 * 10**17, asset) == "1.5 MATIC"


def test_losses_and_spans_read_like_speech() -> None:
    assert loss_text(None, "USD") == "not estimated"
    assert loss_text(1_250_000.0, "USD") == "1.25 M USD"
    assert span_text(timedelta(hours=3, minutes=12, seconds=5)) == "3 h 12 min"
    assert span_text(timedelta(days=2, hours=1)) == "2 d 1 h"
