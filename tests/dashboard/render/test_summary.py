from __future__ import annotations

from dashboard.render.summary import Evidence, evidence_lines, mentioned_tokens, readable
from gateway.model.primitive import ZERO_ADDRESS
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


def test_tokens_are_asked_for_that_a_sentence_waits_for() -> None:
    told = [f"{LENDER} lost 7 units of {USDC}.", f"5 units of {WETH} and 5 units of the chain's own coin", ""]
    assert mentioned_tokens(told) == {USDC, WETH}


def test_evidence_is_told_in_the_tokens_unit_and_addresses_are_links() -> None:
    evidence = {"asset": str(USDC), "amount": "4933729145", "factor": "25.54", "gas": "1284551", "reader": str(LENDER)}
    assert evidence_lines(evidence, "ETH", TOKENS) == (
        Evidence("asset", str(USDC), USDC),
        Evidence("amount", "4,933.729145 USDC"),
        Evidence("factor", "25.54"),
        Evidence("gas", "1,284,551"),
        Evidence("reader", str(LENDER), LENDER),
    )
    coin = {"token": str(ZERO_ADDRESS), "amount": "25000000000000000000"}
    assert evidence_lines(coin, "ETH", {}) == (Evidence("token", "ETH"), Evidence("amount", "25 ETH"))


def test_evidence_that_is_not_understood_stays_as_it_was_written() -> None:
    hostile = {"amount": "9" * 100_000, "asset": "0x" + "g" * 40, "text": "<b>5</b>", "slot": "0x360894"}
    assert evidence_lines(hostile, "ETH", TOKENS) == tuple(Evidence(name, value) for name, value in hostile.items())
    unknown = {"asset": str(WETH), "amount": "٣" * 6}
    assert evidence_lines(unknown, "ETH", {})[1] == Evidence("amount", "٣" * 6)
