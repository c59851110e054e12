from __future__ import annotations

import pytest

from gateway.errors import SimulationError, Unexecutable, UpstreamUnreachable
from gateway.model.casework import BlockChanges
from gateway.model.quarantine import QuarantineEntry
from gateway.pipeline import Judgement
from gateway.store.cases.record import SqlRecord
from gateway.store.casework.runs import Runs
from gateway.store.database import Database
from gateway.tasks.rerunner import Rerunner
from tests.cases import Clock, detail, entry, finding, verdict


@pytest.fixture
def runs(database: Database, clock: Clock) -> Runs:
    return Runs(database, now=clock)


async def test_a_result_is_written_down_and_the_case_stays_where_it_is(runs: Runs, record: SqlRecord) -> None:
    kept = await record.hold(entry(1), detail(1))
    asked: list[BlockChanges] = []

    async def rehearse(case: QuarantineEntry, changes: BlockChanges) -> Judgement:
        asked.append(changes)
        made = detail(1)
        return Judgement(made.transaction, verdict(finding("takeover")), made.simulation, made.facts)

    number = await runs.ask(kept.case_id, BlockChanges(timestamp=5), "ann")
    assert number is not None
    assert await Rerunner(runs, record, rehearse).once() == 1
    assert asked == [BlockChanges(timestamp=5)]
    done = await runs.run(kept.case_id, number)
    assert done is not None
    assert done.verdict is not None
    assert done.detail is not None
    assert [found.detector_id for found in done.verdict.report.findings] == ["takeover"]
    assert done.detail.simulation is not None
    assert len(done.detail.simulation.trace.frames) == 3
    assert await record.case(kept.case_id) == kept
    assert await Rerunner(runs, record, rehearse).once() == 0


@pytest.mark.parametrize(
    "problem", [Unexecutable("nonce too low", "have 5 want 3"), SimulationError("died"), UpstreamUnreachable("away")]
)
async def test_why_there_is_no_result_is_written_down(runs: Runs, record: SqlRecord, problem: Exception) -> None:
    kept = await record.hold(entry(1), detail(1))

    async def rehearse(case: QuarantineEntry, changes: BlockChanges) -> Judgement:
        raise problem

    number = await runs.ask(kept.case_id, BlockChanges(), "ann")
    assert number is not None
    await Rerunner(runs, record, rehearse).once()
    done = await runs.run(kept.case_id, number)
    assert done is not None
    assert done.finished_at is not None
    assert str(problem) in (done.problem or "")
