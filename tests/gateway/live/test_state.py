from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Sequence
from dataclasses import replace
from typing import Any

import pytest

from gateway.errors import Unexecutable, UpstreamError, UpstreamRefused
from gateway.evm.admission import upfront_cost
from gateway.evm.data_fee import (
    BASE_FEE,
    BLOB_BASE_FEE,
    L1_BLOCK,
    OPERATOR,
    SCALARS,
    data_fee,
    operator_fee,
)
from gateway.live.change import Invalidation
from gateway.live.conduct import LiveSettings
from gateway.live.fetch import Call
from gateway.live.runner import Ran
from gateway.live.view import View
from gateway.model.chain import FeeRule
from gateway.model.pending import Admission
from gateway.model.trace import SimulationStatus
from gateway.model.transaction import Transaction
from gateway.store.shared.pending import MemoryPendingLog
from gateway.upstream.aiohttp import HttpUpstream
from tests.anvil import Anvil, needs_anvil, running_anvil
from tests.gateway.live.chain import (
    ENGINES,
    PROFILE,
    STORE,
    VAULT,
    Gateway,
    deploy,
    following,
    gains,
    init_code,
    signed,
)

pytestmark = needs_anvil
COINS = 5 * 10**18
BURNER = "60015460010160015560003560005b600101818110600e57"
"""sstore(1, sload(1) + 1), then counts up to calldata[0:32]"""


@pytest.fixture
async def chain() -> AsyncIterator[Anvil]:
    with running_anvil("--no-mining", "--order", "fifo") as started:
        yield started


@pytest.fixture
async def upstream(chain: Anvil) -> AsyncIterator[HttpUpstream]:
    async with HttpUpstream(chain.url) as client:
        yield client


@pytest.mark.parametrize("simulator", ENGINES)
async def test_a_result_is_what_the_chain_then_does(chain: Anvil, upstream: HttpUpstream, simulator: str) -> None:
    store = deploy(chain, STORE)
    gateway = Gateway(upstream, simulator=simulator)
    await gateway.follower.refresh()
    transactions = [
        signed(0, 0, store, data=f"{1:064x}{7:064x}"),
        signed(0, 1, store, data=f"{1:064x}{0:064x}"),
        signed(1, 0, "0x" + "ab" * 20, value=123),
        signed(1, 1, None, data=init_code(STORE)),
        signed(0, 2, store, data=f"{2:064x}{9:064x}", gas=30_000),
    ]
    simulations = [await gateway.forward(transaction, upstream) for transaction in transactions]
    chain.mine()
    for transaction, simulation in zip(transactions, simulations, strict=True):
        receipt = chain.rpc("eth_getTransactionReceipt", str(transaction.hash))
        assert simulation.gas_used == int(receipt["gasUsed"], 16), transaction.nonce
        assert (simulation.status is SimulationStatus.SUCCESS) == (receipt["status"] == "0x1")
    assert simulations[-1].status is not SimulationStatus.SUCCESS
    block = chain.rpc("eth_getBlockByNumber", "latest", False)
    assert simulations[0].block.base_fee == int(block["baseFeePerGas"], 16)
    assert simulations[0].block.number == int(block["number"], 16)


@pytest.mark.parametrize("simulator", ENGINES)
async def test_cold_needs_two_round_trips_at_most_and_warm_none(
    chain: Anvil, upstream: HttpUpstream, simulator: str
) -> None:
    store = deploy(chain, STORE)
    gateway = Gateway(upstream, simulator=simulator)
    await gateway.follower.refresh()
    cold = await gateway.forward(signed(0, 0, store, data=f"{1:064x}{7:064x}"), upstream)
    assert 1 <= cold.basis.trips <= 2
    warm = await gateway.simulate(signed(0, 1, store, data=f"{1:064x}{8:064x}"))
    assert warm.basis.trips == 0
    chain.mine()
    await gateway.follower.refresh()
    still_warm = await gateway.simulate(signed(0, 1, store, data=f"{1:064x}{8:064x}"))
    assert still_warm.basis.trips == 0
    assert still_warm.block.number == warm.block.number + 1


async def test_the_second_half_of_an_attack_meets_the_first(chain: Anvil, upstream: HttpUpstream) -> None:
    vault = deploy(chain, VAULT, value=COINS)
    gateway = Gateway(upstream)
    await gateway.follower.refresh()
    strike = signed(1, 0, vault)
    harmless = await gateway.simulate(strike)
    assert gains(harmless, strike.sender) < 0
    await gateway.forward(signed(0, 0, vault, data="01"), upstream)
    assert await gateway.live.admit(strike, harmless) is Admission.CHANGED
    drained = await gateway.simulate(strike)
    assert gains(drained, strike.sender) > COINS // 2
    assert drained.basis.trips == 0


async def test_a_refused_transaction_takes_its_effects_along(chain: Anvil, upstream: HttpUpstream) -> None:
    vault = deploy(chain, VAULT, value=COINS)
    gateway = Gateway(upstream)
    await gateway.follower.refresh()
    stage, strike = signed(0, 0, vault, data="01"), signed(1, 0, vault)
    assert await gateway.live.admit(stage, await gateway.simulate(stage)) is Admission.ADMITTED
    assert gains(await gateway.simulate(strike), strike.sender) > 0
    await gateway.live.withdraw(stage.hash)
    assert gains(await gateway.simulate(strike), strike.sender) < 0


async def test_mined_transactions_leave_and_a_reorg_brings_them_back(chain: Anvil, upstream: HttpUpstream) -> None:
    vault = deploy(chain, VAULT, value=COINS)
    gateway = Gateway(upstream)
    await gateway.follower.refresh()
    stage = signed(0, 0, vault, data="01")
    await gateway.forward(stage, upstream)
    chain.mine()
    await gateway.follower.refresh()
    view = gateway.live.head_state.view
    assert view is not None
    assert [item.effects for item in view.standing] == [None]
    # anvil_reorg puts the transactions back into its pool, as a sequencer does.
    chain.rpc("anvil_reorg", 1, [])
    await gateway.follower.refresh()
    assert gateway.follower.statistics.reorgs == 1
    strike = signed(1, 0, vault)
    assert gains(await gateway.simulate(strike), strike.sender) > 0
    assert gateway.live.take_turned() == [stage]
    assert gateway.live.take_turned() == []
    chain.mine()
    await gateway.follower.refresh()
    assert gains(await gateway.simulate(strike), strike.sender) > 0


async def test_a_replacement_is_judged_without_what_it_replaces(chain: Anvil, upstream: HttpUpstream) -> None:
    vault = deploy(chain, VAULT, value=COINS)
    gateway = Gateway(upstream)
    await gateway.follower.refresh()
    await gateway.forward(signed(0, 0, vault, data="01"), upstream)
    follow_up = signed(0, 1, "0x" + "cd" * 20, value=1)
    await gateway.forward(follow_up, upstream)
    strike = signed(1, 0, vault)
    underpriced = signed(0, 0, "self")
    with pytest.raises(UpstreamRefused, match="underpriced"):
        await gateway.forward(underpriced, upstream)
    assert gains(await gateway.simulate(strike), strike.sender) < 0
    await gateway.live.withdraw(underpriced.hash)
    assert gains(await gateway.simulate(strike), strike.sender) > 0, "the refused one's predecessor is back in force"
    cancel = signed(0, 0, "self", tip=5 * 10**9)
    simulation = await gateway.forward(cancel, upstream)
    assert simulation.status is SimulationStatus.SUCCESS
    assert simulation.gas_used == 21_000
    assert gains(await gateway.simulate(strike), strike.sender) < 0
    assert await gateway.live.next_nonce(cancel.sender) == 2


async def test_a_gap_and_a_used_nonce_are_named(chain: Anvil, upstream: HttpUpstream) -> None:
    gateway = Gateway(upstream)
    await gateway.follower.refresh()
    with pytest.raises(Unexecutable, match="nonce too high"):
        await gateway.simulate(signed(0, 1, "self"))
    await gateway.forward(signed(0, 0, "self"), upstream)
    await gateway.simulate(signed(0, 1, "self"))
    chain.mine()
    await gateway.follower.refresh()
    with pytest.raises(Unexecutable, match="nonce too low"):
        await gateway.simulate(signed(0, 0, "0x" + "ab" * 20))
    assert await gateway.live.next_nonce(signed(0, 0, "self").sender) == 1


async def test_what_was_forwarded_unseen_is_found_out_afterwards(chain: Anvil, upstream: HttpUpstream) -> None:
    vault = deploy(chain, VAULT, value=COINS)
    gateway = Gateway(upstream)
    await gateway.follower.refresh()
    strike = signed(1, 0, vault)
    harmless = await gateway.simulate(strike)
    assert await gateway.live.admit(signed(0, 0, vault, data="01"), None) is Admission.ADMITTED
    assert await gateway.live.admit(strike, harmless) is Admission.CHANGED
    assert gains(await gateway.simulate(strike), strike.sender) > 0


async def test_a_transaction_the_upstream_dropped_loses_its_effects(chain: Anvil, upstream: HttpUpstream) -> None:
    vault = deploy(chain, VAULT, value=COINS)
    gateway = Gateway(upstream, settings=LiveSettings(dropped_after=0.2))
    await gateway.follower.refresh()
    stage, strike = signed(0, 0, vault, data="01"), signed(1, 0, vault)
    await gateway.forward(stage, upstream)
    await gateway.live.maintain()
    chain.rpc("anvil_dropTransaction", str(stage.hash))
    for _ in range(2):
        await gateway.live.maintain()
        await asyncio.sleep(0.3)
    await gateway.live.maintain()
    assert gateway.live.overlay.statistics.dropped == 1
    assert gains(await gateway.simulate(strike), strike.sender) < 0


async def test_a_transaction_that_failed_and_would_now_succeed_is_told(chain: Anvil, upstream: HttpUpstream) -> None:
    # Reverts unless slot 0 is set, then sends all coins to the caller.
    guarded = deploy(chain, "600054600a57600080fd5b600060006000600047335af100", value=COINS)
    gateway = Gateway(upstream)
    await gateway.follower.refresh()
    strike = signed(1, 0, guarded)
    failing = await gateway.forward(strike, upstream)
    assert failing.status is SimulationStatus.REVERTED
    # The stage goes around this gateway: the node changes by itself. anvil_setStorageAt is in no trace, so it is read.
    chain.rpc("anvil_dropTransaction", str(strike.hash))
    chain.rpc("anvil_setStorageAt", guarded, "0x" + "00" * 32, f"0x{1:064x}")
    gateway.live.head_state.carrier.invalidation = Invalidation.DROP
    chain.mine()
    await gateway.follower.refresh()
    assert gateway.live.take_turned() == [strike]
    again = await gateway.simulate(strike)
    assert gains(again, strike.sender) > COINS // 2


async def test_two_replicas_in_the_same_millisecond(chain: Anvil, upstream: HttpUpstream) -> None:
    vault = deploy(chain, VAULT, value=COINS)
    log = MemoryPendingLog()
    one, two = Gateway(upstream, log), Gateway(upstream, log)
    await one.follower.refresh()
    await two.follower.refresh()
    stage, strike = signed(0, 0, vault, data="01"), signed(1, 0, vault)
    first, second = await asyncio.gather(one.simulate(stage), two.simulate(strike))
    admissions = await asyncio.gather(one.live.admit(stage, first), two.live.admit(strike, second))
    assert admissions == [Admission.ADMITTED, Admission.CHANGED]
    again = await two.simulate(strike)
    assert gains(again, strike.sender) > 0
    unrelated = signed(2, 0, "0x" + "ab" * 20, value=1)
    assert await one.live.admit(unrelated, await one.simulate(unrelated)) is Admission.ADMITTED
    assert await two.live.admit(stage, await two.simulate(signed(2, 1, "self"))) is Admission.KNOWN


async def test_nothing_is_judged_on_an_old_head_or_none(chain: Anvil, upstream: HttpUpstream) -> None:
    gateway = Gateway(upstream, settings=LiveSettings(max_head_age=0.2))
    with pytest.raises(UpstreamError, match="no head"):
        gateway.live.head_state.present()
    await gateway.follower.refresh()
    await gateway.simulate(signed(0, 0, "self"))
    await asyncio.sleep(0.3)
    with pytest.raises(UpstreamError, match="limit is 0 s"):
        await gateway.simulate(signed(0, 0, "self"))


class Slow:
    """A reader whose batches take long enough for the head to move meanwhile."""

    def __init__(self, upstream: HttpUpstream) -> None:
        self.upstream, self.before = upstream, 0.0

    async def call(self, method: str, params: Sequence[object] = (), *, within: float | None = None) -> object:
        return await self.upstream.call(method, params)

    async def batch(self, calls: Sequence[Call], *, within: float | None = None) -> list[object | UpstreamRefused]:
        answers = await self.upstream.batch(calls)
        if any(method == "eth_getStorageAt" for method, _ in calls):
            await asyncio.sleep(self.before)
        return answers


async def test_state_fetched_for_an_old_head_is_never_served(chain: Anvil, upstream: HttpUpstream) -> None:
    vault = deploy(chain, VAULT, value=COINS)
    reader = Slow(upstream)
    gateway = Gateway(reader)
    await gateway.follower.refresh()
    reader.before = 0.3
    strike = signed(1, 0, vault)
    waiting = asyncio.ensure_future(gateway.simulate(strike))
    await asyncio.sleep(0.15)
    opened = signed(0, 0, vault, data="01")
    await upstream.call("eth_sendRawTransaction", ["0x" + opened.raw.data.hex()])
    chain.mine()
    reader.before = 0.0
    await gateway.follower.refresh()
    simulation = await waiting
    assert gains(simulation, strike.sender) > 0
    assert gateway.live.statistics.restarts >= 1


async def test_predictions_hold_under_steady_traffic_at_250_ms_blocks() -> None:
    with running_anvil("--order", "fifo") as chain:
        store = deploy(chain, STORE)
        chain.rpc("evm_setAutomine", False)
        chain.rpc("anvil_setIntervalMining", 1)
        async with HttpUpstream(chain.url) as upstream:
            gateway = Gateway(upstream)
            gateway.follower._poll_interval = 0.02
            await gateway.follower.refresh()

            mined = 0

            async def mine_quickly() -> None:
                nonlocal mined
                while True:
                    await asyncio.sleep(0.25)
                    await upstream.call("evm_mine", [])
                    mined += 1

            predicted = {}
            async with following(gateway):
                miner = asyncio.ensure_future(mine_quickly())
                turn = 0
                while mined < 20 or turn < 80:
                    assert not miner.done(), "the chain is not mined any more"
                    key = turn % 3
                    transaction = signed(key, turn // 3, store, data=f"{turn % 7:064x}{turn * 3 % 5:064x}", gas=100_000)
                    predicted[transaction.hash] = await gateway.forward(transaction, upstream)
                    turn += 1
                    await asyncio.sleep(0.02)
                miner.cancel()
            chain.mine()
            wrong = []
            for hash, simulation in predicted.items():
                receipt = chain.rpc("eth_getTransactionReceipt", str(hash))
                if int(receipt["gasUsed"], 16) != simulation.gas_used:
                    wrong.append((hash, simulation.gas_used, receipt["gasUsed"]))
            assert wrong == []
            assert gateway.live.head_state.carrier.statistics.samples_wrong == 0


async def test_the_l1_data_fee_must_be_there_too(chain: Anvil, upstream: HttpUpstream) -> None:
    rollup = replace(PROFILE, fee_rule=FeeRule.OP_STACK)
    transaction = signed(0, 0, "0x" + "ab" * 20, value=123)
    values = {BASE_FEE: 10**9, BLOB_BASE_FEE: 10**7, SCALARS: 2 << 96 | 3 << 64, OPERATOR: 500_000 << 64 | 1_000}
    for slot, value in values.items():
        chain.rpc("anvil_setStorageAt", str(L1_BLOCK), f"0x{slot:064x}", f"0x{value:064x}")
    fee = data_fee(transaction.raw.data, values) + operator_fee(transaction.gas_limit, values)
    needed = upfront_cost(transaction) + fee
    for balance, enough in ((needed, True), (needed - 1, False)):
        chain.rpc("anvil_setBalance", str(transaction.sender), hex(balance))
        chain.mine()
        gateway = Gateway(upstream, profile=rollup)
        await gateway.follower.refresh()
        if enough:
            assert (await gateway.simulate(transaction)).succeeded
        else:
            with pytest.raises(Unexecutable, match=f"of which {fee} L1 data and operator fee"):
                await gateway.simulate(transaction)


async def test_a_costly_pending_transaction_is_run_again_only_if_what_it_read_changed(
    chain: Anvil, upstream: HttpUpstream
) -> None:
    burner, store = deploy(chain, BURNER), deploy(chain, STORE)
    gateway = Gateway(upstream)
    await gateway.follower.refresh()
    costly = signed(0, 0, burner, data=f"{20_000:064x}", gas=2_000_000)
    first = await gateway.forward(costly, upstream)
    assert first.gas_used > 300_000
    chain.rpc("anvil_dropTransaction", str(costly.hash))  # it stays pending here while others are mined
    runs: list[Transaction] = []
    run = gateway.live.head_state.run

    async def counted(view: View, transaction: Transaction, *rest: Any, **named: Any) -> Ran:
        runs.append(transaction)
        return await run(view, transaction, *rest, **named)

    gateway.live.head_state.run = counted  # type: ignore[method-assign]

    async def mined(transaction: Transaction) -> None:
        chain.rpc("eth_sendRawTransaction", "0x" + transaction.raw.data.hex())
        chain.mine()
        await gateway.follower.refresh()

    await mined(signed(1, 0, store, data=f"{1:064x}{7:064x}"))
    assert runs == [], "the block wrote nothing that it read"
    standing = gateway.live.head_state.present().find(costly.hash)
    assert standing is not None
    assert standing.effects is not None
    laid = standing.effects[costly.sender].balance
    await mined(signed(1, 1, burner, data=f"{0:064x}"))
    assert runs == [costly], "the block counted up the slot that it reads"
    standing = gateway.live.head_state.present().find(costly.hash)
    assert standing is not None
    assert standing.effects is not None
    again = standing.effects[costly.sender].balance
    assert laid is not None
    assert again is not None
    spent, now = laid[0] - laid[1], again[0] - again[1]
    assert abs(spent - now) < spent // 4, "the base fee moved by an eighth at most, and the gas by little"
