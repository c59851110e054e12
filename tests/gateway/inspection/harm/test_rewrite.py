import pytest

from gateway.inspection.harm.loss import Loss
from gateway.inspection.subject import Inspection
from tests.makers import ENTRY, Tape, account, word

HOUSE, GOLD, COIN = account(50), account(51), account(52)


def bought(*, price: int, later: int, paid: int = 7) -> tuple[Inspection, Loss]:
    """The house's price is rewritten by one call; another sells the house 5 coins for 400 of its gold.

    `paid`: coins that the first call brings.
    """
    tape = Tape()
    with tape.call(ENTRY):
        with tape.call(HOUSE, data=b"turn"):
            tape.write(HOUSE, 3, price, later)
            with tape.call(COIN):
                tape.move(COIN, ENTRY, HOUSE, paid, had=100)
        with tape.call(HOUSE, data=b"sell"):
            tape.read(HOUSE, 3, later)
            with tape.call(COIN):
                tape.move(COIN, ENTRY, HOUSE, 5, had=100 - paid, has=paid)
            with tape.call(GOLD):
                tape.move(GOLD, HOUSE, ENTRY, 400, had=1_000)
    subject = tape.subject()
    (loss,) = (loss for loss in subject.losses if loss.asset.token == GOLD)
    return subject, loss


def test_a_price_that_an_earlier_call_moved_is_found() -> None:
    subject, loss = bought(price=10**18, later=5 * 10**18)
    found = subject.rewritten(loss)
    assert found is not None
    assert (found.keeper, found.slot) == (HOUSE, 3)
    assert found.factor == pytest.approx(5.0)
    assert subject.simulation.trace.frames[found.visit].input == b"sell"


@pytest.mark.parametrize(
    ("subject", "loss"),
    [
        bought(price=10**18, later=12 * 10**17),
        bought(price=2, later=9),
        bought(price=10**7, later=3 * 10**7, paid=2 * 10**7),
        bought(price=10**7, later=3 * 10**7 - 10**5, paid=2 * 10**7),
        bought(price=1 << 160, later=1 << 170),
    ],
    ids=["a little", "a count", "a stock", "a stock less a fee", "a name"],
)
def test_what_is_no_price_or_decided_nothing_is_not(subject: Inspection, loss: Loss) -> None:
    assert subject.rewritten(loss) is None


def test_what_one_call_works_out_step_by_step_is_its_own_formula() -> None:
    tape = Tape()
    with tape.call(ENTRY):
        with tape.call(COIN, data=word(1)):
            pass
        with tape.call(HOUSE):
            tape.read(HOUSE, 3, 10**18)
            tape.write(HOUSE, 3, 10**18, 5 * 10**18)
            tape.read(HOUSE, 3, 5 * 10**18)
            with tape.call(GOLD):
                tape.move(GOLD, HOUSE, ENTRY, 400, had=1_000)
    subject = tape.subject()
    assert subject.rewritten(subject.losses[0]) is None
