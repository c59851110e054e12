from __future__ import annotations

from collections.abc import AsyncIterator, Sequence
from typing import Any

import pytest

from gateway.live.cache import StateChange
from gateway.live.change import Carried
from gateway.live.fetch import Call
from gateway.live.late import LateArrivals
from gateway.model.primitive import Address, Hash32
from gateway.model.state import AccountState, StateBatch
from gateway.upstream.aiohttp import HttpUpstream
from tests.anvil import Anvil, needs_anvil, running_anvil
from tests.gateway.live.chain import STORE, Gateway, deploy, signed

A, B, C = (Hash32(bytes([number]) * 32) for number in (1, 2, 3))
ONE, TWO = Address(b"\x01" * 20), Address(b"\x02" * 20)
BATCH = StateBatch({ONE: AccountState(balance=1), TWO: AccountState(balance=2)}, {(ONE, 1): 10, (TWO, 1): 20})


def step(values: StateBatch, *, traced: bool = True, volatile: frozenset[Address] = frozenset()) -> Carried:
    return Carried(StateChange(values), frozenset() if traced else None, None, volatile)


def test_only_what_a_block_wrote_is_replaced() -> None:
    late = LateArrivals()
    late.stepped(A, B, step(StateBatch(slots={(ONE, 1): 11})))
    late.stepped(B, C, step(StateBatch({TWO: AccountState(balance=9)}), volatile=frozenset({ONE})))
    late.add(A, BATCH)
    (carried,) = late.take(C)
    assert carried.slots == {(ONE, 1): 11, (TWO, 1): 20}
    assert carried.accounts == {TWO: AccountState(balance=9)}, "an account changed without a trace is not known"
    assert list(late.take(C)) == []


def test_an_unknown_way_carries_nothing() -> None:
    late = LateArrivals()
    late.stepped(A, B, step(StateBatch(), traced=False))
    late.add(A, BATCH)
    assert list(late.take(B)) == [], "proofs say nothing of keys that were not known"
    late.add(C, BATCH)
    assert list(late.take(B)) == []
    late.add(B, BATCH)
    assert [each.slots for each in late.take(B)] == [BATCH.slots]


class BlockBetween:
    """An upstream behind which a block is made, and followed, while an answer about the old head travels."""

    def __init__(self, chain: Anvil, upstream: HttpUpstream) -> None:
        self._chain, self._upstream = chain, upstream
        self.gateway: Gateway | None = None
        self.armed = False

    async def call(self, method: str, params: Sequence[object] = (), *, within: float | None = None) -> object:
        return await self._upstream.call(method, params, within=within)

    async def batch(self, calls: Sequence[Call], *, within: float | None = None) -> list[Any]:
        answers = await self._upstream.batch(calls, within=within)
        if self.armed and self.gateway is not None:
            self.armed = False
            self._chain.mine()
            await self.gateway.follower.refresh()
        return answers


@pytest.fixture
async def chain() -> AsyncIterator[Anvil]:
    with running_anvil("--no-mining", "--order", "fifo") as started:
        yield started


@needs_anvil
async def test_a_block_in_between_costs_no_round_trip_and_no_truth(chain: Anvil) -> None:
    store = deploy(chain, STORE)
    async with HttpUpstream(chain.url) as upstream:
        reader = BlockBetween(chain, upstream)
        gateway = reader.gateway = Gateway(reader)
        await gateway.follower.refresh()
        # The block that comes in between writes what the transaction reads.
        chain.rpc("eth_sendRawTransaction", "0x" + signed(1, 0, store, data=f"{5:064x}{3:064x}").raw.data.hex())
        reader.armed = True
        simulation = await gateway.simulate(signed(0, 0, store, data=f"{5:064x}{9:064x}"))
        assert not reader.armed
        assert gateway.live.statistics.restarts == 1
        assert simulation.basis.trips == 1
        assert simulation.state_diff[Address.from_hex(store)].storage == {5: (3, 9)}
        assert simulation.block.number == int(chain.rpc("eth_blockNumber"), 16) + 1
