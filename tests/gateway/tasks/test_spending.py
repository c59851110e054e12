"""Replicas tell each other what clients spend, over a real Valkey with the rights that a deployment has."""

from __future__ import annotations

from collections.abc import AsyncIterator

import pytest
import redis
from structlog.testing import capture_logs

from gateway.jsonrpc.errors import RpcError
from gateway.model.transaction import Client
from gateway.proxy.allowance import AllowanceLimits, Allowances, Rate
from gateway.store.shared.embedded import EmbeddedValkey
from gateway.store.shared.spending_log import SpendingLog
from gateway.tasks.spending import SharedSpending
from tests.stores import as_deployed

ONE, OTHER, KEYED = Client("192.0.2.1"), Client("192.0.2.2"), Client("192.0.2.1", "partner")
LIMITS = AllowanceLimits(Rate(2, 10), Rate(0.5, 1.0), Rate(1000, 5000), {"partner": 2.0})


class Replica:
    """One gateway's accounts and its way to the others; its clock stands still."""

    def __init__(self, url: str, name: str) -> None:
        self.accounts = Allowances(LIMITS, clock=lambda: 100.0)
        self.log = SpendingLog(url, name, timeout=0.3)
        self.task = SharedSpending(self.accounts.take_spent, self.accounts.spent_elsewhere, self.log.exchange)

    def calls(self, client: Client, most: int = 1000) -> int:
        """Calls that pass, up to `most`."""
        passed = 0
        while passed < most:
            try:
                self.accounts.request(client)
            except RpcError:
                break
            passed += 1
        return passed


@pytest.fixture
async def replicas(valkey: EmbeddedValkey) -> AsyncIterator[list[Replica]]:
    with redis.Redis.from_url(valkey.url) as client:
        client.flushall()
    made = [Replica(as_deployed(valkey), name) for name in ("a", "b", "c")]
    for replica in made:
        await replica.task.round()
    yield made
    for replica in made:
        await replica.log.close()


async def exchange(replicas: list[Replica]) -> None:
    """Everybody tells, then everybody hears."""
    for _ in range(2):
        for replica in replicas:
            await replica.task.round()


async def test_what_is_spent_at_one_replica_is_missing_at_all(replicas: list[Replica]) -> None:
    first, second, third = replicas
    assert first.calls(ONE, 6) == 6
    await exchange(replicas)
    assert (second.calls(ONE), third.calls(OTHER)) == (4, 10)
    await exchange(replicas)
    assert [replica.calls(ONE) for replica in replicas] == [0, 0, 0]
    assert first.calls(KEYED) == 20, "a key has its own account and its own factor"


async def test_a_burst_had_from_each_is_owed(replicas: list[Replica]) -> None:
    assert [replica.calls(ONE) for replica in replicas] == [10, 10, 10]
    await exchange(replicas)
    with pytest.raises(RpcError) as refused:
        replicas[0].accounts.request(ONE)
    assert refused.value.error.data is not None
    assert refused.value.error.data["retryAfterMs"] == 10_500, "20 of the others are owed, at 2 a second"


async def test_inspection_time_and_gas_are_shared_too(replicas: list[Replica]) -> None:
    first, second, _ = replicas
    first.accounts.charge(ONE, 1.5, 100)
    first.accounts.charge(OTHER, 0.1, 6000)
    await exchange(replicas)
    with pytest.raises(RpcError, match="much time"):
        second.accounts.inspection(ONE)
    with pytest.raises(RpcError, match="much gas"):
        second.accounts.inspection(OTHER)
    second.accounts.inspection(KEYED)


async def test_one_who_comes_later_learns_only_what_follows(valkey: EmbeddedValkey, replicas: list[Replica]) -> None:
    assert replicas[0].calls(ONE) == 10
    await exchange(replicas)
    late = Replica(as_deployed(valkey), "late")
    await late.task.round()
    assert late.calls(ONE, 3) == 3
    await exchange([late, *replicas])
    assert replicas[1].calls(ONE) == 0
    await late.log.close()


async def test_without_redis_each_counts_for_itself_and_says_so_once() -> None:
    alone = Replica("redis://127.0.0.1:1/0", "alone")
    with capture_logs() as lines:
        await alone.task.round()
        assert alone.calls(ONE) == 10
        await alone.task.round()
    assert [line["event"] for line in lines] == ["limits.not_shared"]
    assert not alone.task.shared
    assert alone.calls(ONE) == 0
    await alone.log.close()


async def test_a_message_of_another_version_is_left_alone(valkey: EmbeddedValkey, replicas: list[Replica]) -> None:
    with redis.Redis.from_url(valkey.url) as client:
        client.xadd("stopgate:{spending}:log", {b"d": b"\xff"})
    assert replicas[0].calls(ONE, 2) == 2
    await exchange(replicas)
    assert replicas[1].calls(ONE) == 8
