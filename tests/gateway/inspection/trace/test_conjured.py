import pytest

from gateway.inspection.trace.conjured import conjured, overspent
from gateway.inspection.trace.ledger import BALANCE_OF, Asset
from tests.makers import ENTRY, SENDER, Tape, account, word

TOKEN, OTHER = account(10), account(11)


@pytest.mark.parametrize(("after", "seen"), [(150, True), (100, False)])
def test_a_transfer_to_oneself_may_not_add(after: int, seen: bool) -> None:
    tape = Tape()
    with tape.call(ENTRY), tape.call(TOKEN):
        tape.write(TOKEN, tape.entry(ENTRY), 100, after)
        tape.transfer(TOKEN, ENTRY, ENTRY, 50)
    subject = tape.subject()
    found = conjured(subject.facts, subject.ledger, subject.simulation)
    assert bool(found) is seen
    assert all(made.to_itself and made.holder == ENTRY and made.amount == 50 for made in found)


@pytest.mark.parametrize(("had", "seen"), [(2**255, False), (None, True)])
def test_nobody_sends_what_nobody_had(had: int | None, seen: bool) -> None:
    tape = Tape()
    with tape.call(ENTRY), tape.call(TOKEN):
        if had is not None:
            tape.write(TOKEN, tape.entry(ENTRY), had, 0)
        tape.transfer(TOKEN, ENTRY, OTHER, 2**255)
    subject = tape.subject()
    assert bool(conjured(subject.facts, subject.ledger, subject.simulation)) is seen


def test_a_balance_that_wrapped_around_was_never_there() -> None:
    tape = Tape()
    with tape.call(ENTRY), tape.call(TOKEN):
        tape.write(TOKEN, tape.entry(ENTRY), 5, 5 + 2**256 - 2**255)
        tape.transfer(TOKEN, ENTRY, OTHER, 2**255)
    subject = tape.subject()
    (made,) = conjured(subject.facts, subject.ledger, subject.simulation)
    assert made.holder == ENTRY
    assert not made.to_itself


@pytest.mark.parametrize(("given", "seen"), [(10**9, False), (10**10, True)])
def test_giving_far_more_than_one_had(given: int, seen: bool) -> None:
    tape = Tape()
    with tape.call(ENTRY), tape.call(TOKEN, data=BALANCE_OF + word(ENTRY), output=word(10**9)):
        pass
    with tape.call(ENTRY), tape.call(TOKEN):
        tape.transfer(TOKEN, ENTRY, OTHER, given)
    subject = tape.subject()
    assert overspent(subject.ledger, frozenset((SENDER, ENTRY))) == (frozenset({Asset(TOKEN)}) if seen else frozenset())


def test_what_was_made_of_nothing_and_is_gone_again_was_made() -> None:
    """A contract that had nothing doubles what it was given, and sells all of it: its balance is zero again."""
    tape = Tape()
    with tape.call(ENTRY), tape.call(TOKEN):
        tape.move(TOKEN, SENDER, ENTRY, 100, had=100)
        tape.write(TOKEN, tape.entry(ENTRY), 100, 200)
        tape.transfer(TOKEN, ENTRY, ENTRY, 100)
        tape.move(TOKEN, ENTRY, OTHER, 200, had=200)
    # what is at the end as it was before is no difference of state
    subject = tape.subject()
    del subject.simulation.state_diff[TOKEN].storage[tape.entry(ENTRY)]  # type: ignore[attr-defined]  # a dict here
    (made,) = conjured(subject.facts, subject.ledger, subject.simulation)
    assert (made.holder, made.amount) == (ENTRY, 100)
