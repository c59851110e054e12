"""A detector that is not called because a need of it does not hold would have found nothing."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest

from gateway.evaluate.case import find_cases, read_case
from gateway.evaluate.corpus import CORPUS
from gateway.evm.simulator import REPLAY, Limits
from gateway.inspection.engine import inspect
from gateway.inspection.need import Need
from gateway.inspection.past.memory import EMPTY_MEMORY, Memory
from gateway.inspection.registry import load, ruleset
from gateway.inspection.subject import Inspection
from gateway.inspection.trace.facts import APPROVAL, SYNC
from gateway.model.finding import OutcomeStatus
from gateway.model.primitive import Address
from gateway.model.trace import Trace
from tests.makers import ENTRY, SENDER, Tape, account

TOKEN, VAULT = account(10), account(11)
RULES = load()
CASES = Path(__file__).parents[3] / "fixtures" / "cases"


def paid(*, by: Address) -> Inspection:
    """One token goes from `by` to the sender."""
    tape = Tape()
    with tape.call(ENTRY), tape.call(TOKEN):
        tape.transfer(TOKEN, by, SENDER, 5)
    return tape.subject()


def test_what_holds() -> None:
    assert paid(by=VAULT).meets({Need.OUTSIDER_LOSS, Need.CALLS})
    assert not paid(by=SENDER).meets({Need.OUTSIDER_LOSS})
    assert not paid(by=VAULT).meets({Need.COMEBACK})
    assert not paid(by=VAULT).meets({Need.CREATION})
    own = replace(paid(by=VAULT), memory=Memory(created=(VAULT,)))
    assert own.meets({Need.CREATION})
    assert not own.meets({Need.OUTSIDER_LOSS})
    tape = Tape()
    with tape.call(ENTRY):
        pass
    assert not tape.subject().meets({Need.CALLS})
    assert not tape.subject().meets({Need.FAILURE})
    failed = Trace([tape.result().trace.frames[0]._replace(error="execution reverted")])
    assert replace(tape.subject(), simulation=replace(tape.result(), trace=failed)).meets({Need.FAILURE})
    called = tape.subject()
    assert called.meets({Need.CODE})
    bare = Trace([called.simulation.trace.frames[0]._replace(code_hash=None)])
    assert not replace(called, simulation=replace(called.simulation, trace=bare)).meets({Need.CODE})
    assert paid(by=VAULT).meets({Need.CODE})
    assert not paid(by=VAULT).meets({Need.APPROVAL, Need.CODE})
    assert not paid(by=VAULT).meets({Need.RESERVES})
    assert not paid(by=VAULT).meets({Need.PAST})
    assert replace(paid(by=VAULT), memory=Memory(signatures=(b"key",))).meets({Need.PAST})
    assert replace(paid(by=VAULT), memory=Memory(codes=((VAULT, b"key"),))).meets({Need.PAST})


def test_an_allowance_and_announced_reserves() -> None:
    tape = Tape()
    with tape.call(ENTRY), tape.call(TOKEN):
        tape.log(TOKEN, (APPROVAL, SENDER.rjust(32, b"\0"), VAULT.rjust(32, b"\0")), (5).to_bytes(32, "big"))
        tape.log(TOKEN, (SYNC,), bytes(64))
    assert tape.subject().meets({Need.APPROVAL, Need.RESERVES})


def test_a_detector_that_is_not_called_has_completed() -> None:
    rules = ruleset(detector for detector in RULES.detectors if Need.COMEBACK in detector.needs)
    report = inspect(rules, paid(by=VAULT))
    assert [outcome.status for outcome in report.outcomes] == [OutcomeStatus.COMPLETED] * len(rules.detectors)
    assert rules.detectors


@pytest.mark.corpus
def test_nothing_is_missed_in_the_cases() -> None:
    revm = pytest.importorskip("gateway.evm.revm", reason="the native engine is not installed (no cargo)")
    engine, called = revm.RevmSimulator(), 0
    recorded = find_cases([CORPUS])[3::16] if CORPUS.is_dir() else []
    for file in (*find_cases([CASES]), *recorded):
        case = read_case(file)
        world, memories = engine.world(complete=True), dict[Address, Memory]()
        world.load(case.prestate)
        for move in case.moves:
            world.load(move.patch)
            result = engine.run(world, move.transaction, move.block, checks=REPLAY, limits=Limits(wall_clock=60))
            world.apply(result.state_diff)
            sender = move.transaction.sender
            subject = Inspection(move.transaction, result, memories.get(sender, EMPTY_MEMORY))
            for detector in RULES.detectors:
                if subject.meets(detector.needs):
                    called += 1
                else:
                    assert tuple(detector.inspect(subject)) == (), (file.name, detector.id)
            memories[sender] = subject.after
    assert called
