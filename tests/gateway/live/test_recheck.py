from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Sequence
from dataclasses import replace
from typing import Any

import pytest

from gateway.errors import UpstreamRefused
from gateway.live.fetch import Call
from gateway.live.recheck import Outcome, Recheck
from gateway.model.trace import AccountDiff
from gateway.upstream.aiohttp import HttpUpstream
from tests.anvil import Anvil, needs_anvil, running_anvil
from tests.gateway.live.chain import STORE, VAULT, Gateway, deploy, init_code, signed

pytestmark = needs_anvil


@pytest.fixture
async def chain() -> AsyncIterator[Anvil]:
    with running_anvil("--no-mining", "--order", "fifo") as started:
        yield started


@pytest.fixture
async def upstream(chain: Anvil) -> AsyncIterator[HttpUpstream]:
    async with HttpUpstream(chain.url) as client:
        yield client


async def test_right_verdicts_are_found_right_by_receipt_and_trace(chain: Anvil, upstream: HttpUpstream) -> None:
    store, vault = deploy(chain, STORE), deploy(chain, VAULT, value=10**18)
    gateway = Gateway(upstream)
    await gateway.follower.refresh()
    transactions = [
        signed(0, 0, store, data=f"{1:064x}{7:064x}"),
        signed(0, 1, store, data=f"{1:064x}{0:064x}"),
        signed(1, 0, "0x" + "ab" * 20, value=123),
        signed(1, 1, None, data=init_code(STORE)),
        signed(0, 2, store, data=f"{2:064x}{9:064x}", gas=30_000),
        signed(0, 3, vault, data="01"),
        signed(1, 2, vault),
    ]
    made = [(transaction, await gateway.forward(transaction, upstream)) for transaction in transactions]
    recheck = Recheck(upstream, 1.0)
    assert (await recheck.check(*made[0])).outcome is Outcome.UNMINED
    chain.mine()
    for transaction, simulation in made:
        checked = await recheck.check(transaction, simulation)
        assert (checked.outcome, checked.traced, checked.behind) == (Outcome.RIGHT, True, 0), checked.difference


async def test_a_wrong_slot_balance_or_event_is_named(chain: Anvil, upstream: HttpUpstream) -> None:
    store, vault = deploy(chain, STORE), deploy(chain, VAULT, value=10**18)
    gateway = Gateway(upstream)
    await gateway.follower.refresh()
    write, send = signed(0, 0, store, data=f"{1:064x}{7:064x}"), signed(1, 0, vault, data="01")
    wrote, opened = await gateway.forward(write, upstream), await gateway.forward(send, upstream)
    chain.mine()
    recheck = Recheck(upstream, 1.0)
    account = wrote.state_diff[write.to]
    other = replace(wrote, state_diff={**wrote.state_diff, write.to: replace(account, storage={1: (5, 7)})})
    checked = await recheck.check(write, other)
    assert checked.outcome is Outcome.WRONG
    assert "5 -> 7 predicted, 0 -> 7" in checked.difference
    richer = replace(opened, state_diff={**opened.state_diff, write.to: AccountDiff(balance=(0, 9))})
    assert "+9 wei predicted, +0" in (await recheck.check(send, richer)).difference
    assert "gas" in (await recheck.check(write, replace(wrote, gas_used=1))).difference


async def test_what_another_door_changed_before_inclusion_is_moved_not_wrong(
    chain: Anvil, upstream: HttpUpstream
) -> None:
    store = deploy(chain, STORE)
    gateway = Gateway(upstream)
    await gateway.follower.refresh()
    write = signed(0, 0, store, data=f"{1:064x}{7:064x}")
    simulation = await gateway.simulate(write)
    chain.rpc("eth_sendRawTransaction", "0x" + signed(2, 0, store, data=f"{1:064x}{3:064x}").raw.data.hex())
    chain.mine()
    chain.rpc("eth_sendRawTransaction", "0x" + write.raw.data.hex())
    chain.mine()
    checked = await Recheck(upstream, 1.0).check(write, simulation)
    assert (checked.outcome, checked.behind) == (Outcome.MOVED, 1), checked.difference


class NoTraces:
    """An upstream without the debug namespace."""

    def __init__(self, upstream: HttpUpstream) -> None:
        self._upstream = upstream
        self.refused = 0

    async def call(self, method: str, params: Sequence[object] = (), *, within: float | None = None) -> object:
        return await self._upstream.call(method, params, within=within)

    async def batch(self, calls: Sequence[Call], *, within: float | None = None) -> list[Any]:
        self.refused += 1
        return [UpstreamRefused(-32601, "no such method") for _ in calls]


async def test_without_traces_receipts_are_compared_and_the_sample_runs_by_itself(
    chain: Anvil, upstream: HttpUpstream
) -> None:
    gateway = Gateway(upstream)
    await gateway.follower.refresh()
    transactions = [signed(0, nonce, "0x" + "ab" * 20, value=1) for nonce in range(2)]
    reader = NoTraces(upstream)
    recheck = Recheck(reader, 1.0, pause=0.01)
    for transaction in transactions:
        recheck.offer(transaction, await gateway.forward(transaction, upstream))
    running = asyncio.ensure_future(recheck.run())
    chain.mine()
    async with asyncio.timeout(10):
        while True:
            if recheck.statistics.outcomes[Outcome.RIGHT] == 2:
                break
            await asyncio.sleep(0.02)
    running.cancel()
    assert reader.refused == 1, "a node without traces is asked once"
    assert recheck.statistics.traced == 0
    assert recheck.statistics.behind[0] == 2


async def test_the_sample_may_be_nothing(upstream: HttpUpstream) -> None:
    gateway = Gateway(upstream)
    await gateway.follower.refresh()
    transaction = signed(0, 0, "0x" + "ab" * 20, value=1)
    recheck = Recheck(upstream, 0.0, pause=0.001)
    recheck.offer(transaction, await gateway.simulate(transaction))
    running = asyncio.ensure_future(recheck.run())
    await asyncio.sleep(0.05)
    running.cancel()
    assert not recheck.statistics.outcomes
