from gateway.inspection.trace.reentry import StaleView
from gateway.model.trace import FrameKind
from tests.makers import ENTRY, Tape, account

VAULT, LENDER, OTHER = account(10), account(11), account(12)


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
    assert answered(after=100) == ()
    (view,) = answered(after=7)
    assert (view.account, view.reader, view.seen, view.final) == (VAULT, LENDER, 100, 7)


def answered(after: int) -> tuple[StaleView, ...]:
    """The vault calls out; the lender asks its proxy for slot 1; then the vault writes `after` there."""
    tape = Tape()
    static, delegate = FrameKind.STATICCALL, FrameKind.DELEGATECALL
    with tape.call(ENTRY), tape.call(VAULT):
        with tape.call(ENTRY), tape.call(LENDER), tape.call(VAULT, kind=static), tape.call(OTHER, kind=delegate):
            tape.read(VAULT, 1, 100)
        tape.write(VAULT, 1, 100, after)
    return tape.subject().stale_views
