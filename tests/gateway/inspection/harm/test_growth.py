from gateway.inspection.harm.growth import ODDS
from tests.makers import ENTRY, Tape, account

BANK, TOKEN = account(20), account(21)


def deposit(*, paid_in: int, paid_back: int, one_call: bool = False) -> Tape:
    """The bank has 1,000; something goes in and something comes back."""
    tape = Tape()
    with tape.call(ENTRY):
        with tape.call(BANK):
            with tape.call(TOKEN):
                tape.move(TOKEN, ENTRY, BANK, paid_in, had=paid_in, has=1_000)
            if one_call:
                with tape.call(TOKEN):
                    tape.move(TOKEN, BANK, ENTRY, paid_back, had=1_000 + paid_in)
        if not one_call:
            with tape.call(BANK), tape.call(TOKEN):
                tape.move(TOKEN, BANK, ENTRY, paid_back, had=1_000 + paid_in)
    return tape


def test_more_back_than_in_is_growth() -> None:
    (growth,) = deposit(paid_in=100, paid_back=150).subject().growths
    assert (growth.paid_in, growth.paid_back, growth.rate, growth.repeated) == (100, 150, 0.5, False)
    assert growth.loss.holder == BANK


def test_what_comes_back_whole_did_not_grow() -> None:
    assert deposit(paid_in=100, paid_back=100).subject().growths == ()


def test_one_call_settles_its_own_affairs() -> None:
    assert deposit(paid_in=100, paid_back=150, one_call=True).subject().growths == ()


def refunds(times: int, each: int) -> Tape:
    """One payment of 100 wei, given back by inner calls of the bank to itself."""
    tape = Tape()
    tape.balance(BANK, 1_000, 1_100 - times * each)
    with tape.call(ENTRY), tape.call(BANK, value=100):
        for _ in range(times):
            with tape.call(BANK), tape.call(ENTRY, value=each):
                pass
    return tape


def test_a_payment_given_back_by_several_inner_calls_is_growth() -> None:
    (growth,) = refunds(3, 100).subject().growths
    assert growth.repeated
    assert growth.paid_back == 300


def test_one_inner_call_that_pays_more_is_none() -> None:
    assert refunds(1, 300).subject().growths == ()


def bet(prize: int) -> Tape:
    """A stake of 100 wei and its prize in one call."""
    tape = Tape()
    tape.balance(BANK, 100_000, 100_100 - prize)
    with tape.call(ENTRY), tape.call(BANK, value=100), tape.call(ENTRY, value=prize):
        pass
    return tape


def test_a_small_multiple_of_a_stake_is_a_prize() -> None:
    assert bet(ODDS * 100).subject().wagers == {BANK}


def test_a_large_multiple_is_no_prize() -> None:
    assert bet(ODDS * 100 + 1).subject().wagers == frozenset()


def test_a_payment_in_another_call_is_no_prize() -> None:
    tape = Tape()
    tape.balance(BANK, 100_000, 99_900)
    with tape.call(ENTRY):
        with tape.call(BANK, value=100):
            pass
        with tape.call(BANK), tape.call(ENTRY, value=200):
            pass
    assert tape.subject().wagers == frozenset()
