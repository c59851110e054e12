from dataclasses import replace

from gateway.inspection.roles import Reading
from gateway.model.primitive import ZERO_ADDRESS, Address
from tests.makers import ENTRY, SENDER, Tape, account

TOKEN, VAULT, FIXED = account(10), account(11), account(12)


def paid(*, owner: Address | None = None, entry: Address | None = None, to: Address = ENTRY) -> Tape:
    """The vault pays 900 of 1000 after it looked at an owner slot or an entry."""
    tape = Tape()
    with tape.call(ENTRY), tape.call(VAULT):
        if owner is not None:
            tape.read(VAULT, 0, int.from_bytes(owner, "big"))
        if entry is not None:
            tape.read(VAULT, tape.entry(entry, 3), 5)
        with tape.call(TOKEN):
            tape.move(TOKEN, VAULT, to, 900, had=1000)
    return tape


def test_a_stranger_is_paid() -> None:
    subject = paid().subject()
    (loss,) = subject.losses
    assert (loss.holder, loss.amount, loss.share) == (VAULT, 900, 0.9)
    assert loss.acted
    assert loss.to_cluster
    assert not any((loss.agreed, loss.compensated, loss.settled, loss.signed))
    assert subject.unexplained(loss)


def test_an_owner_or_an_entry_is_consent() -> None:
    assert paid(owner=SENDER).subject().losses[0].agreed
    assert paid(owner=ENTRY).subject().losses[0].agreed
    assert paid(entry=ENTRY).subject().losses[0].agreed
    assert not paid(owner=FIXED, entry=FIXED).subject().losses[0].agreed


def test_what_goes_where_it_always_goes_is_settled() -> None:
    (loss,) = paid(owner=FIXED, to=FIXED).subject().losses
    assert loss.settled
    assert not loss.to_cluster


def test_an_allowance_is_spent_without_the_holder() -> None:
    tape = Tape()
    with tape.call(ENTRY), tape.call(FIXED), tape.call(TOKEN):
        tape.move(TOKEN, VAULT, ENTRY, 900, had=1000)
    (loss,) = tape.subject().losses
    assert not loss.acted
    assert tape.subject().unexplained(loss)


def test_a_token_that_pays_from_its_own_stock_loses_it() -> None:
    tape = Tape()
    with tape.call(ENTRY), tape.call(TOKEN):
        tape.move(TOKEN, TOKEN, ENTRY, 900, had=1000)
    (loss,) = tape.subject().losses
    assert (loss.holder, loss.share, loss.agreed) == (TOKEN, 0.9, False)
    assert tape.subject().unexplained(loss)


def test_a_token_that_keeps_an_account_for_the_caller_owes_it() -> None:
    tape = Tape()
    with tape.call(ENTRY), tape.call(TOKEN):
        tape.write(TOKEN, tape.entry(ENTRY, 5), 900, 0)
        tape.move(TOKEN, TOKEN, ENTRY, 900, had=1000)
    (loss,) = tape.subject().losses
    assert loss.agreed


def test_a_token_that_pays_coin_is_no_wrapper_of_it() -> None:
    tape = Tape()
    with tape.call(ENTRY), tape.call(TOKEN):
        tape.transfer(TOKEN, ENTRY, ZERO_ADDRESS, 5)
        with tape.call(ENTRY, value=700):
            pass
    tape.balance(TOKEN, 1000, 300)
    assert [loss.holder for loss in tape.subject().losses] == [TOKEN]


def redeemed(shares: int, of: int, paid: int, *, minted: int = 0) -> Tape:
    """The vault burns shares of the caller and pays out of a stock of 1000."""
    tape = Tape()
    with tape.call(ENTRY), tape.call(VAULT):
        tape.write(VAULT, 2, of, of + minted - shares)
        if minted:
            tape.transfer(VAULT, ZERO_ADDRESS, ENTRY, minted)
        tape.transfer(VAULT, ENTRY, ZERO_ADDRESS, shares)
        with tape.call(TOKEN):
            tape.move(TOKEN, VAULT, ENTRY, paid, had=1000)
    return tape


def test_shares_that_are_burnt_in_proportion_explain_a_payment() -> None:
    fair = redeemed(300, 1000, 310).subject()
    assert not fair.unexplained(fair.losses[0])
    greedy = redeemed(300, 1000, 700).subject()
    assert greedy.unexplained(greedy.losses[0])


def test_shares_that_were_made_here_explain_nothing() -> None:
    subject = redeemed(300, 1000, 310, minted=300).subject()
    assert subject.unexplained(subject.losses[0])


def spends(*, owner: Address | None) -> Tape:
    """The called contract spends what the vault let it spend, for whoever calls, or for the `owner` it read."""
    tape = Tape()
    with tape.call(ENTRY):
        if owner is not None:
            tape.read(ENTRY, 0, int.from_bytes(owner, "big"))
        with tape.call(TOKEN):
            tape.read(TOKEN, tape.allowance(VAULT, ENTRY), 10**18)
            tape.move(TOKEN, VAULT, ENTRY, 900, had=1000)
    return tape


def test_an_allowance_to_a_tool_that_obeys_strangers_is_no_consent() -> None:
    assert spends(owner=SENDER).subject().losses[0].agreed
    assert not spends(owner=None).subject().losses[0].agreed
    assert not spends(owner=FIXED).subject().losses[0].agreed


def test_the_bold_reading_does_not_ask_who_may_spend() -> None:
    bold = replace(spends(owner=None).subject(), reading=Reading.BOLD)
    assert bold.losses[0].agreed
