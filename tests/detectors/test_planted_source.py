"""A stranger's own contract in the place of a price feed."""

from __future__ import annotations

import pytest

from detectors.planted_source import PlantedSource
from gateway.model.finding import Finding, Severity
from gateway.model.trace import FrameKind
from tests.detectors.acts import act, findings
from tests.makers import ENTRY, Tape, account, word

LENDER, GOLD, FEED = account(30), account(31), account(32)


def planted(
    *, owner: bool = False, asked: bool = True, before: int = int.from_bytes(FEED, "big"), paid: int = 900
) -> list[Finding]:
    """The caller puts itself in the place of the lender's feed, is asked, takes gold, and puts the feed back."""
    tape, slot = Tape(), 3
    with tape.call(ENTRY):
        with tape.call(LENDER):
            if owner:
                tape.read(LENDER, 0, int.from_bytes(ENTRY, "big"))
            tape.write(LENDER, slot, before, int.from_bytes(ENTRY, "big"))
        with tape.call(LENDER):
            if asked:
                with tape.call(ENTRY, kind=FrameKind.STATICCALL, output=word(10**18)):
                    pass
            with tape.call(GOLD):
                tape.move(GOLD, LENDER, ENTRY, paid, had=1000)
        with tape.call(LENDER):
            tape.write(LENDER, slot, int.from_bytes(ENTRY, "big"), before)
    return list(PlantedSource().inspect(tape.subject()))


def test_a_feed_that_was_replaced_asked_and_put_back_is_seen() -> None:
    (finding,) = planted()
    assert finding.severity is Severity.HIGH
    assert (finding.victim, finding.instrument) == (LENDER, ENTRY)


@pytest.mark.parametrize(
    "found",
    [planted(owner=True), planted(asked=False), planted(before=1), planted(paid=9)],
    ids=["by the owner", "never asked", "where nobody stood", "for next to nothing"],
)
def test_it_says_nothing_of_what_is_no_theft(found: list[Finding]) -> None:
    assert found == []


def test_it_names_the_exploit_and_the_transaction_is_held() -> None:
    assert findings("raid-feed.twisted-for-a-breath", PlantedSource.id)
    assert act("raid-feed.twisted-for-a-breath").held


@pytest.mark.parametrize("twin", ["raid-feed.new-feed", "raid-feed.borrow", "raid-feed.fallen"])
def test_it_says_nothing_of_an_honest_twin(twin: str) -> None:
    assert findings(twin, PlantedSource.id) == []
    assert not act(twin).held
