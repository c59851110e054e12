from __future__ import annotations

from dashboard.render.summary import readable
from tests.dashboard.scene import LABELS, LENDER, TOKENS, USDC, WETH


def test_amounts_and_addresses_are_put_in_words() -> None:
    text = f"{LENDER} lost 25000000000000000000 units of the chain's own coin and 1250000000 units of {USDC}."
    assert readable(text, "ETH", LABELS, TOKENS) == "Harbour Lending lost 25 ETH and 1,250 USDC."


def test_what_is_not_known_is_shortened_and_its_amount_stays() -> None:
    assert readable(f"{WETH} lost 7 units of {USDC}.", "ETH") == (
        f"{str(WETH)[:8]}…{str(WETH)[-4:]} lost 7 units of {str(USDC)[:8]}…{str(USDC)[-4:]}."
    )


def test_other_words_and_hostile_lengths_pass() -> None:
    assert readable("0x12 units of nothing, 5 units of time", "ETH") == "0x12 units of nothing, 5 units of time"
    assert len(readable("0x" + "a" * 100_000, "ETH")) == 100_002
