from gateway.model.trace import FrameKind
from tests.makers import ENTRY, Tape, account

VAULT, LENDER = account(10), account(11)


def test_a_return_that_changes_what_the_open_call_read() -> None:
    tape = Tape()
    with tape.call(ENTRY), tape.call(VAULT) as outer:
        tape.read(VAULT, 1, 100)
        with tape.call(ENTRY), tape.call(VAULT) as inner:
            tape.write(VAULT, 1, 100, 50)
        tape.write(VAULT, 1, 50, 0)
    (found,) = tape.subject().reentries
    assert (found.account, found.outer, found.inner, found.through) == (VAULT, outer, inner, ENTRY)
    assert found.read_before
    assert found.written_after
    assert found.stale


def test_another_slot_or_another_way_is_none() -> None:
    tape = Tape()
    with tape.call(ENTRY), tape.call(VAULT):
        tape.read(VAULT, 1, 100)
        with tape.call(ENTRY), tape.call(VAULT):
            tape.write(VAULT, 2, 0, 50)
        with tape.call(LENDER), tape.call(VAULT):
            tape.write(VAULT, 1, 100, 50)
        tape.write(VAULT, 1, 50, 0)
    assert tape.subject().reentries == ()


def test_a_proxy_that_answers_in_the_middle_of_its_change() -> None:
    tape = Tape()
    with tape.call(ENTRY), tape.call(VAULT), tape.call(ENTRY), tape.call(LENDER):
        with tape.call(VAULT, kind=FrameKind.STATICCALL), tape.call(account(12), kind=FrameKind.DELEGATECALL):
            tape.read(VAULT, 1, 100)
    assert tape.subject().stale_views == ()
    tape = Tape()
    with tape.call(ENTRY), tape.call(VAULT):
        with tape.call(ENTRY), tape.call(LENDER):
            with tape.call(VAULT, kind=FrameKind.STATICCALL), tape.call(account(12), kind=FrameKind.DELEGATECALL):
                tape.read(VAULT, 1, 100)
        tape.write(VAULT, 1, 100, 7)
    (view,) = tape.subject().stale_views
    assert (view.account, view.reader, view.seen, view.final) == (VAULT, LENDER, 100, 7)
