from dataclasses import replace

import pytest

from gateway.inspection.parties.roles import Reading
from gateway.inspection.past.memory import EMPTY_MEMORY
from gateway.inspection.subject import Inspection
from gateway.model.primitive import ZERO_ADDRESS, Address, Hash32
from gateway.model.trace import FrameKind
from tests.makers import ENTRY, SENDER, Tape, account, word

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


@pytest.mark.parametrize(
    ("listed", "asked", "acts", "agreed"),
    [(True, True, False, True), (False, True, False, False), (True, False, False, False), (True, True, True, False)],
    ids=["listed", "not listed", "a strange register", "a contract that acts"],
)
def test_whom_a_register_lists_may_be_paid_at_anybodys_wish(
    listed: bool, asked: bool, acts: bool, agreed: bool
) -> None:
    payee, register = account(60), account(61)
    tape = Tape()
    with tape.call(ENTRY):
        if acts:
            with tape.call(payee):
                pass
        with tape.call(VAULT):
            if asked:
                tape.read(VAULT, 0, int.from_bytes(register, "big"))
            with tape.call(register, kind=FrameKind.STATICCALL):
                tape.read(register, tape.entry(payee, 3), int(listed))
            with tape.call(TOKEN):
                tape.move(TOKEN, VAULT, payee, 900, had=1000)
    (loss,) = tape.subject().losses
    assert loss.agreed is agreed


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


def redeemed_for(*, allowed: bool) -> Tape:
    """A wallet of the sender burns another's shares and gets what they are worth; `allowed`: he lets it spend them."""
    tape = Tape()
    with tape.call(ENTRY):
        tape.read(ENTRY, 0, int.from_bytes(SENDER, "big"))
        with tape.call(VAULT):
            if allowed:
                tape.read(VAULT, tape.allowance(FIXED, ENTRY), 10**18)
            tape.write(VAULT, 2, 1000, 700)
            tape.write(VAULT, tape.entry(FIXED, 5), 400, 100)
            tape.transfer(VAULT, FIXED, ZERO_ADDRESS, 300)
            with tape.call(TOKEN):
                tape.move(TOKEN, VAULT, ENTRY, 300, had=1000)
    return tape


def test_shares_of_another_explain_a_payment_if_he_agreed_to_have_less() -> None:
    for allowed in (True, False):
        subject = redeemed_for(allowed=allowed).subject()
        vault = next(loss for loss in subject.losses if loss.holder == VAULT)
        assert subject.unexplained(vault) is not allowed


def lent(*, looks: bool, makes: bool) -> Tape:
    """A market makes (or pays out) units, then looks for the pledge that it keeps of the borrower."""
    market, pledges = account(13), account(14)
    tape = Tape()
    with tape.call(ENTRY), tape.call(market):
        tape.read(market, 7, int.from_bytes(pledges, "big"))
        with tape.call(TOKEN):
            tape.read(TOKEN, 0, int.from_bytes(market, "big"))
            if makes:
                tape.write(TOKEN, 2, 1000, 1900)
                tape.write(TOKEN, tape.entry(ENTRY, 5), 0, 900)
            tape.transfer(TOKEN, ZERO_ADDRESS if makes else market, ENTRY, 900)
        if looks:
            with tape.call(pledges, kind=FrameKind.STATICCALL):
                tape.read(pledges, tape.entry(ENTRY, 3), 10**18)
    return tape


def test_who_makes_units_of_a_debt_may_look_at_the_pledge_afterwards() -> None:
    assert lent(looks=True, makes=True).subject().issues[0].agreed
    assert not lent(looks=False, makes=True).subject().issues[0].agreed
    assert not lent(looks=True, makes=False).subject().losses[0].agreed


def bought(*, had: int = 0, own: bool = False) -> Inspection:
    """The vault sells most of its stock for five units of something; `own`: the buyer made that kind itself."""
    paid = account(13)
    tape = Tape()
    with tape.call(ENTRY), tape.call(VAULT):
        with tape.call(paid):
            tape.move(paid, ENTRY, VAULT, 5, had=5, has=had)
        with tape.call(TOKEN):
            tape.move(TOKEN, VAULT, ENTRY, 900, had=1000)
    return tape.subject(replace(EMPTY_MEMORY, created=frozenset({paid} if own else ())))


def test_next_to_nothing_and_coin_of_ones_own_pay_nobody() -> None:
    assert bought().losses[0].compensated
    assert bought(had=10**9).losses[0].compensated
    assert not bought(had=10**10).losses[0].compensated
    assert not bought(own=True).losses[0].compensated


def sent_along(*, asked_by: Address | None) -> Inspection:
    """A sender of items moves one that its owner approved it for; it had noted `asked_by`."""
    owner = account(13)
    tape = Tape()
    with tape.call(ENTRY):
        if asked_by is not None:
            tape.read(ENTRY, 0, int.from_bytes(asked_by, "big"))
        with tape.call(TOKEN):
            tape.read(TOKEN, int.from_bytes(tape.hashed(word(7) + word(2)), "big"), int.from_bytes(ENTRY, "big"))
            tape.log(TOKEN, (*tape.transfer_topics(owner, SENDER), word(7)), b"")
    return tape.subject()


def test_an_approval_of_one_item_is_an_allowance() -> None:
    assert sent_along(asked_by=SENDER).losses[0].agreed
    assert not sent_along(asked_by=None).losses[0].agreed
    assert not sent_along(asked_by=FIXED).losses[0].agreed


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


def drawn(*, record: bool, noted: bool = False, credit: int = 0) -> Inspection:
    """Anybody has a holder's dues drawn; `noted`: the receiver is, `credit`: so much is put to the holder's account."""
    shop = account(13)
    tape = Tape()
    with tape.call(ENTRY):
        if record:
            tape.read(ENTRY, tape.entry(VAULT, 3), 5)
        if noted:
            tape.read(ENTRY, 0, int.from_bytes(shop, "big"))
        if credit:
            tape.write(ENTRY, tape.entry(VAULT, 4), 50, 50 + credit)
        with tape.call(TOKEN, data=word(shop)):
            tape.read(TOKEN, tape.allowance(VAULT, ENTRY), 10**18)
            tape.move(TOKEN, VAULT, ENTRY if credit else shop, 900, had=1000)
    return tape.subject()


def test_dues_that_go_where_it_was_noted_or_to_the_holders_credit_were_ordered() -> None:
    assert drawn(record=True, noted=True).losses[0].agreed
    assert drawn(record=True, credit=890).losses[0].agreed
    assert not drawn(record=False, noted=True).losses[0].agreed
    assert not drawn(record=True).losses[0].agreed
    assert not drawn(record=True, credit=500).losses[0].agreed


def owed(*, apart: int) -> Inspection:
    """Anybody has a debtor's instalment moved to the creditor whom a record names so many slots behind him."""
    creditor = account(13)
    tape = Tape()
    with tape.call(ENTRY):
        tape.read(ENTRY, 100, int.from_bytes(VAULT, "big"))
        tape.read(ENTRY, 100 + apart, int.from_bytes(creditor, "big"))
        with tape.call(TOKEN, data=word(creditor)):
            tape.read(TOKEN, tape.allowance(VAULT, ENTRY), 10**18)
            tape.move(TOKEN, VAULT, creditor, 900, had=1000)
    return tape.subject()


def test_what_a_debtor_owes_goes_to_the_creditor_noted_beside_him() -> None:
    assert owed(apart=1).losses[0].agreed
    assert not owed(apart=6).losses[0].agreed


def lured(*, asks: bool, to: Address) -> Inspection:
    """The owner of a vault calls a bait, which has the vault pay a third party; `asks`: the vault looks at ORIGIN."""
    vault_code, plain = Hash32(b"\x07" * 32), Hash32(b"\x06" * 32)
    tape = Tape()
    with tape.call(ENTRY, code=plain):
        with tape.call(VAULT, code=vault_code):
            tape.read(VAULT, 0, int.from_bytes(SENDER, "big"))
            with tape.call(TOKEN, code=plain):
                tape.move(TOKEN, VAULT, ENTRY, 900, had=1000)
        with tape.call(TOKEN, code=plain):
            tape.move(TOKEN, ENTRY, to, 900, had=900)
    # PUSH2 0x3232 hides two bytes that look like ORIGIN
    codes = {vault_code: bytes.fromhex("613232" + ("32" if asks else "33")), plain: b""}
    return replace(tape.subject(), simulation=tape.result(codes))


def test_a_bait_speaks_for_nobody_where_a_vault_asks_who_sent_the_transaction() -> None:
    for asks, to, lost in ((True, FIXED, True), (False, FIXED, False), (True, SENDER, False)):
        subject = lured(asks=asks, to=to)
        assert subject.unexplained(subject.losses[0]) is lost


def test_the_bold_reading_does_not_ask_who_may_spend() -> None:
    bold = replace(spends(owner=None).subject(), reading=Reading.BOLD)
    assert bold.losses[0].agreed
