from __future__ import annotations

import asyncio

from gateway.tasks.lane import FairLane, LaneLimits, Owner

A, B = Owner("client 1", "a"), Owner("client 1", "b")
OTHER = Owner("client 2", "c")


async def test_senders_take_turns_and_wait_only_behind_themselves() -> None:
    lane: FairLane[str] = FairLane(LaneLimits(10, 10, 5))
    for item in ("a1", "a2", "a3"):
        assert lane.offer(A, item)
    assert lane.offer(B, "b1")
    first, second = await lane.take(), await lane.take()
    assert [first[1], second[1]] == ["a1", "b1"]
    waiting = asyncio.ensure_future(lane.take())
    await asyncio.sleep(0.01)
    assert not waiting.done(), "a is in work already, and b has nothing more"
    lane.done(B)
    await asyncio.sleep(0.01)
    assert not waiting.done()
    lane.done(A)
    assert (await waiting)[1] == "a2"


async def test_a_client_with_many_senders_waits_behind_itself_only() -> None:
    lane: FairLane[str] = FairLane(LaneLimits(100, 50, 2))
    for number in range(40):
        assert lane.offer(Owner("crowd", number), f"crowd {number}")
    assert lane.offer(OTHER, "honest")
    taken = [(await lane.take())[1] for _ in range(2)]
    assert taken == ["crowd 0", "honest"]


def test_bounds_hold_for_sender_client_and_all() -> None:
    lane: FairLane[int] = FairLane(LaneLimits(capacity=4, per_client=3, per_sender=2))
    assert [lane.offer(A, number) for number in range(3)] == [True, True, False]
    assert [lane.offer(B, number) for number in range(2)] == [True, False], "the client's three places are taken"
    assert lane.offer(OTHER, 1)
    assert not lane.has_room(Owner("client 3", "d"))
    assert len(lane) == 4


async def test_what_is_in_work_counts() -> None:
    lane: FairLane[int] = FairLane(LaneLimits(10, 10, 1))
    assert lane.offer(A, 1)
    owner, _ = await lane.take()
    assert not lane.offer(A, 2)
    lane.done(owner)
    assert lane.offer(A, 2)
