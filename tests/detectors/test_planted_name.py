"""A name that a stranger put into a contract a while ago is paid, or believed."""

from __future__ import annotations

from dataclasses import replace

import pytest

from detectors.planted_name import PlantedName
from gateway.inspection.past.hearsay import Hearsay, Relied
from gateway.model.finding import Finding, Severity
from tests.detectors.acts import act, findings
from tests.makers import ENTRY, Tape, account, word

HOUSE, GOLD, NAMED, OLD = (account(number) for number in range(40, 44))
WORD = Hearsay(HOUSE, 3, int.from_bytes(NAMED, "big"), NAMED, replaced=True)


def paid(*, by: str = "payment", amount: int = 400, heard: Hearsay = WORD, believed: bool = True) -> list[Finding]:
    """A keeper calls the house, which pays whom it was made to name, or asks it and pays somebody else."""
    tape, receiver = Tape(), NAMED if by == "payment" else account(44)
    with tape.call(ENTRY), tape.call(HOUSE):
        tape.read(HOUSE, 3, WORD.value)
        if by == "answer":
            with tape.call(NAMED, output=word(10**18)):
                pass
        with tape.call(GOLD):
            tape.move(GOLD, HOUSE, receiver, amount, had=1_000)
    subject = replace(tape.subject(), relied=Relied((heard,), {(HOUSE, 3)}), doubting=believed)
    return list(PlantedName().inspect(subject))


@pytest.mark.parametrize("by", ["payment", "answer"])
def test_a_planted_name_that_is_paid_or_asked_is_seen(by: str) -> None:
    (finding,) = paid(by=by)
    assert finding.severity is Severity.HIGH
    assert (finding.victim, finding.instrument) == (HOUSE, NAMED)


@pytest.mark.parametrize(
    "found",
    [
        paid(by="nobody"),
        paid(amount=15),
        paid(heard=WORD._replace(replaced=False)),
        paid(heard=WORD._replace(named=None)),
        paid(believed=False),
    ],
    ids=["neither paid nor asked", "next to nothing", "where nobody stood", "no name", "the common reading"],
)
def test_it_says_nothing_of_what_is_no_theft(found: list[Finding]) -> None:
    assert found == []


@pytest.mark.parametrize(
    "exploit",
    [
        "regency.instated-then-paid",
        "regency.instated-by-accomplices",
        "raid-feed.dear-feed-by-two",
        "raid-cellar.started-again-by-three",
        "raid-daily.router-under-keeper",
    ],
)
def test_it_speaks_again_where_the_planting_was_let_through(exploit: str) -> None:
    assert findings(exploit, PlantedName.id)


@pytest.mark.parametrize(
    "twin",
    ["regency.elected-and-paid", "regency.named-by-the-founder", "regency.wood-brought", "raid-feed.new-feed"],
)
def test_it_says_nothing_of_an_honest_twin(twin: str) -> None:
    assert findings(twin, PlantedName.id) == []
    assert not act(twin).held
