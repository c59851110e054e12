from __future__ import annotations

from gateway.inspection.parties.door import behind, is_unknown
from gateway.inspection.trace.ledger import Asset
from gateway.model.primitive import Address
from tests.makers import ENTRY, SENDER, Tape, account, word

TOKEN, VAULT, STRIKER, NOTEBOOK, SECOND = account(10), account(11), account(12), account(13), account(14)


def strike(tape: Tape, gain: int = 9) -> None:
    """The striker makes the vault pay it."""
    with tape.call(STRIKER), tape.call(VAULT), tape.call(TOKEN):
        tape.move(TOKEN, VAULT, STRIKER, gain, had=10)


def room(tape: Tape) -> Address | None:
    """Who stands behind the entry, whatever else counts to the ordering side."""
    subject = tape.subject()
    side = {SENDER, ENTRY}
    found = behind(ENTRY, subject.simulation, subject.facts, subject.ledger, side)
    if found is None or not is_unknown(found, subject.simulation, subject.ledger, subject.consent, side):
        return None
    return found


def test_who_stands_behind_a_door_acts_for_whoever_knocks() -> None:
    tape = Tape()
    with tape.call(ENTRY):
        strike(tape)
    roles = tape.subject().roles
    assert roles.cluster == {SENDER, ENTRY, STRIKER}
    assert roles.gained == {Asset(TOKEN): 9}


def test_doors_may_stand_one_behind_the_other() -> None:
    tape = Tape()
    with tape.call(ENTRY), tape.call(SECOND):
        strike(tape)
    assert tape.subject().roles.cluster == {SENDER, ENTRY, SECOND, STRIKER}


def test_a_visit_and_a_gift_on_the_way_change_nothing() -> None:
    tape = Tape()
    with tape.call(ENTRY):
        with tape.call(NOTEBOOK):
            tape.write(NOTEBOOK, tape.entry(ENTRY), 0, 1)
        with tape.call(SECOND):
            tape.transfer(SECOND, ENTRY, account(15), 5)
        strike(tape)
    assert room(tape) == STRIKER


def test_who_calls_back_is_no_room_behind_a_door() -> None:
    tape = Tape()
    with tape.call(ENTRY), tape.call(STRIKER):
        with tape.call(ENTRY, data=b"back"):
            pass
        with tape.call(VAULT), tape.call(TOKEN):
            tape.move(TOKEN, VAULT, STRIKER, 9, had=10)
    assert room(tape) is None


def test_a_vault_that_pays_the_caller_is_the_other_side() -> None:
    tape = Tape()
    with tape.call(ENTRY), tape.call(VAULT), tape.call(TOKEN):
        tape.move(TOKEN, VAULT, SENDER, 9, had=10)
    assert tape.subject().roles.cluster == {SENDER, ENTRY}


def test_whom_the_payer_trusts_belongs_to_the_payer() -> None:
    tape = Tape()
    with tape.call(ENTRY), tape.call(STRIKER), tape.call(VAULT):
        tape.read(VAULT, 0, int.from_bytes(STRIKER, "big"))
        with tape.call(TOKEN):
            tape.move(TOKEN, VAULT, STRIKER, 9, had=10)
    assert STRIKER not in tape.subject().roles.cluster


def test_who_holds_an_allowance_of_others_is_nobodys_agent() -> None:
    tape = Tape()
    inner = tape.allowance(VAULT, STRIKER)
    with tape.call(ENTRY), tape.call(STRIKER), tape.call(TOKEN):
        tape.read(TOKEN, inner, 2**255)
        tape.move(TOKEN, VAULT, STRIKER, 9, had=10)
    assert STRIKER not in tape.subject().roles.cluster


def test_who_keeps_a_record_of_its_caller_is_a_protocol() -> None:
    tape = Tape()
    with tape.call(ENTRY), tape.call(STRIKER):
        tape.write(STRIKER, tape.entry(ENTRY), 0, 1)
        with tape.call(VAULT), tape.call(TOKEN):
            tape.move(TOKEN, VAULT, STRIKER, 9, had=10)
    assert room(tape) is None


def test_a_door_that_keeps_something_is_a_party_of_its_own() -> None:
    tape = Tape()
    with tape.call(ENTRY):
        strike(tape)
        with tape.call(TOKEN):
            tape.transfer(TOKEN, account(16), ENTRY, 1)
    assert room(tape) is None


def test_receivers_paid_through_a_proxied_token_are_taken_in() -> None:
    tape = Tape()
    friend = account(17)
    with tape.call(ENTRY):
        with tape.call(VAULT), tape.call(TOKEN):
            tape.move(TOKEN, VAULT, ENTRY, 9, had=10)
        with tape.call(TOKEN), tape.delegate(SECOND):
            tape.log(TOKEN, tape.transfer_topics(ENTRY, friend), word(9))
    roles = tape.subject().roles
    assert friend in roles.cluster
    assert roles.gained == {Asset(TOKEN): 9}
