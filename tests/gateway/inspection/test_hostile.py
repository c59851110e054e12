"""Traces made to hurt are inspected whole, in bounded time."""

import time

import pytest

from gateway.inspection.engine import inspect
from gateway.inspection.registry import load
from gateway.model.finding import OutcomeStatus
from tests.makers import ENTRY, Tape, account

BOUND = 60.0
"""seconds of this process; generous, for machines differ: quadratic work on these sizes takes hours"""


def many_frames(tape: Tape) -> None:
    with tape.call(ENTRY), tape.call(account(9)):
        for number in range(50_000):
            with tape.call(ENTRY), tape.call(account(9)):
                tape.write(account(9), 1, number, number + 1)


def many_tokens(tape: Tape) -> None:
    with tape.call(ENTRY), tape.call(account(9)):
        for number in range(100_000):
            tape.transfer(account(100 + number), account(9), ENTRY, 1)


def cycles(tape: Tape) -> None:
    with tape.call(ENTRY), tape.call(account(9)):
        for number in range(100_000):
            tape.transfer(account(9), account(100 + number % 7), account(100 + (number + 1) % 7), 2**255)


def one_slot(tape: Tape) -> None:
    with tape.call(ENTRY), tape.call(account(9)):
        for number in range(100_000):
            tape.write(account(9), tape.entry(ENTRY), number, number + 1)
            tape.transfer(account(9), ENTRY, ENTRY, 1)


@pytest.mark.parametrize("write", [many_frames, many_tokens, cycles, one_slot])
def test_hostile_traces_are_bounded(write: object) -> None:
    assert callable(write)
    tape = Tape()
    write(tape)
    subject = tape.subject()
    started = time.process_time()
    report = inspect(load(), subject)
    assert subject.after is not None
    assert time.process_time() - started < BOUND
    assert {outcome.status for outcome in report.outcomes} == {OutcomeStatus.COMPLETED}
