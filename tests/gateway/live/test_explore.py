from __future__ import annotations

from collections.abc import AsyncIterator, Sequence
from typing import Any

import pytest

from gateway.errors import UpstreamNonsense, UpstreamRefused
from gateway.live.codes import CodeStore
from gateway.live.explore import Exploration, explored, is_unknown_method
from gateway.live.fetch import Call, StateFetcher
from gateway.model.primitive import Address, Hash32
from gateway.model.state import StateKeys
from gateway.upstream.aiohttp import HttpUpstream
from tests.anvil import Anvil, needs_anvil, running_anvil
from tests.gateway.live.chain import STORE, Gateway, deploy, signed

ROUTER = "602036038060206000376000600082600060006000355af100"
"""calls the address in the first word with the rest of its call data"""


@pytest.fixture
async def chain() -> AsyncIterator[Anvil]:
    with running_anvil("--no-mining", "--order", "fifo") as started:
        yield started


@pytest.fixture
async def upstream(chain: Anvil) -> AsyncIterator[HttpUpstream]:
    async with HttpUpstream(chain.url) as client:
        yield client


class Poor:
    """A node without some methods."""

    def __init__(self, upstream: HttpUpstream, *missing: str) -> None:
        self._upstream, self._missing = upstream, missing
        self.asked: list[str] = []

    async def call(self, method: str, params: Sequence[object] = (), *, within: float | None = None) -> object:
        return await self._upstream.call(method, params, within=within)

    async def batch(self, calls: Sequence[Call], *, within: float | None = None) -> list[Any]:
        self.asked += [method for method, _ in calls]
        answers = await self._upstream.batch(calls, within=within)
        return [
            UpstreamRefused(-32601, "the method does not exist") if method in self._missing else answer
            for (method, _), answer in zip(calls, answers, strict=True)
        ]


@needs_anvil
@pytest.mark.parametrize(
    ("missing", "first", "second"),
    [
        ((), 1, 2),
        (("debug_traceCall",), 2, 3),
        (("debug_traceCall", "eth_createAccessList"), 3, 3),
    ],
)
async def test_what_the_node_offers_decides_the_round_trips_and_not_the_result(
    chain: Anvil, upstream: HttpUpstream, missing: tuple[str, ...], first: int, second: int
) -> None:
    router, stores = deploy(chain, ROUTER), [deploy(chain, STORE) for _ in range(3)]
    reader = Poor(upstream, *missing)
    gateway = Gateway(reader)
    await gateway.follower.refresh()
    warm_up = signed(2, 0, stores[2], data=f"{1:064x}{2:064x}")
    await gateway.forward(warm_up, upstream)  # what a node does not offer is found out once
    trips = []
    for nonce, store in enumerate(stores[:2]):
        write = signed(0, nonce, router, data=f"{int(store, 16):064x}{5:064x}{nonce + 7:064x}")
        simulation = await gateway.forward(write, upstream)
        trips.append(simulation.basis.trips)
        assert simulation.state_diff[Address.from_hex(store)].storage == {5: (0, nonce + 7)}
    assert trips[0] <= first
    assert trips[1] <= second, "a known kind of call that goes where none went before"
    for method in missing:
        assert reader.asked.count(method) == 1, "what a node does not offer is asked for once"


@needs_anvil
async def test_values_of_a_prestate_are_the_nodes_own(chain: Anvil, upstream: HttpUpstream) -> None:
    router, store = deploy(chain, ROUTER), deploy(chain, STORE)
    chain.rpc("anvil_setStorageAt", store, f"0x{5:064x}", f"0x{77:064x}")
    chain.mine()
    write = signed(0, 0, router, data=f"{int(store, 16):064x}{5:064x}{9:064x}")
    block = Hash32.from_hex(chain.rpc("eth_getBlockByNumber", "latest", False)["hash"])
    fetched = await StateFetcher(upstream, CodeStore()).fetch(
        StateKeys(frozenset({write.sender})), block, explore=write
    )
    assert fetched.trips == 1
    assert fetched.values.slots == {(Address.from_hex(store), 5): 77}
    for address, account in fetched.values.accounts.items():
        where = str(address)
        assert account.balance == int(chain.rpc("eth_getBalance", where, "latest"), 16)
        assert account.nonce == int(chain.rpc("eth_getTransactionCount", where, "latest"), 16)
        assert "0x" + account.code.hex() == chain.rpc("eth_getCode", where, "latest")
    assert Address.from_hex(router) in fetched.values.accounts


@pytest.mark.parametrize(
    "answer",
    [None, [], {"0x12": {}}, {"0x" + "11" * 20: 5}, {"0x" + "11" * 20: {"storage": {"0x1": "zero"}}}],
)
def test_half_a_prestate_is_none(answer: object) -> None:
    with pytest.raises(UpstreamNonsense):
        explored(Exploration.PRESTATE, answer, CodeStore())


def test_what_geth_leaves_out_is_zero() -> None:
    address = Address(b"\x11" * 20)
    seen = explored(Exploration.PRESTATE, {str(address): {"storage": {"0x1": "0x0"}}}, CodeStore())
    assert (seen.values.accounts[address].nonce, seen.values.accounts[address].balance) == (0, 0)
    assert seen.values.slots == {(address, 1): 0}


def test_a_failed_call_is_no_missing_method() -> None:
    assert is_unknown_method(UpstreamRefused(-32601, "Method not found"))
    assert is_unknown_method(UpstreamRefused(-32000, "the method debug_traceCall does not exist/is not available"))
    assert not is_unknown_method(UpstreamRefused(-32000, "execution timeout"))
