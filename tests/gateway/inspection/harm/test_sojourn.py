"""What was put into a farm one transaction ago, and what comes out of it now."""

from __future__ import annotations

from dataclasses import replace

import pytest

from detectors.grown_deposit import GrownDeposit
from detectors.instant_reward import InstantReward
from gateway.inspection.harm.sojourn import Sojourn
from gateway.inspection.past.deal import Deal, Dealings
from gateway.inspection.past.memory import EMPTY_MEMORY
from gateway.inspection.subject import Inspection
from gateway.inspection.trace.ledger import Asset
from gateway.model.primitive import ZERO_ADDRESS, Address
from tests.makers import ENTRY, SENDER, Tape, account

GOLD, REWARD, FARM = account(40), account(41), account(42)


def pay(amount: int, *, had: int = 1_000, known: bool = False, shares: int = 0) -> Inspection:
    """Gold is put into the farm."""
    tape = Tape()
    with tape.call(ENTRY), tape.call(FARM):
        if known:
            tape.read(FARM, tape.entry(ENTRY, 6), 77)
        with tape.call(GOLD):
            tape.move(GOLD, ENTRY, FARM, amount, had=amount, has=had)
        if shares:
            tape.write(FARM, tape.entry(ENTRY), 0, shares)
            tape.transfer(FARM, ZERO_ADDRESS, ENTRY, shares)
    return tape.subject()


def leave(deals: Dealings, gold: int, *, reward: int = 0, had: int, stock: int = 1_000, shares: int = 0) -> Inspection:
    """Gold comes back, and maybe something else; shares are burnt."""
    tape = Tape()
    with tape.call(ENTRY), tape.call(FARM):
        if shares:
            tape.write(FARM, tape.entry(ENTRY), shares, 0)
            tape.transfer(FARM, ENTRY, ZERO_ADDRESS, shares)
        with tape.call(GOLD):
            tape.move(GOLD, FARM, ENTRY, gold, had=had)
        if reward:
            with tape.call(REWARD):
                tape.move(REWARD, FARM, ENTRY, reward, had=stock)
    return tape.subject(replace(EMPTY_MEMORY, deals=deals))


def test_a_payment_is_remembered_with_what_was_there_before() -> None:
    assert pay(500).after.deals == {(FARM, GOLD, None): Deal(500, 0, 1_000, True)}


def test_a_small_payment_leaves_nothing() -> None:
    assert pay(10).after.deals == {}


def test_who_was_known_before_stays_no_newcomer() -> None:
    assert not pay(500, known=True).after.deals[FARM, GOLD, None].new


def test_what_comes_back_is_held_against_what_went_in() -> None:
    (stay,) = leave(pay(500).after.deals, 500, reward=100, had=1_500).sojourns
    reward = {Asset(REWARD): Deal(0, 100, 1_000, True)}
    assert stay == Sojourn(FARM, Asset(GOLD), 500, 500, 1_000, 1.0, False, 0, reward, True)
    assert (stay.returned, stay.profit) == (True, 0)


def test_what_others_put_in_meanwhile_is_no_profit_from_those_before() -> None:
    (stay,) = leave(pay(500).after.deals, 600, had=1_580).sojourns
    assert (stay.others, stay.profit) == (80, 20)


def test_a_part_of_the_shares_was_paid_with_a_part_of_the_deposit() -> None:
    (stay,) = leave(pay(500, shares=50).after.deals, 300, had=1_500, shares=25).sojourns
    assert (stay.part, stay.profit, stay.returned) == (0.5, 50, True)


def test_an_old_customer_takes_what_he_likes() -> None:
    assert leave(pay(500, known=True).after.deals, 900, had=1_500).sojourns == ()


@pytest.mark.parametrize(("reward", "told"), [(100, 1), (40, 0)])
def test_a_great_reward_for_a_stake_of_minutes_is_told(reward: int, told: int) -> None:
    subject = leave(pay(500).after.deals, 500, reward=reward, had=1_500)
    assert len(list(InstantReward().inspect(subject))) == told


def test_shares_may_be_redeemed_in_kind() -> None:
    subject = leave(pay(500, shares=50).after.deals, 470, reward=100, had=1_500, shares=50)
    assert list(InstantReward().inspect(subject)) == []


def hand_on(deals: Dealings, to: Address, *, had: int = 0) -> Inspection:
    """The farm books the stake over to another account."""
    tape = Tape()
    with tape.call(FARM):
        tape.write(FARM, tape.entry(SENDER, 3), 500, 0)
        tape.write(FARM, tape.entry(to, 3), had, had + 500)
    return tape.subject(replace(EMPTY_MEMORY, deals=deals))


def test_who_gets_a_stake_gets_its_past_too() -> None:
    deals = pay(500).after.deals
    assert hand_on(deals, account(60)).effects.heirs == {account(60): deals}
    assert hand_on(deals, account(60), had=7).effects.heirs == {}
    assert hand_on({}, account(60)).effects.heirs == {}


@pytest.mark.parametrize(("put", "back", "told"), [(800, 850, 1), (800, 815, 0), (300, 350, 0)])
def test_a_large_deposit_that_comes_back_larger_is_told(put: int, back: int, told: int) -> None:
    """What is small may be a bet, and a little may be interest."""
    subject = leave(pay(put).after.deals, back, had=1_000 + put)
    assert len(list(GrownDeposit().inspect(subject))) == told


@pytest.mark.parametrize(("made", "told"), [(0, 1), (150, 0)])
def test_a_reward_that_is_made_as_it_is_earned_takes_from_nobody(made: int, told: int) -> None:
    tape = Tape()
    with tape.call(ENTRY), tape.call(FARM):
        with tape.call(GOLD):
            tape.move(GOLD, FARM, ENTRY, 500, had=1_500)
        with tape.call(REWARD):
            if made:
                tape.transfer(REWARD, ZERO_ADDRESS, FARM, made)
            tape.move(REWARD, FARM, ENTRY, 200, had=1_000 + made)
    subject = tape.subject(replace(EMPTY_MEMORY, deals=pay(500).after.deals))
    assert len(list(InstantReward().inspect(subject))) == told
