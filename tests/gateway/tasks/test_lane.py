from __future__ import annotations

import asyncio

from gateway.tasks.lane import FairLane


async def test_owners_take_turns_and_wait_only_behind_themselves() -> None:
    lane: FairLane[str] = FairLane(capacity=10, per_owner=5)
    for item in ("a1", "a2", "a3"):
        assert lane.offer("a", item)
    assert lane.offer("b", "b1")
    first, second = await lane.take(), await lane.take()
    assert [first[1], second[1]] == ["a1", "b1"]
    waiting = asyncio.ensure_future(lane.take())
    await asyncio.sleep(0.01)
    assert not waiting.done(), "a is in work already, and b has nothing more"
    lane.done("b")
    await asyncio.sleep(0.01)
    assert not waiting.done()
    lane.done("a")
    assert (await waiting)[1] == "a2"


def test_bounds_hold_for_one_owner_and_for_all() -> None:
    lane: FairLane[int] = FairLane(capacity=3, per_owner=2)
    assert [lane.offer("a", number) for number in range(3)] == [True, True, False]
    assert lane.offer("b", 1)
    assert not lane.has_room("c")
    assert not lane.offer("c", 1)
    assert len(lane) == 3


async def test_what_is_in_work_counts() -> None:
    lane: FairLane[int] = FairLane(capacity=10, per_owner=1)
    assert lane.offer("a", 1)
    await lane.take()
    assert not lane.offer("a", 2)
    lane.done("a")
    assert lane.offer("a", 2)
