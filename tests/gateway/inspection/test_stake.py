from __future__ import annotations

from collections.abc import Sequence

import pytest

from gateway.evaluate import run as yardstick
from gateway.evaluate.case import read_case
from gateway.evaluate.command import make_simulator
from gateway.evaluate.corpus import CORPUS, corpus_rows
from gateway.inspection.registry import load
from gateway.inspection.stake import estimate
from gateway.inspection.subject import Inspection
from gateway.model.case import LossBasis, LossEstimate
from gateway.model.finding import Finding
from gateway.model.price import COIN_UNIT, PriceBook
from gateway.model.primitive import Address
from tests.cases import finding
from tests.makers import ENTRY, SENDER, Tape, account, word

TOKEN, OTHER, VAULT, PAIR, DOLLAR = (account(number) for number in range(10, 15))
FOUND = (finding(victim=VAULT),)
ETHER = COIN_UNIT
SYNC = bytes.fromhex("1c411e9a96e071241c2f21f7726b17ae89e3cab4c78be50e062b03a9fffbbad1")


def coin_paid(amount: int) -> Tape:
    tape = Tape()
    with tape.call(ENTRY), tape.call(VAULT), tape.call(ENTRY, value=amount):
        pass
    return tape


def tokens_paid(*tokens: Address) -> Tape:
    tape = Tape()
    with tape.call(ENTRY), tape.call(VAULT):
        for token in tokens:
            with tape.call(token):
                tape.move(token, VAULT, ENTRY, 900, had=1000)
    return tape


def test_coin_is_counted_in_coin_and_in_the_operators_currency() -> None:
    subject = coin_paid(5 * ETHER).subject()
    assert estimate(subject, FOUND) == LossEstimate(5.0, "", LossBasis.COIN)
    assert estimate(subject, FOUND, PriceBook("USD", 3000.0)) == LossEstimate(15_000.0, "USD", LossBasis.COIN)
    assert estimate(subject, FOUND, PriceBook("USD", None)) is None


def test_nothing_found_or_nothing_priced_is_no_estimate() -> None:
    assert estimate(coin_paid(5 * ETHER).subject(), ()) is None
    assert estimate(tokens_paid(TOKEN).subject(), FOUND) is None
    assert estimate(coin_paid(0).subject(), FOUND) is None


def test_a_token_with_a_written_price_counts_and_one_without_is_named() -> None:
    book = PriceBook("USD", None, {TOKEN: 0.01})
    assert estimate(tokens_paid(TOKEN).subject(), FOUND, book) == LossEstimate(9.0, "USD", LossBasis.SETTINGS)
    assert estimate(tokens_paid(TOKEN, OTHER).subject(), FOUND, book) == LossEstimate(
        9.0, "USD", LossBasis.SETTINGS, unpriced=1
    )


def test_the_wrapped_coin_is_coin() -> None:
    subject = tokens_paid(TOKEN).subject()
    told = estimate(subject, FOUND, PriceBook(wrapped=frozenset({TOKEN})))
    assert told == LossEstimate(900 / COIN_UNIT, "", LossBasis.COIN)


def pool_priced(lost: int) -> Inspection:
    """A pair with 1,000 DOLLAR and 10 TOKEN is traded; then the vault loses TOKEN."""
    tape = Tape()
    with tape.call(ENTRY):
        with tape.call(PAIR):
            with tape.call(DOLLAR):
                tape.move(DOLLAR, ENTRY, PAIR, 10, had=10, has=1000)
            with tape.call(TOKEN):
                tape.move(TOKEN, PAIR, ENTRY, 0 + 1, had=10)
            tape.log(PAIR, (SYNC,), word(1010) + word(9))
        with tape.call(VAULT), tape.call(TOKEN):
            tape.move(TOKEN, VAULT, ENTRY, lost, had=lost)
    return tape.subject()


def test_other_tokens_are_worth_what_the_pools_paid_before_and_no_more_than_they_hold() -> None:
    book = PriceBook("USD", None, {DOLLAR: 1.0})
    assert estimate(pool_priced(3), FOUND, book) == LossEstimate(
        pytest.approx(390.0, rel=0.03), "USD", LossBasis.POOLS
    )  # 4 gained at 100, less the 10 given
    most = estimate(pool_priced(10**30), FOUND, book)
    assert most is not None
    assert most.amount <= 1000.0


def test_what_was_given_without_a_price_makes_the_gain_no_bound() -> None:
    tape = Tape()
    with tape.call(ENTRY), tape.call(VAULT):
        with tape.call(OTHER):
            tape.move(OTHER, SENDER, VAULT, 500, had=500)
        with tape.call(ENTRY, value=ETHER):
            pass
    told = estimate(tape.subject(), ())
    assert told is None


def ranks(values: Sequence[float]) -> list[int]:
    order = sorted(range(len(values)), key=values.__getitem__)
    found = [0] * len(values)
    for rank, position in enumerate(order):
        found[position] = rank
    return found


WRAPPED = {
    "mainnet": "0xc02aaa39b223fe8d0a0e5c4f27ead9083c756cc2",
    "bsc": "0xbb4cdb9cbd36b01bd1cbaebf2de08d9173bc095c",
}
DOLLARS = {
    "mainnet": {
        "0xa0b86991c6218b36c1d19d4a2e9eb0ce3606eb48": 1e-6,
        "0xdac17f958d2ee523a2206206994597c13d831ec7": 1e-6,
        "0x6b175474e89094c44da98b954eedeac495271d0f": 1e-18,
    },
    "bsc": {
        "0x55d398326f99059ff775485246999027b3197955": 1e-18,
        "0xe9e7cea3dedca5984780bafc599bd69add087d56": 1e-18,
        "0x8ac76a51cc950d9822d68b83fe1ad97b32cd580d": 1e-18,
    },
}
COIN = {"mainnet": 2000.0, "bsc": 350.0}


@pytest.mark.slow
@pytest.mark.corpus
@pytest.mark.skipif(not CORPUS.exists(), reason="the exploit corpus is not beside the project")
async def test_estimates_order_real_attacks_as_their_reported_losses_do(monkeypatch: pytest.MonkeyPatch) -> None:
    """Two coins' prices held constant over six years, three stable tokens, pools for the rest."""
    seen: list[tuple[Inspection, Sequence[Finding]]] = []
    inspect = yardstick.inspect

    def watched(ruleset, subject, **options):  # type: ignore[no-untyped-def]
        report = inspect(ruleset, subject, **options)
        seen.append((subject, report.findings))
        return report

    monkeypatch.setattr(yardstick, "inspect", watched)
    simulator, ruleset = make_simulator("auto"), load()
    held, pairs = 0, []
    for row in corpus_rows():
        if not (row.executable and row.verified and row.chain in WRAPPED):
            continue
        seen.clear()
        if not (await yardstick.run_case(simulator, ruleset, read_case(row.path))).held:
            continue
        held += 1
        tokens = {Address.from_hex(token): price for token, price in DOLLARS[row.chain].items()}
        wrapped = frozenset({Address.from_hex(WRAPPED[row.chain])})
        book = PriceBook("USD", COIN[row.chain], tokens, wrapped)
        told = [made.amount for subject, found in seen if (made := estimate(subject, found, book)) is not None]
        if told:
            pairs.append((max(told), row.loss_usd))
    await simulator.close()
    both = [(made, reported) for made, reported in pairs if reported]
    made, reported = (ranks(column) for column in zip(*both, strict=True))
    count = len(both)
    gaps = sum((one - other) ** 2 for one, other in zip(made, reported, strict=True))
    agreement = 1 - 6 * gaps / (count * (count**2 - 1))
    near = sum(1 / 3 < one / other < 3 for one, other in both) / count
    print(f"{held} held, {len(pairs)} estimated, {count} with a reported loss: rank {agreement:.2f}, near {near:.2f}")
    assert len(pairs) > 0.7 * held
    assert agreement > 0.7
    assert near > 0.6
