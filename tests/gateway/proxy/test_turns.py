from __future__ import annotations

import asyncio
import dataclasses
import time
from types import MappingProxyType

import pytest

from gateway.jsonrpc.errors import RpcError
from gateway.model.facts import Facts
from gateway.model.transaction import Client, Transaction
from gateway.pipeline import Judgement
from gateway.proxy.allowance import AllowanceLimits, Allowances, Rate
from gateway.proxy.nonces import PARKING
from gateway.proxy.turns import TurnLimits, Turns
from tests.cases import transaction

CROWD, HONEST = Client("192.0.2.66"), Client("192.0.2.1", "partner")


class Engine:
    """Judges when the test says so."""

    def __init__(self) -> None:
        self.gate = asyncio.Event()
        self.began: list[int] = []
        self.at_work = self.most = 0

    async def judge(self, transaction: Transaction, deadline: float) -> Judgement:
        self.began.append(transaction.nonce)
        self.at_work += 1
        self.most = max(self.most, self.at_work)
        try:
            async with asyncio.timeout(max(deadline - time.monotonic(), 0.01)):
                await self.gate.wait()
        except TimeoutError:
            pass
        finally:
            self.at_work -= 1
        timings = MappingProxyType({"simulate": 0.2, "inspect": 0.1})
        return Judgement(transaction, PARKING, None, Facts(), timings)


def heavy(number: int, gas: int = 5_000_000) -> Transaction:
    return dataclasses.replace(transaction(number), nonce=number, gas_limit=gas)


def soon(seconds: float = 5.0) -> float:
    return time.monotonic() + seconds


async def test_a_crowd_of_one_client_leaves_a_slot_free_and_waits_behind_itself() -> None:
    engine = Engine()
    turns = Turns(engine.judge, Allowances(), TurnLimits(slots=3, waiting_per_client=10))
    crowd = [asyncio.ensure_future(turns.judge(heavy(number), CROWD, soon())) for number in range(6)]
    await asyncio.sleep(0.01)
    assert engine.began == [0, 1], "all but one of three slots"
    assert turns.waiting == 4
    honest = asyncio.ensure_future(turns.judge(heavy(100), HONEST, soon()))
    await asyncio.sleep(0.01)
    assert engine.began == [0, 1, 100]
    second = asyncio.ensure_future(turns.judge(heavy(101), HONEST, soon()))
    light = asyncio.ensure_future(turns.judge(heavy(200, gas=21_000), HONEST, soon()))
    await asyncio.sleep(0.01)
    assert engine.began[3:] == [200], "what is light waits for nobody"
    engine.gate.set()
    await asyncio.gather(*crowd, honest, second, light)
    assert engine.began.index(101) <= 6, "clients take turns"
    assert turns.waiting == 0


async def test_too_many_waiting_are_refused_with_a_hint_and_others_are_not() -> None:
    engine = Engine()
    turns = Turns(engine.judge, Allowances(), TurnLimits(slots=2, waiting_per_client=2))
    crowd = [asyncio.ensure_future(turns.judge(heavy(number), CROWD, soon())) for number in range(3)]
    await asyncio.sleep(0.01)
    with pytest.raises(RpcError) as refused:
        await turns.judge(heavy(9), CROWD, soon())
    assert refused.value.error.data is not None
    assert refused.value.error.data["limit"] == "waiting"
    engine.gate.set()
    await turns.judge(heavy(10), HONEST, soon())
    await asyncio.gather(*crowd)


async def test_whose_turn_does_not_come_is_judged_without_time() -> None:
    engine = Engine()
    turns = Turns(engine.judge, Allowances(), TurnLimits(slots=2))
    first = asyncio.ensure_future(turns.judge(heavy(1), CROWD, soon()))
    await asyncio.sleep(0.01)
    late = await turns.judge(heavy(2), CROWD, soon(0.05))
    assert late.transaction.nonce == 2
    assert engine.at_work == 1
    engine.gate.set()
    await first
    await asyncio.gather(*(turns.judge(heavy(number), CROWD, soon()) for number in range(3, 9)))
    assert engine.at_work == 0


async def test_who_leaves_the_line_frees_the_place() -> None:
    engine = Engine()
    turns = Turns(engine.judge, Allowances(), TurnLimits(slots=2))
    tasks = [asyncio.ensure_future(turns.judge(heavy(number), CROWD, soon())) for number in range(3)]
    await asyncio.sleep(0.01)
    tasks[1].cancel()
    tasks[0].cancel()
    await asyncio.gather(tasks[0], tasks[1], return_exceptions=True)
    await asyncio.sleep(0.01)
    assert engine.began == [0, 2]
    engine.gate.set()
    await tasks[2]
    assert turns.waiting == 0
    assert not turns._running


async def test_the_cost_is_charged_and_owed() -> None:
    engine = Engine()
    engine.gate.set()
    accounts = Allowances(AllowanceLimits(seconds=Rate(0.1, 0.05)))
    turns = Turns(engine.judge, accounts)
    await turns.judge(heavy(1), CROWD, soon())
    with pytest.raises(RpcError, match="much time"):
        await turns.judge(heavy(2), CROWD, soon())
    await turns.judge(heavy(3), HONEST, soon())


async def test_a_task_behind_the_edge_takes_turns_and_keeps_its_time() -> None:
    engine = Engine()
    turns = Turns(engine.judge, Allowances(), TurnLimits(slots=2))
    first = asyncio.ensure_future(turns.judge(heavy(1), CROWD, soon()))
    lane = turns.background("slow lane")
    second = asyncio.ensure_future(lane(heavy(2), HONEST, soon(1)))
    third = asyncio.ensure_future(lane(heavy(3), HONEST, soon(0.02)))
    await asyncio.sleep(0.05)
    assert engine.began == [1, 2]
    engine.gate.set()
    await asyncio.gather(first, second, third)
    assert engine.began == [1, 2, 3]


async def test_the_slow_lane_is_charged_to_who_sent_it_and_refused_to_nobody() -> None:
    engine = Engine()
    engine.gate.set()
    turns = Turns(engine.judge, Allowances(AllowanceLimits(seconds=Rate(0.1, 0.05))))
    lane = turns.background("slow lane")
    for number in range(3):
        await lane(heavy(number), CROWD, soon())
    with pytest.raises(RpcError, match="much time"):
        await turns.judge(heavy(3), CROWD, soon())
    await turns.judge(heavy(4), HONEST, soon())
