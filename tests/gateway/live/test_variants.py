from __future__ import annotations

import time
from collections.abc import AsyncIterator

import pytest

from gateway.live.state import LiveState, SecondLooks
from gateway.live.variants import VariantKind
from gateway.model.finding import Confidence, Severity
from gateway.model.trace import SimulationStatus
from gateway.model.transaction import Transaction
from gateway.upstream.aiohttp import HttpUpstream
from tests.anvil import Anvil, needs_anvil, running_anvil
from tests.gateway.live.chain import ENGINES, STORE, VAULT, Gateway, deploy, gains, signed

pytestmark = needs_anvil
COINS = 5 * 10**18
SEND_ALL = "6000600060006000" + "47335af150"
"""call(gas, caller, selfbalance, 0, 0, 0, 0)"""
SHY = "4115601257" + SEND_ALL + "5b00"
"""Sends all its coins to the caller, unless the coinbase is zero, as it is on this chain."""
TIPPING = "6000600060006000600141" + "5af15000"
"""Pays one wei to the coinbase, as searchers do."""


@pytest.fixture
async def chain() -> AsyncIterator[Anvil]:
    with running_anvil("--no-mining", "--order", "fifo") as started:
        yield started


@pytest.fixture
async def upstream(chain: Anvil) -> AsyncIterator[HttpUpstream]:
    async with HttpUpstream(chain.url) as client:
        yield client


async def look(live: LiveState, transaction: Transaction, *, suspicious: bool = False) -> SecondLooks:
    simulation = await live.simulate(transaction, time.monotonic() + 10)
    return await live.second_looks(transaction, simulation, time.monotonic() + 10, suspicious=suspicious)


@pytest.mark.parametrize("simulator", ENGINES)
async def test_code_that_watches_the_coinbase_is_found_out(
    chain: Anvil, upstream: HttpUpstream, simulator: str
) -> None:
    gateway = Gateway(upstream, simulator=simulator)
    shy = deploy(chain, SHY, value=COINS)
    await gateway.follower.refresh()
    strike = signed(1, 0, shy)
    first = await gateway.simulate(strike)
    assert gains(first, strike.sender) < 0
    looks = await look(gateway.live, strike)
    assert [variant.kind for variant in looks.variants] == [VariantKind.COINBASE]
    (finding,) = looks.findings
    assert (finding.detector_id, finding.severity, finding.confidence) == (
        "simulation-evasion",
        Severity.HIGH,
        Confidence.MEDIUM,
    )
    assert str(strike.sender) in finding.evidence["coinbase"]
    assert looks.variants[0].result is not None
    assert gains(looks.variants[0].result, strike.sender) > COINS // 2


async def test_paying_the_coinbase_is_no_evasion(chain: Anvil, upstream: HttpUpstream) -> None:
    gateway = Gateway(upstream)
    tipping = deploy(chain, TIPPING, value=10)
    await gateway.follower.refresh()
    looks = await look(gateway.live, signed(1, 0, tipping))
    assert VariantKind.COINBASE in [variant.kind for variant in looks.variants]
    assert looks.findings == ()


async def test_code_that_reads_nothing_is_run_once_unless_suspicious(chain: Anvil, upstream: HttpUpstream) -> None:
    gateway = Gateway(upstream)
    store = deploy(chain, STORE)
    await gateway.follower.refresh()
    transaction = signed(1, 0, store, data=f"{1:064x}{2:064x}")
    assert await look(gateway.live, transaction) == SecondLooks((), (), ())
    looks = await look(gateway.live, transaction, suspicious=True)
    assert {variant.kind for variant in looks.variants} == set(VariantKind) - {VariantKind.WITHOUT_PENDING}
    assert looks.findings == ()
    assert all(variant.result is not None for variant in looks.variants)


async def test_a_screen_that_is_forwarded_first_does_not_hide_the_strike(chain: Anvil, upstream: HttpUpstream) -> None:
    gateway = Gateway(upstream)
    vault = deploy(chain, VAULT, value=COINS)
    chain.rpc("anvil_setStorageAt", vault, "0x" + "00" * 32, f"0x{1:064x}")
    chain.mine()
    await gateway.follower.refresh()
    strike = signed(1, 0, vault)
    # The first taker leaves nothing, so that the second looks harmless behind it.
    await gateway.forward(signed(0, 0, vault), upstream)
    assert gains(await gateway.simulate(strike), strike.sender) < 0
    looks = await look(gateway.live, strike)
    alone = next(variant for variant in looks.variants if variant.kind is VariantKind.WITHOUT_PENDING)
    assert alone.result is not None
    assert gains(alone.result, strike.sender) > COINS // 2
    assert looks.findings == ()


async def test_a_strike_that_was_sent_first_is_seen_behind_the_stage_it_waits_for(
    chain: Anvil, upstream: HttpUpstream
) -> None:
    gateway = Gateway(upstream)
    vault = deploy(chain, VAULT, value=COINS)
    await gateway.follower.refresh()
    strike, stage = signed(1, 0, vault), signed(0, 0, vault, data="01", tip=9 * 10**9)
    harmless = await gateway.forward(strike, upstream)
    assert gains(harmless, strike.sender) < 0
    # A sequencer that orders by fee mines the stage before the strike, whichever came first.
    looks = await look(gateway.live, stage)
    ((behind, result),) = looks.reordered
    assert behind.hash == strike.hash
    assert gains(result, strike.sender) > COINS // 2
    unrelated = await look(gateway.live, signed(2, 0, "0x" + "ab" * 20, value=1))
    assert unrelated.reordered == ()


async def test_no_time_is_told(chain: Anvil, upstream: HttpUpstream) -> None:
    gateway = Gateway(upstream)
    shy = deploy(chain, SHY, value=COINS)
    await gateway.follower.refresh()
    strike = signed(1, 0, shy)
    simulation = await gateway.simulate(strike)
    looks = await gateway.live.second_looks(strike, simulation, time.monotonic() - 1, suspicious=False)
    assert [(variant.result, variant.error) for variant in looks.variants] == [(None, "no time left")]


async def test_other_code_at_a_known_address_is_named(chain: Anvil, upstream: HttpUpstream) -> None:
    gateway = Gateway(upstream)
    store = deploy(chain, STORE)
    await gateway.follower.refresh()
    transaction = signed(1, 0, store, data=f"{1:064x}{2:064x}")
    simulation = await gateway.simulate(transaction)
    assert simulation.status is SimulationStatus.SUCCESS
    assert (await look(gateway.live, transaction)).findings == ()
    # No trace shows anvil_setCode; after a reorg that cannot be undone everything is asked for anew.
    gateway.live.head_state.carrier._journal.clear()
    chain.rpc("anvil_reorg", 1, [])
    chain.rpc("anvil_setCode", store, "0x" + VAULT)
    chain.mine()
    await gateway.follower.refresh()
    (finding,) = (await look(gateway.live, transaction)).findings
    assert finding.detector_id == "contract-recreated"
    assert store in finding.summary
