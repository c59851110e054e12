"""The same transaction with other answers to the question who acts for the origin."""

from __future__ import annotations

from gateway.inspection.engine import inspect
from gateway.inspection.parties.roles import Reading
from gateway.inspection.registry import load
from gateway.inspection.subject import Inspection
from gateway.model.finding import OutcomeStatus
from tests.makers import ENTRY, SENDER, Tape, account

TOKEN, VAULT, TOOL, BANK, BURNER = account(40), account(41), account(42), account(43), account(44)


def behind_a_door(*, spends: bool) -> Inspection:
    """A door calls a tool, which is paid half of the vault by a vault that never knew it; and may pay somebody."""
    tape = Tape()
    with tape.call(ENTRY), tape.call(TOOL):
        with tape.call(VAULT), tape.call(TOKEN):
            tape.move(TOKEN, VAULT, TOOL, 500, had=1000)
        if spends:
            with tape.call(TOKEN):
                tape.move(TOKEN, TOOL, BURNER, 400, had=500)
    return tape.subject()


def held_by(subject: Inspection) -> set[str]:
    return {finding.detector_id for finding in inspect(load(), subject).findings}


def test_a_tool_behind_a_door_is_found_in_the_first_reading() -> None:
    subject = behind_a_door(spends=False)
    assert TOOL in subject.roles.cluster
    assert "unauthorised-outflow" in held_by(subject)


def test_a_tool_that_pays_a_plain_account_is_found_in_the_bold_reading() -> None:
    tape = Tape()
    with tape.call(ENTRY), tape.call(TOOL):
        with tape.call(VAULT), tape.call(TOKEN):
            tape.move(TOKEN, VAULT, TOOL, 500, had=1000)
        with tape.call(BANK), tape.call(BURNER):
            tape.move(BURNER, TOOL, BANK, 7, had=7)
        with tape.call(BURNER):
            tape.move(BURNER, BANK, account(45), 7, had=7)
    subject = tape.subject()
    assert TOOL not in subject.roles.cluster
    (bold,) = [other for other in subject.readings if other.reading is Reading.BOLD]
    assert TOOL in bold.roles.cluster
    assert "unauthorised-outflow" in held_by(subject)


def test_nothing_is_read_twice_where_nobody_is_in_doubt() -> None:
    tape = Tape()
    with tape.call(TOKEN):
        tape.move(TOKEN, SENDER, BANK, 5, had=10)
    assert tape.subject().readings == ()


def test_another_reading_has_no_other_readings() -> None:
    for other in behind_a_door(spends=True).readings:
        assert other.readings == ()


def test_each_detector_is_reported_once() -> None:
    ruleset = load()
    report = inspect(ruleset, behind_a_door(spends=True))
    assert [outcome.detector_id for outcome in report.outcomes] == [detector.id for detector in ruleset.detectors]
    assert all(outcome.status is OutcomeStatus.COMPLETED for outcome in report.outcomes)


def test_a_late_second_reading_is_told() -> None:
    times = iter(range(10_000))
    ruleset = load()
    subject = behind_a_door(spends=False)
    quiet = inspect(ruleset, subject, deadline=len(ruleset.detectors) * 2 + 1, clock=lambda: float(next(times)))
    assert {outcome.status for outcome in quiet.outcomes} <= {OutcomeStatus.COMPLETED, OutcomeStatus.TIMED_OUT}
