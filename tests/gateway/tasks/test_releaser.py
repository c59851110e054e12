from __future__ import annotations

import asyncio
from collections import Counter
from collections.abc import Callable
from datetime import timedelta

import pytest

from gateway.errors import (
    DecodingError,
    SimulationError,
    Unexecutable,
    UpstreamNonsense,
    UpstreamRefused,
    UpstreamSilent,
    UpstreamUnreachable,
)
from gateway.model.case import CaseDetail, Decision
from gateway.model.facts import Facts
from gateway.model.finding import InspectionReport, Severity
from gateway.model.primitive import Hash32
from gateway.model.quarantine import FINAL, CaseState, QuarantineEntry
from gateway.proxy.nonces import NonceDesk
from gateway.store.cases.record import SqlRecord
from gateway.store.database import Database
from gateway.store.shared.memory import MemoryQueue
from gateway.tasks.releaser import NotNow, Reinspection, ReleaseLimits, Releaser, unseen_findings
from tests.cases import CLEAN, Clock, detail, entry, finding, verdict

NEW = verdict(finding(), finding("price-manipulation", title="The price was moved"))


class Chain:
    """A sequencer that counts what reaches it, and answers as it is told."""

    def __init__(self) -> None:
        self.known: set[Hash32] = set()
        self.arrived: Counter[Hash32] = Counter()
        self.order: list[int] = []
        self.verdict = CLEAN
        self.detail: CaseDetail = detail(1)
        self.inspecting: Exception | None = None
        self.asking: Exception | None = None
        self.sending: list[Exception | None] = []
        """what the next sends raise; the last one stays"""
        self.takes = True
        """whether a send that raises arrived all the same"""
        self.before_send: Callable[[], None] = lambda: None

    async def reinspect(self, entry: QuarantineEntry) -> Reinspection:
        if self.inspecting is not None:
            raise self.inspecting
        return Reinspection(self.verdict, self.detail)

    async def send(self, entry: QuarantineEntry, reinspection: Reinspection) -> None:
        self.before_send()
        problem = self.sending[0] if self.sending else None
        if len(self.sending) > 1:
            self.sending.pop(0)
        if problem is None or (self.takes and isinstance(problem, UpstreamSilent)):
            self.arrived[entry.hash] += 1
            self.order.append(entry.nonce)
            self.known.add(entry.hash)
        if problem is not None:
            raise problem

    async def is_known(self, hash: Hash32) -> bool:
        if self.asking is not None:
            raise self.asking
        return hash in self.known


@pytest.fixture
def chain() -> Chain:
    return Chain()


@pytest.fixture
def live() -> MemoryQueue:
    return MemoryQueue()


@pytest.fixture
def releaser(record: SqlRecord, live: MemoryQueue, chain: Chain, clock: Clock) -> Releaser:
    return Releaser(record, live, chain, now=clock)


async def released(record: SqlRecord, live: MemoryQueue, number: int = 1, **parts: object) -> QuarantineEntry:
    await record.hold(entry(number, **parts), detail(number))
    case = await record.decide(f"case-{number}", Decision(CaseState.RELEASED, "ann", "fine"))
    assert isinstance(case, QuarantineEntry)
    await live.put(case)
    return case


async def state(record: SqlRecord, number: int = 1) -> CaseState:
    case = await record.case(f"case-{number}")
    assert case is not None
    return case.state


async def test_a_release_is_forwarded_once(
    record: SqlRecord, live: MemoryQueue, chain: Chain, releaser: Releaser
) -> None:
    case = await released(record, live)
    assert await releaser.once() == 1
    assert await releaser.once() == 0
    assert chain.arrived == {case.hash: 1}
    assert await state(record) is CaseState.FORWARDED
    assert await live.case_ids() == frozenset()


async def test_findings_that_the_analyst_saw_do_not_stop_it(
    record: SqlRecord, live: MemoryQueue, chain: Chain, releaser: Releaser
) -> None:
    chain.verdict = verdict()
    case = await released(record, live)
    await releaser.once()
    assert chain.arrived == {case.hash: 1}


async def test_a_new_finding_opens_the_case_again(
    record: SqlRecord, live: MemoryQueue, chain: Chain, releaser: Releaser, clock: Clock
) -> None:
    chain.verdict = NEW
    await released(record, live)
    await releaser.once()
    case = await record.case("case-1")
    assert case is not None
    assert (case.state, case.decided_by) == (CaseState.HELD, None)
    assert case.verdict == NEW
    assert case.expires_at == clock() + timedelta(hours=6)
    assert "The price was moved" in (await record.history("case-1"))[-1].reason
    assert await record.detail("case-1", revision=2) is not None
    assert not chain.arrived
    assert await live.counts() == {CaseState.HELD: 1}
    await record.decide("case-1", Decision(CaseState.RELEASED, "ann", "seen now"))
    await releaser.once()
    assert sum(chain.arrived.values()) == 1, "what was new is known now"


async def test_a_lost_answer_is_settled_by_hash(
    record: SqlRecord, live: MemoryQueue, chain: Chain, releaser: Releaser, clock: Clock
) -> None:
    chain.sending = [UpstreamSilent("no answer")]
    case = await released(record, live)
    await releaser.once()
    assert await state(record) is CaseState.RELEASED
    clock.forward(seconds=31)
    await releaser.once()
    assert chain.arrived == {case.hash: 1}
    assert await state(record) is CaseState.FORWARDED


@pytest.mark.parametrize("error", [UpstreamSilent("lost"), UpstreamNonsense("<html>")])
async def test_a_send_that_never_arrived_is_repeated_only_when_it_cannot_arrive_any_more(
    record: SqlRecord, live: MemoryQueue, chain: Chain, releaser: Releaser, clock: Clock, error: Exception
) -> None:
    chain.sending, chain.takes = [error, None], False
    await released(record, live)
    await releaser.once()
    for _ in range(29):
        clock.forward(seconds=1)
        await releaser.once()
        assert not chain.arrived
    clock.forward(seconds=2)
    await releaser.once()
    assert sum(chain.arrived.values()) == 1
    assert await state(record) is CaseState.FORWARDED


@pytest.mark.parametrize(
    "error", [UpstreamUnreachable("refused"), NotNow("new head"), UpstreamRefused(-32000, "pool full")]
)
async def test_what_was_certainly_not_taken_is_tried_again_soon(
    record: SqlRecord, live: MemoryQueue, chain: Chain, releaser: Releaser, clock: Clock, error: Exception
) -> None:
    chain.sending = [error, None]
    await released(record, live)
    await releaser.once()
    clock.forward(seconds=2)
    await releaser.once()
    assert sum(chain.arrived.values()) == 1
    assert await state(record) is CaseState.FORWARDED


@pytest.mark.parametrize("message", ["already known", "nonce too low"])
async def test_an_error_answer_for_what_the_node_has_is_success(
    record: SqlRecord, live: MemoryQueue, chain: Chain, releaser: Releaser, message: str
) -> None:
    case = await released(record, live)
    chain.sending = [UpstreamRefused(-32000, message)]
    chain.before_send = lambda: chain.known.add(case.hash)
    await releaser.once()
    assert await state(record) is CaseState.FORWARDED


async def test_what_another_door_sent_is_not_sent_again(
    record: SqlRecord, live: MemoryQueue, chain: Chain, releaser: Releaser
) -> None:
    chain.known.add((await released(record, live)).hash)
    await releaser.once()
    assert not chain.arrived
    assert await state(record) is CaseState.FORWARDED


@pytest.mark.parametrize("where", ["inspection", "answer"])
async def test_a_nonce_used_elsewhere_supersedes(
    record: SqlRecord, live: MemoryQueue, chain: Chain, releaser: Releaser, where: str
) -> None:
    await released(record, live)
    if where == "inspection":
        chain.inspecting = Unexecutable("nonce too low", "next is 9")
    else:
        chain.sending = [UpstreamRefused(-32000, "nonce too low: next nonce 9")]
    await releaser.once()
    assert await state(record) is CaseState.SUPERSEDED
    assert not chain.arrived


async def test_bytes_that_no_longer_decode_are_refused(
    record: SqlRecord, live: MemoryQueue, chain: Chain, releaser: Releaser
) -> None:
    await released(record, live)
    chain.inspecting = DecodingError("type 0x05 is not accepted")
    await releaser.once()
    assert await state(record) is CaseState.REJECTED


@pytest.mark.parametrize(
    "error", [Unexecutable("insufficient funds"), SimulationError("killed"), UpstreamUnreachable("away")]
)
async def test_what_may_pass_is_waited_for(
    record: SqlRecord, live: MemoryQueue, chain: Chain, releaser: Releaser, clock: Clock, error: Exception
) -> None:
    await released(record, live)
    chain.inspecting = error
    for _ in range(3):
        await releaser.once()
        clock.forward(seconds=5)
    assert await state(record) is CaseState.RELEASED
    chain.inspecting = None
    clock.forward(seconds=30)
    await releaser.once()
    assert await state(record) is CaseState.FORWARDED


async def test_what_cannot_be_sent_for_an_hour_goes_back_to_the_analysts(
    record: SqlRecord, live: MemoryQueue, chain: Chain, releaser: Releaser, clock: Clock
) -> None:
    await released(record, live)
    chain.inspecting = Unexecutable("insufficient funds")
    await releaser.once()
    clock.forward(minutes=61)
    await releaser.once()
    assert await state(record) is CaseState.HELD
    assert "insufficient funds" in (await record.history("case-1"))[-1].reason


async def test_without_a_simulation_nothing_is_sent(
    record: SqlRecord, live: MemoryQueue, chain: Chain, releaser: Releaser, clock: Clock
) -> None:
    await released(record, live)
    chain.verdict = verdict(report=InspectionReport((), (), simulated=False, error="killed"))
    await releaser.once()
    clock.forward(minutes=5)
    await releaser.once()
    assert not chain.arrived
    assert await state(record) is CaseState.RELEASED


async def test_an_upstream_that_cannot_be_asked_stops_everything(
    record: SqlRecord, live: MemoryQueue, chain: Chain, releaser: Releaser, clock: Clock
) -> None:
    await released(record, live)
    chain.asking = UpstreamUnreachable("away")
    await releaser.once()
    assert not chain.arrived
    chain.asking = None
    clock.forward(seconds=2)
    await releaser.once()
    assert sum(chain.arrived.values()) == 1


async def test_a_send_begun_before_a_reopening_is_not_forgotten(
    record: SqlRecord, live: MemoryQueue, chain: Chain, releaser: Releaser, clock: Clock
) -> None:
    await released(record, live)
    (item,) = await record.outbox_take(lease=timedelta(seconds=1))
    assert await record.outbox_sending(item)
    await record.move("case-1", {CaseState.RELEASED}, CaseState.HELD, "ann", "wait")
    await record.decide("case-1", Decision(CaseState.RELEASED, "ann", "after all"))
    await releaser.once()
    assert not chain.arrived, "the first send may still arrive"
    clock.forward(seconds=31)
    await releaser.once()
    assert sum(chain.arrived.values()) == 1


async def test_a_senders_transactions_leave_by_nonce(
    record: SqlRecord, live: MemoryQueue, chain: Chain, releaser: Releaser
) -> None:
    for number in (5, 3, 4):
        await released(record, live, number)
    await releaser.once()
    assert chain.order == [3, 4, 5]


async def test_two_replicas_forward_each_release_once(
    record: SqlRecord, live: MemoryQueue, chain: Chain, database_url: str, clock: Clock
) -> None:
    for number in range(20):
        await released(record, live, number)
    other_database = Database(database_url)
    limits = ReleaseLimits(batch=3)
    replicas = [
        Releaser(which, live, chain, limits, now=clock) for which in (record, SqlRecord(other_database, now=clock))
    ]
    while any(await asyncio.gather(*(replica.once() for replica in replicas))):
        pass
    await other_database.close()
    assert sorted(chain.arrived.values()) == [1] * 20
    assert await record.counts() == {CaseState.FORWARDED: 20}


async def test_a_queue_that_is_away_does_not_stop_a_release(
    record: SqlRecord, live: MemoryQueue, chain: Chain, releaser: Releaser
) -> None:
    await released(record, live)
    live.available = False
    await releaser.once()
    assert await state(record) is CaseState.FORWARDED


async def test_it_wakes_at_once_and_tells_who_listens(record: SqlRecord, live: MemoryQueue, chain: Chain) -> None:
    heard: asyncio.Queue[str] = asyncio.Queue()

    async def settled(case: QuarantineEntry) -> None:
        await heard.put(case.case_id)

    clock = Clock()
    releaser = Releaser(record, live, chain, ReleaseLimits(poll=timedelta(minutes=1)), now=clock, settled=settled)
    task = asyncio.ensure_future(releaser.run())
    await asyncio.sleep(0.05)
    await released(record, live)
    releaser.wake()
    async with asyncio.timeout(5):
        assert await heard.get() == "case-1"
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task


def test_a_finding_is_new_by_detector_severity_and_victim() -> None:
    base = verdict()
    seen = frozenset(f"{f.detector_id}|{f.severity.name}|{f.victim}" for f in base.report.findings)
    assert unseen_findings(base, seen) == ()
    assert unseen_findings(verdict(finding(summary="other words")), seen) == ()
    assert unseen_findings(verdict(finding(severity=Severity.LOW)), seen) == ("The pool lost most of what it held",)
    assert unseen_findings(NEW, seen) == ("The price was moved",)
    assert unseen_findings(verdict(finding(severity=Severity.INFO)), seen) == ()


class Replaced(Chain):
    """A sequencer behind which another transaction takes the nonce while the release is on its way."""

    def __init__(self, record: SqlRecord, live: MemoryQueue, *, moment: str) -> None:
        super().__init__()
        self._desk, self._record, self._moment = NonceDesk(record, live), record, moment
        self.closed: list[QuarantineEntry] = []

    async def replace(self) -> None:
        rivals = await self._record.by_sender(entry(1).sender, {CaseState.RELEASED})
        self.closed += await self._desk.supersede(rivals, Hash32(b"\x77" * 32))

    async def reinspect(self, entry: QuarantineEntry) -> Reinspection:
        if self._moment == "inspection":
            await self.replace()
        return await super().reinspect(entry)

    async def send(self, entry: QuarantineEntry, reinspection: Reinspection) -> None:
        if self._moment == "sending":
            await self.replace()
        await super().send(entry, reinspection)


@pytest.mark.parametrize(
    ("moment", "answer", "outcome", "arrivals"),
    [
        ("inspection", None, CaseState.SUPERSEDED, 0),
        ("sending", None, CaseState.FORWARDED, 1),
        ("sending", UpstreamRefused(-32000, "nonce too low: next nonce 9"), CaseState.SUPERSEDED, 0),
        ("sending", UpstreamSilent("the answer was lost"), CaseState.FORWARDED, 1),
    ],
)
async def test_a_case_superseded_while_its_release_is_sent_has_one_outcome(
    record: SqlRecord,
    live: MemoryQueue,
    clock: Clock,
    moment: str,
    answer: Exception | None,
    outcome: CaseState,
    arrivals: int,
) -> None:
    chain = Replaced(record, live, moment=moment)
    chain.sending = [answer] if answer is not None else []
    case = await released(record, live)
    releaser = Releaser(record, live, chain, now=clock)
    for _ in range(3):
        await releaser.once()
        clock.forward(minutes=2)
    assert await state(record) is outcome
    assert chain.arrived[case.hash] == arrivals
    assert [closed.case_id for closed in chain.closed] == (["case-1"] if moment == "inspection" else [])
    assert await live.case_ids() == frozenset()
    final = [step for step in await record.history("case-1") if step.to_state in FINAL]
    assert len(final) == 1, "one outcome, told once"


async def test_another_effect_brings_the_case_back_and_a_second_decision_sends_it(
    record: SqlRecord, live: MemoryQueue, chain: Chain, releaser: Releaser
) -> None:
    """No detector speaks, yet it is not what was read: the decider sees it first."""
    case = await released(record, live)
    chain.detail = detail(1, facts=Facts())
    assert await releaser.once() == 1
    assert not chain.arrived
    assert await state(record) is CaseState.HELD
    assert "another than the one decided on" in (await record.history("case-1"))[-1].reason
    await record.decide("case-1", Decision(CaseState.RELEASED, "ann", "seen, still fine"))
    assert await releaser.once() == 1
    assert chain.arrived == {case.hash: 1}
