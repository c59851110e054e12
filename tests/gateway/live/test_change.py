from __future__ import annotations

import asyncio
import itertools
from collections.abc import AsyncIterator, Sequence
from typing import Any

import pytest

from gateway.errors import UpstreamRefused
from gateway.live.cache import StateCache
from gateway.live.change import HeadCarrier, Invalidation
from gateway.live.codes import CodeStore
from gateway.live.fetch import Call, StateFetcher, slot_call
from gateway.model.head import HeadChange
from gateway.model.primitive import Address
from gateway.model.state import StateKeys
from gateway.upstream.aiohttp import HttpUpstream
from gateway.watch.head import HeadFollower
from tests.anvil import Anvil, needs_anvil, running_anvil

STORE = "6020356000355500"
"""sstore(calldata[0:32], calldata[32:64])"""
SLOTS = range(12)


class Dialled:
    """A reader that refuses some methods, or lies about some."""

    def __init__(self, upstream: HttpUpstream, refused: Sequence[str] = (), lying: bool = False) -> None:
        self.upstream, self.refused, self.lying = upstream, refused, lying

    async def call(self, method: str, params: Sequence[object] = (), *, within: float | None = None) -> object:
        return await self.upstream.call(method, params)

    async def batch(self, calls: Sequence[Call], *, within: float | None = None) -> list[object | UpstreamRefused]:
        answers = await self.upstream.batch(calls)
        for index, (method, _) in enumerate(calls):
            if method in self.refused:
                answers[index] = UpstreamRefused(-32601, "the method is not available")
            if self.lying and method == "debug_traceBlockByHash":
                answers[index] = []
        return answers


class Harness:
    """Follows a chain and keeps a cache that is compared with the node at every head."""

    def __init__(self, reader: Dialled) -> None:
        codes = CodeStore()
        self.fetcher = StateFetcher(reader, codes)
        self.carrier = HeadCarrier(self.fetcher, codes)
        self.cache = StateCache()
        self.compared = 0
        self.follower = HeadFollower(reader, self.advance)
        self.wanted = StateKeys()

    async def advance(self, change: HeadChange) -> None:
        carried = await self.carrier.carry(change, self.cache)
        self.cache.change(carried.change)
        await self.compare(change)
        missing = self.cache.unknown(self.wanted)
        self.cache.add((await self.fetcher.fetch(missing, change.head.hash)).values)
        await self.compare(change)

    async def compare(self, change: HeadChange) -> None:
        head = change.head.hash
        known = StateKeys(frozenset(self.cache.accounts), frozenset(self.cache.slots))
        truth = (await StateFetcher(self.fetcher._reader, CodeStore()).fetch(known, head)).values
        for key, value in truth.slots.items():
            assert self.cache.slots[key] == value, (change, key)
            self.compared += 1
        for address, account in truth.accounts.items():
            assert self.cache.accounts[address] == account, (change, address)
            self.compared += 1


def deploy(chain: Anvil, runtime: str, sender: str) -> str:
    size = len(runtime) // 2
    init = f"60{size:02x}600c60003960{size:02x}6000f3" + runtime
    hash = chain.rpc("eth_sendTransaction", {"from": sender, "data": "0x" + init, "gas": "0x100000"})
    chain.mine()
    address: str = chain.rpc("eth_getTransactionReceipt", hash)["contractAddress"]
    return address


def write(chain: Anvil, sender: str, contract: str, slot: int, value: int) -> None:
    chain.rpc(
        "eth_sendTransaction",
        {"from": sender, "to": contract, "data": f"0x{slot:064x}{value:064x}", "gas": "0x30000"},
    )


@pytest.fixture
async def chain() -> AsyncIterator[Anvil]:
    with running_anvil("--no-mining") as started:
        yield started


async def play(chain: Anvil, harness: Harness, rounds: int = 24) -> None:
    """Writes, zeroes, first coins to fresh accounts, reorgs and rollbacks, with a comparison at every head."""
    accounts = chain.rpc("eth_accounts")
    contracts = [deploy(chain, STORE, accounts[0]) for _ in range(2)]
    killer = deploy(chain, "73" + accounts[3][2:] + "ff", accounts[0])
    fresh = [f"0x{0xABCD0000 + index:040x}" for index in range(6)]
    harness.wanted = StateKeys(
        frozenset(Address.from_hex(text) for text in (*accounts[:4], *contracts, killer, *fresh, "0x" + "00" * 20)),
        frozenset((Address.from_hex(contract), slot) for contract in contracts for slot in SLOTS),
    )
    await harness.follower.refresh()
    counter = itertools.count(1)
    for turn in range(rounds):
        for index in range(4):
            write(chain, accounts[index % 2], contracts[index % 2], (turn * 5 + index) % 12, next(counter) % 3)
        chain.rpc("eth_sendTransaction", {"from": accounts[2], "to": fresh[turn % 6], "value": hex(turn + 1)})
        if turn % 7 == 3:
            chain.rpc("eth_sendTransaction", {"from": accounts[2], "to": killer, "value": "0x5", "gas": "0x20000"})
        chain.mine()
        if turn % 5 != 4:
            await harness.follower.refresh()
        if turn % 6 == 5:
            chain.rpc("anvil_reorg", 2, [])
            await harness.follower.refresh()


@needs_anvil
async def test_traces_keep_every_slot_exact_across_blocks_and_reorgs(chain: Anvil) -> None:
    async with HttpUpstream(chain.url) as upstream:
        harness = Harness(Dialled(upstream))
        await play(chain, harness)
        assert harness.carrier.statistics.by_trace > 20
        assert harness.carrier.statistics.dropped == 1, "only the start"
        assert harness.carrier.statistics.samples_wrong == 0
        assert harness.follower.statistics.reorgs == 4
        assert harness.compared > 1000


@needs_anvil
async def test_a_head_that_goes_back_is_undone(chain: Anvil) -> None:
    async with HttpUpstream(chain.url) as upstream:
        harness = Harness(Dialled(upstream))
        await play(chain, harness, rounds=3)
        snapshot = chain.rpc("evm_snapshot")
        sender = chain.rpc("eth_accounts")[0]
        for value in (7, 8, 9):
            for contract in sorted({str(address) for address, _ in harness.cache.slots}):
                write(chain, sender, contract, 3, value)
            chain.mine()
            await harness.follower.refresh()
        trips = harness.fetcher.trips
        chain.rpc("evm_revert", snapshot)
        await harness.follower.refresh()
        await harness.follower.refresh()
        assert harness.follower.statistics.deepest_reorg == 3
        assert harness.carrier.statistics.dropped == 1
        assert harness.fetcher.trips == trips + 1


@needs_anvil
@pytest.mark.parametrize(
    ("refused", "last"),
    [
        (("debug_traceBlockByHash",), Invalidation.PROOF),
        (("debug_traceBlockByHash", "eth_getProof", "eth_feeHistory"), Invalidation.DROP),
    ],
)
async def test_poorer_nodes_cost_round_trips_not_truth(
    chain: Anvil, refused: tuple[str, ...], last: Invalidation
) -> None:
    async with HttpUpstream(chain.url) as upstream:
        harness = Harness(Dialled(upstream, refused))
        await play(chain, harness, rounds=12)
        assert harness.carrier.invalidation is last
        assert harness.compared > 300


@needs_anvil
async def test_a_lying_trace_is_found_out_by_the_samples(chain: Anvil) -> None:
    async with HttpUpstream(chain.url) as upstream:
        harness = Harness(Dialled(upstream))
        sender = chain.rpc("eth_accounts")[0]
        contract = deploy(chain, STORE, sender)
        harness.wanted = StateKeys(slots=frozenset((Address.from_hex(contract), slot) for slot in range(4)))
        await harness.follower.refresh()
        harness.fetcher._reader.lying = True  # type: ignore[attr-defined]
        write(chain, sender, contract, 2, 99)
        chain.mine()
        await harness.follower.refresh()
        assert harness.carrier.statistics.samples_wrong == 1


@needs_anvil
async def test_every_slot_is_exact_at_250_ms_blocks_while_traffic_flows() -> None:
    with running_anvil("--block-time", "0.25") as chain:
        async with HttpUpstream(chain.url) as upstream:
            harness = Harness(Dialled(upstream))
            sender, other = chain.rpc("eth_accounts")[:2]
            init = "6008600c60003960086000f3" + STORE
            receipts = [
                await upstream.call("eth_sendTransaction", [{"from": sender, "data": "0x" + init, "gas": "0x100000"}])
            ]
            await asyncio.sleep(0.6)
            receipt: Any = await upstream.call("eth_getTransactionReceipt", receipts)
            contract = receipt["contractAddress"]
            harness.wanted = StateKeys(
                frozenset({Address.from_hex(sender), Address.from_hex(other)}),
                frozenset((Address.from_hex(contract), slot) for slot in SLOTS),
            )

            async def traffic() -> None:
                for turn in range(80):
                    data = f"0x{turn % 12:064x}{turn % 5:064x}"
                    await upstream.call(
                        "eth_sendTransaction", [{"from": other, "to": contract, "data": data, "gas": "0x30000"}]
                    )
                    await asyncio.sleep(0.03)

            writer = asyncio.ensure_future(traffic())
            while not writer.done():
                await harness.follower.refresh()
                await asyncio.sleep(0.02)
            await writer
            assert harness.carrier.statistics.by_trace >= 6
            assert harness.carrier.statistics.dropped == 1
            assert harness.compared > 100
            await slot_still_answers(upstream, contract, harness)


async def slot_still_answers(upstream: HttpUpstream, contract: str, harness: Harness) -> None:
    assert harness.follower.head is not None
    method, params = slot_call(Address.from_hex(contract), 0, harness.follower.head.hash)
    assert int(str(await upstream.call(method, params)), 16) == harness.cache.slots[(Address.from_hex(contract), 0)]
