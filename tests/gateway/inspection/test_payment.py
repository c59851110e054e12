from __future__ import annotations

from gateway.inspection.ledger import Asset
from gateway.model.primitive import ZERO_ADDRESS, Address
from tests.makers import ENTRY, SENDER, Tape, account

GOLD, COIN, VAULT, DESK, FRIEND = account(10), account(11), account(12), account(13), account(14)


def bought(paid_to: Address, *, linked: bool = False, burnt: bool = False) -> Tape:
    """The vault pays gold; coins go to somebody."""
    tape = Tape()
    with tape.call(ENTRY):
        with tape.call(COIN):
            tape.transfer(COIN, ENTRY, ZERO_ADDRESS if burnt else paid_to, 10**6)
        with tape.call(FRIEND):
            pass
        with tape.call(VAULT):
            if linked:
                with tape.call(DESK):
                    pass
            if burnt:
                with tape.call(COIN):
                    pass
            with tape.call(GOLD):
                tape.transfer(GOLD, VAULT, ENTRY, 9)
    return tape


def test_what_reached_the_payer_is_payment_of_unknown_worth() -> None:
    assert bought(VAULT).subject().consideration is None


def test_what_reached_a_desk_that_the_payer_deals_with_is_payment() -> None:
    assert bought(DESK, linked=True).subject().consideration is None


def test_a_coin_thrown_at_a_bystander_pays_nobody() -> None:
    subject = bought(FRIEND).subject()
    assert subject.roles.gave == {Asset(COIN): 10**6}
    assert subject.consideration == 0.0
    assert subject.gained_for_little


def test_what_is_burnt_in_the_payers_hands_is_payment() -> None:
    assert bought(FRIEND, burnt=True).subject().consideration is None


def test_what_the_origin_hands_to_the_contract_it_calls_is_payment() -> None:
    tape = Tape()
    with tape.call(ENTRY):
        with tape.call(COIN):
            tape.transfer(COIN, SENDER, ENTRY, 10**6)
        with tape.call(VAULT), tape.call(GOLD):
            tape.transfer(GOLD, VAULT, SENDER, 9)
    assert tape.subject().consideration is None
