from __future__ import annotations

from gateway.inspection.trace.visit import visit
from gateway.model.walk import visits
from tests.makers import ENTRY, SENDER, Tape, account

FIRST, SECOND = account(40), account(41)
SIDE = frozenset({SENDER, ENTRY})


def test_a_visit_lasts_until_the_ordering_side_acts_again() -> None:
    tape = Tape()
    with tape.call(ENTRY), tape.call(FIRST) as first:
        with tape.call(SECOND) as deeper, tape.call(ENTRY), tape.call(SECOND) as again:
            pass
        with tape.call(SECOND) as sibling:
            pass
    frames = tape.result().trace.frames
    assert [visit(frames, at, SIDE) for at in (first, deeper, again, sibling)] == [first, first, again, first]
    assert visits(frames, SIDE) == [-1, first, first, -1, again, first]
