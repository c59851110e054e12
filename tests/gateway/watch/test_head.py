from __future__ import annotations

import asyncio
import contextlib
from collections.abc import AsyncIterator

import pytest

from gateway.errors import UpstreamNonsense
from gateway.model.head import HeadChange
from gateway.upstream.aiohttp import HttpUpstream
from gateway.upstream.client import UpstreamLimits
from gateway.upstream.subscription import new_heads
from gateway.watch.head import HeadFollower, parse_header
from tests.anvil import Anvil, needs_anvil, running_anvil
from tests.faulty import Fault, FaultProxy


class Ledger:
    """A listener that keeps the chain it was told of and checks each change against it."""

    def __init__(self) -> None:
        self.hashes: list[str] = []
        self.changes: list[HeadChange] = []

    async def __call__(self, change: HeadChange) -> None:
        self.changes.append(change)
        if not change.continuous:
            self.hashes = [str(change.head.hash)]
            return
        for header in change.dropped:
            assert self.hashes.pop() == str(header.hash)
        for header in change.added:
            assert str(header.ref.parent_hash) == self.hashes[-1]
            self.hashes.append(str(header.hash))
        assert self.hashes[-1] == str(change.head.hash)


@contextlib.asynccontextmanager
async def following(chain: Anvil, follower: HeadFollower) -> AsyncIterator[None]:
    task = asyncio.ensure_future(follower.run())
    try:
        yield
    finally:
        task.cancel()
        with contextlib.suppress(asyncio.CancelledError):
            await task


async def until_head_of(chain: Anvil, follower: HeadFollower) -> None:
    async with asyncio.timeout(5):
        while True:
            block = await asyncio.to_thread(chain.rpc, "eth_getBlockByNumber", "latest", False)
            if follower.head is not None and str(follower.head.hash) == block["hash"]:
                return
            await asyncio.sleep(0.02)


@needs_anvil
async def test_gaps_reorgs_and_a_chain_that_goes_back() -> None:
    with running_anvil("--no-mining") as chain:
        ledger = Ledger()
        async with HttpUpstream(chain.url) as upstream:
            follower = HeadFollower(upstream, ledger)
            await follower.refresh()
            for _ in range(7):
                chain.mine()
            await follower.refresh()
            assert [header.number for header in ledger.changes[-1].added] == [1, 2, 3, 4, 5, 6, 7]
            assert follower.statistics.gaps == 6

            chain.mine()
            await follower.refresh()
            chain.rpc("anvil_reorg", 5, [])
            await follower.refresh()
            assert len(ledger.changes[-1].dropped) == 5
            assert len(ledger.changes[-1].added) == 5

            snapshot = chain.rpc("evm_snapshot")
            chain.mine()
            chain.mine()
            await follower.refresh()
            chain.rpc("evm_revert", snapshot)
            await follower.refresh()
            await follower.refresh()
            truth = [chain.rpc("eth_getBlockByNumber", hex(number), False)["hash"] for number in range(9)]
            assert ledger.hashes[-len(truth) :] == truth
            assert follower.statistics.deepest_reorg == 5
            assert follower.statistics.reorgs == 2


@needs_anvil
async def test_one_older_answer_is_not_a_reorg() -> None:
    with running_anvil("--no-mining") as chain:
        ledger = Ledger()
        async with HttpUpstream(chain.url) as upstream:
            follower = HeadFollower(upstream, ledger)
            await follower.refresh()
            snapshot = chain.rpc("evm_snapshot")
            chain.mine()
            await follower.refresh()
            chain.rpc("evm_revert", snapshot)
            await follower.refresh()
            assert follower.head is not None
            assert follower.head.number == 1
            await follower.refresh()
            assert follower.head.number == 0


@needs_anvil
async def test_a_reorg_deeper_than_memory_voids_what_was_known(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("gateway.watch.head.REMEMBERED", 3)
    with running_anvil("--no-mining") as chain:
        ledger = Ledger()
        async with HttpUpstream(chain.url) as upstream:
            follower = HeadFollower(upstream, ledger)
            await follower.refresh()
            for _ in range(8):
                chain.mine()
                await follower.refresh()
            chain.rpc("anvil_reorg", 6, [])
            await follower.refresh()
            assert not ledger.changes[-1].continuous
            assert follower.statistics.discontinuities == 1


@needs_anvil
async def test_follows_a_quick_chain_by_subscription_and_survives_its_loss() -> None:
    with running_anvil("--block-time", "0.25") as chain:
        ledger = Ledger()
        async with (
            HttpUpstream(chain.url, UpstreamLimits(read_timeout=1.0)) as upstream,
            FaultProxy(chain.port) as proxy,
        ):
            follower = HeadFollower(
                upstream,
                ledger,
                lambda: new_heads(f"ws://127.0.0.1:{proxy.port}"),
                poll_interval=0.05,
                poll_interval_subscribed=0.5,
            )
            async with following(chain, follower):
                await asyncio.sleep(1.2)
                assert follower.subscribed
                await proxy.set(Fault.REFUSE)
                await asyncio.sleep(0.8)
                assert not follower.subscribed
                await until_head_of(chain, follower)
                await proxy.set(Fault.NONE)
                await asyncio.sleep(2.5)
                assert follower.subscribed
                chain.rpc("anvil_reorg", 3, [])
                await until_head_of(chain, follower)
            assert follower.statistics.reorgs >= 1
            assert follower.statistics.subscription_failures >= 1
            assert follower.statistics.poll_failures == 0


@needs_anvil
async def test_a_stalled_upstream_is_counted_and_left_behind() -> None:
    with running_anvil("--block-time", "0.25") as chain:
        ledger = Ledger()
        async with FaultProxy(chain.port) as proxy:
            url = f"http://127.0.0.1:{proxy.port}"
            async with HttpUpstream(url, UpstreamLimits(read_timeout=0.2)) as upstream:
                follower = HeadFollower(upstream, ledger, poll_interval=0.05)
                async with following(chain, follower):
                    await until_head_of(chain, follower)
                    for fault in (Fault.STALL, Fault.HALF, Fault.RESET):
                        await proxy.set(fault)
                        await asyncio.sleep(0.5)
                    assert follower.statistics.poll_failures >= 3
                    await proxy.set(Fault.NONE)
                    await until_head_of(chain, follower)
        assert follower.statistics.discontinuities == 0


@pytest.mark.parametrize("block", [None, {}, [], {"number": "x"}, {"number": 1}, "0x1"])
def test_malformed_headers_are_named(block: object) -> None:
    with pytest.raises(UpstreamNonsense, match="not a block header"):
        parse_header(block)
