from __future__ import annotations

from gateway.inspection.trace.ledger import Asset
from tests.makers import ENTRY, Tape, account

STAKE, REWARD, FARM = account(10), account(11), account(12)


def farm(*, returned: int = 100, reward: int = 9, donated: bool = False) -> Tape:
    """A stake of 100 goes into the farm and comes back; the farm loses reward."""
    tape = Tape()
    with tape.call(ENTRY):
        if donated:
            with tape.call(STAKE):
                tape.move(STAKE, ENTRY, FARM, 100, had=100)
            with tape.call(FARM):
                pass
        else:
            with tape.call(FARM), tape.call(STAKE):
                tape.move(STAKE, ENTRY, FARM, 100, had=100)
        with tape.call(FARM):
            if returned:
                with tape.call(STAKE):
                    tape.transfer(STAKE, FARM, ENTRY, returned)
            if reward:
                with tape.call(REWARD):
                    tape.move(REWARD, FARM, ENTRY, reward, had=10)
    return tape


def test_a_stake_that_came_back_beside_a_loss_is_a_round_trip() -> None:
    (trip,) = farm().subject().round_trips
    assert (trip.holder, trip.asset, trip.loss.asset) == (FARM, Asset(STAKE), Asset(REWARD))
    assert (trip.paid_in, trip.returned, trip.donated) == (100, 100, 0)
    assert trip.depositors == {ENTRY}


def test_what_was_sent_without_being_asked_for_is_a_gift() -> None:
    (trip,) = farm(donated=True).subject().round_trips
    assert trip.donated == 100


def test_a_stake_that_stays_is_payment() -> None:
    assert farm(returned=0).subject().round_trips == ()
    assert farm(returned=80).subject().round_trips == ()


def test_without_a_loss_there_is_none() -> None:
    assert farm(reward=0).subject().round_trips == ()
