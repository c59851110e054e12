from __future__ import annotations

import asyncio
import dataclasses
from collections.abc import AsyncIterator, Callable, Sequence
from contextlib import asynccontextmanager

import pytest

from gateway.errors import QueueUnavailable
from gateway.inspection.past.effects import Effects, Taking
from gateway.inspection.past.hearsay import Hearsay
from gateway.inspection.past.memory import Memory
from gateway.inspection.past.recollection import Recollection
from gateway.model.facts import Facts
from gateway.model.finding import OutcomeStatus
from gateway.model.primitive import ZERO_ADDRESS
from gateway.model.verdict import Action
from gateway.pipeline import Judgement
from gateway.store.shared.memory_log import LocalMemoryLog
from gateway.tasks.remembering import Remembering
from tests.cases import POOL, ROUTER, simulation, transaction, verdict

EFFECTS = Effects(Memory(created=(ROUTER,)), (Taking(POOL, ZERO_ADDRESS, 5, 100),))


class Away(LocalMemoryLog):
    """A log that can go away, and one that can hang."""

    def __init__(self) -> None:
        super().__init__()
        self.away, self.slow, self.questions = False, 0.0, 0

    async def append(self, messages: Sequence[bytes], lasting: Sequence[bytes] = ()) -> None:
        if self.away:
            raise QueueUnavailable("gone")
        await super().append(messages, lasting)

    async def after(self, seen: str, *, lasting: bool = False) -> Sequence[tuple[str, bytes]]:
        self.questions += not lasting
        await asyncio.sleep(self.slow)
        if self.away:
            raise QueueUnavailable("gone")
        return await super().after(seen, lasting=lasting)


def judgement(number: int = 1, action: Action = Action.FORWARD, effects: Effects = EFFECTS) -> Judgement:
    judged = dataclasses.replace(transaction(number), authorization_list=())
    return Judgement(judged, verdict(action=action), None, Facts(), effects=effects)


@asynccontextmanager
async def running(*members: Remembering) -> AsyncIterator[None]:
    async with asyncio.TaskGroup() as group:
        tasks = [group.create_task(member.run()) for member in members]
        try:
            yield
        finally:
            for task in tasks:
                task.cancel()


async def until(true: Callable[[], object]) -> None:
    async with asyncio.timeout(5):
        while True:
            if true():
                return
            await asyncio.sleep(0.005)


def knows(member: Remembering) -> bool:
    past = member.before(transaction(99), simulation(3))
    return bool(past.memory.created and past.taken)


async def test_what_one_replica_forwards_the_other_knows_beside_its_next_simulation() -> None:
    log = Away()
    one, two = Remembering(Recollection(), log), Remembering(Recollection(), log)
    async with running(one):
        one.keep(judgement())
        await until(lambda: log._messages)
        assert not knows(two)
        await two.beside()
        assert knows(two)
        assert two.outcome() == ()


async def test_many_simulations_share_one_question() -> None:
    log = Away()
    log.slow = 0.01
    member = Remembering(Recollection(), log)
    await asyncio.gather(*(member.beside() for _ in range(50)))
    assert log.questions <= 2


async def test_what_is_held_has_taken_nothing() -> None:
    member = Remembering(Recollection(), LocalMemoryLog())
    member.keep(judgement(action=Action.HOLD))
    past = member.before(transaction(99), simulation(3))
    assert past.memory.created == (ROUTER,)
    assert past.taken == {}


async def test_without_redis_the_process_remembers_and_the_report_says_what_is_missing() -> None:
    log = Away()
    one, two = Remembering(Recollection(), log), Remembering(Recollection(), log)
    log.away = True
    await one.beside()
    (outcome,) = one.outcome()
    assert (outcome.detector_id, outcome.status) == ("memory", OutcomeStatus.UNSUPPORTED)
    assert "gone" in str(outcome.error)
    asked = log.questions
    await one.beside()
    assert log.questions == asked, "a silent Redis is not asked again beside every simulation"
    one.keep(judgement())
    assert knows(one)
    async with running(one, two):
        await asyncio.sleep(0.05)
        assert not knows(two)
        log.away = False
        await until(lambda: knows(two))
        await until(lambda: not one.outcome())


async def test_a_hanging_redis_delays_no_verdict_for_long() -> None:
    log = Away()
    log.slow = 30.0
    member = Remembering(Recollection(), log)
    async with asyncio.timeout(1):
        await member.beside()
    assert "not read within 50 ms" in str(member.absent)


async def test_a_gateway_that_is_alone_reads_once_what_it_wrote_before_it_was_restarted() -> None:
    log = Away()
    first = Remembering(Recollection(), log, alone=True)
    async with running(first):
        first.keep(judgement())
        await until(lambda: log._messages)
    again = Remembering(Recollection(), log, alone=True)
    async with running(again):
        await until(lambda: knows(again))
    asked = log.questions
    await again.beside()
    assert log.questions == asked
    log.away = True
    assert again.outcome() == ()


async def test_a_message_of_another_version_is_passed_over() -> None:
    log = LocalMemoryLog()
    await log.append([b"who knows"])
    one, two = Remembering(Recollection(), log), Remembering(Recollection(), log)
    async with running(one):
        one.keep(judgement())
        await until(lambda: len(log._messages) == 2)
    await two.beside()
    assert knows(two)


@pytest.mark.parametrize("effects", [Effects(), Effects(Memory(), ())])
async def test_a_plain_payment_leaves_nothing(effects: Effects) -> None:
    log = LocalMemoryLog()
    member = Remembering(Recollection(), log)
    member.keep(judgement(effects=effects))
    assert not member._untold


async def test_what_may_be_used_late_is_told_to_whom_starts_later() -> None:
    """The common log forgets after half an hour; a replica that starts then still knows whom a stranger had named."""
    log, word = LocalMemoryLog(), Hearsay(POOL, 3, int.from_bytes(ROUTER, "big"), ROUTER, replaced=True)
    one = Remembering(Recollection(), log)
    async with running(one):
        one.keep(judgement(1))
        one.keep(judgement(2, effects=Effects(hearsay=(word,))))
        await until(lambda: len(log._messages) == 2)
    assert len(log._lasting) == 1
    log._messages.clear()
    heir = Recollection()
    two = Remembering(heir, log)
    async with running(two):
        await until(lambda: heir.words)
    assert heir.words == 1
