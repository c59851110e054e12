from __future__ import annotations

import dataclasses
from datetime import timedelta

from gateway.model.facts import Facts
from gateway.model.finding import Severity
from gateway.model.primitive import Address, Hash32
from gateway.model.trace import SimulationResult
from gateway.model.verdict import Action
from gateway.pipeline import Judgement
from gateway.store.database import Database
from gateway.store.knowledge.trust import Clean, TrustBook
from gateway.tasks.reputation import ReputationKeeper
from tests.cases import CLEAN, Clock, finding, transaction, verdict
from tests.makers import ENTRY, Tape, account


def call() -> SimulationResult:
    tape = Tape()
    with tape.call(ENTRY):
        pass
    return tape.result()


class Chain:
    """Blocks by number, and the newest."""

    def __init__(self) -> None:
        self.blocks: dict[int, set[Hash32]] = {}
        self.asked: list[int] = []
        self.head: int | None = None

    async def mined(self, number: int) -> frozenset[Hash32]:
        self.asked.append(number)
        return frozenset(self.blocks.get(number, ()))


def judgement(number: int, sender: Address, **parts: object) -> Judgement:
    judged = dataclasses.replace(transaction(number), sender=sender, to=ENTRY)
    given = {"verdict": CLEAN, "simulation": call(), **parts}
    return Judgement(judged, facts=Facts(), **given)  # type: ignore[arg-type]


async def test_only_what_was_clean_and_mined_counts(database: Database, clock: Clock) -> None:
    chain, book = Chain(), TrustBook(database, now=clock)
    keeper = ReputationKeeper(book, chain.mined, lambda: chain.head)
    await keeper.look()
    chain.head = 10
    await keeper.look()
    grave = verdict(finding(severity=Severity.MEDIUM), action=Action.FORWARD)
    offered = [
        judgement(1, account(101)),
        judgement(2, account(102)),
        judgement(3, account(103)),
        judgement(4, account(104), verdict=grave),
        judgement(5, account(105), verdict=dataclasses.replace(CLEAN, action=Action.HOLD)),
        judgement(6, account(106), simulation=None),
    ]
    for one in offered:
        keeper.offer(one)
    chain.blocks[12] = {one.transaction.hash for one in offered if one is not offered[2]}
    chain.head = 12
    await keeper.look()
    await keeper.look()
    assert chain.asked == [11, 12], "nothing waited for block 10"
    await keeper.flush()
    known = await book.reputation(ENTRY)
    assert known is not None
    assert (known.clean, known.senders) == (2, 2), "the third is not mined, the others were not clean"
    first = await book.reputation(account(101))
    assert first is not None
    assert (first.clean, first.senders) == (1, 0)
    assert await book.reputation(account(104)) is None


async def test_a_standing_is_known_without_waiting_after_a_reload(database: Database, clock: Clock) -> None:
    chain, book = Chain(), TrustBook(database, now=clock)
    keeper = ReputationKeeper(book, chain.mined, lambda: chain.head)
    await book.count_clean({ENTRY: Clean(300, {account(number) for number in range(30)})})
    clock.forward(days=2)
    await book.count_clean({ENTRY: Clean(1)})
    assert keeper.of(ENTRY) is None
    await keeper.reload()
    known = keeper.of(ENTRY)
    assert known is not None
    assert known.public
    assert known.last_seen - known.first_seen == timedelta(days=2)
