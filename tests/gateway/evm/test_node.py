"""The node engine on a real anvil, beside py-evm on the state fetched from the same block."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Iterator, Sequence
from typing import Any

import pytest
from eth_account import Account

from gateway.decoding.envelope import decode_transaction
from gateway.decoding.keccak import keccak256
from gateway.errors import SimulationError, Unexecutable, UpstreamRefused
from gateway.evm.crosscheck import compare
from gateway.evm.node import NodeSimulator
from gateway.evm.py_evm import execute
from gateway.evm.world import LayeredWorld
from gateway.model.block import BlockContext, Fork
from gateway.model.primitive import Address, Hash32
from gateway.model.profiles import DEVELOPMENT
from gateway.model.state import AccountState, StateBatch
from gateway.model.trace import FrameKind, SimulationStatus
from gateway.model.transaction import Transaction
from gateway.upstream.aiohttp import HttpUpstream
from tests.anvil import KEYS, Anvil, needs_anvil, running_anvil
from tests.gateway.evm.scenes import ADD_ONE, ANNOUNCE, CONTRACT, OTHER, REVERT, STOP, call

pytestmark = [pytest.mark.anvil, needs_anvil]

SENDER = Address.from_hex(Account.from_key(KEYS[0]).address)
BUSY = ADD_ONE + call(OTHER, value=3) + ANNOUNCE + call(OTHER, opcode=0xF4) + STOP
CALLEE = ANNOUNCE + ADD_ONE + STOP


@pytest.fixture(scope="module")
def chain() -> Iterator[Anvil]:
    with running_anvil("--hardfork", "prague") as chain:
        for address, code in ((CONTRACT, BUSY), (OTHER, CALLEE)):
            chain.rpc("anvil_setCode", str(address), "0x" + code.hex())
        chain.rpc("anvil_setBalance", str(CONTRACT), hex(10**18))
        chain.mine()
        yield chain


@pytest.fixture
async def engine(chain: Anvil) -> AsyncIterator[NodeSimulator]:
    async with HttpUpstream(chain.url) as upstream:
        yield NodeSimulator(upstream.batch, lambda: Hash32.from_hex(head(chain)["hash"]))


def head(chain: Anvil) -> dict[str, Any]:
    found: dict[str, Any] = chain.rpc("eth_getBlockByNumber", "latest", False)
    return found


def next_block(chain: Anvil) -> BlockContext:
    latest = head(chain)
    return BlockContext(
        number=int(latest["number"], 16) + 1,
        timestamp=int(latest["timestamp"], 16) + 12,
        coinbase=Address.from_hex(latest["miner"]),
        gas_limit=int(latest["gasLimit"], 16),
        base_fee=int(latest["baseFeePerGas"], 16),
        prev_randao=Hash32.from_hex(latest["mixHash"]),
        chain_id=31337,
        fork=Fork.PRAGUE,
    )


def signed(
    chain: Anvil, to: Address | None, data: bytes = b"", *, value: int = 0, nonce: int | None = None
) -> Transaction:
    fields = {
        "type": 2,
        "chainId": 31337,
        "nonce": int(chain.rpc("eth_getTransactionCount", str(SENDER), "latest"), 16) if nonce is None else nonce,
        "gas": 300_000,
        "maxFeePerGas": 10**10,
        "maxPriorityFeePerGas": 10**9,
        "value": value,
        "data": data,
        **({} if to is None else {"to": bytes(to)}),
    }
    return decode_transaction(bytes(Account.sign_transaction(fields, KEYS[0]).raw_transaction), DEVELOPMENT)


def local_world(chain: Anvil, coinbase: Address) -> LayeredWorld:
    def fetch(address: Address) -> AccountState:
        code = bytes.fromhex(chain.rpc("eth_getCode", str(address), "latest")[2:])
        return AccountState(
            int(chain.rpc("eth_getTransactionCount", str(address), "latest"), 16),
            int(chain.rpc("eth_getBalance", str(address), "latest"), 16),
            code,
            keccak256(code),
        )

    world = LayeredWorld(complete=True)
    slots = {(who, 0): int(chain.rpc("eth_getStorageAt", str(who), "0x0", "latest"), 16) for who in (CONTRACT, OTHER)}
    world.load(StateBatch({who: fetch(who) for who in (SENDER, CONTRACT, OTHER, coinbase)}, slots))
    return world


async def test_tree_events_and_difference_agree_with_py_evm_and_with_the_receipt(
    chain: Anvil, engine: NodeSimulator
) -> None:
    block, transaction = next_block(chain), signed(chain, CONTRACT, value=5)
    seen = await engine.simulate(engine.world(), transaction, block)
    ours = execute(local_world(chain, block.coinbase), transaction, block)

    assert seen.status is SimulationStatus.SUCCESS
    assert [frame.kind for frame in seen.trace.frames] == [FrameKind.CALL, FrameKind.CALL, FrameKind.DELEGATECALL]
    assert [log.address for log in seen.trace.logs] == [OTHER, CONTRACT, CONTRACT]
    assert seen.trace.accesses is None
    assert seen.trace.environment is None
    assert seen.state_diff[CONTRACT].storage == ours.state_diff[CONTRACT].storage
    assert seen.state_diff[OTHER] == ours.state_diff[OTHER]
    difference = compare(seen, ours)
    # anvil's debug_traceCall does not pay the coinbase as a block would: fees may differ, nothing else may
    assert difference is None or difference.field.startswith("state_diff"), str(difference)

    receipt_hash = chain.rpc("eth_sendRawTransaction", "0x" + transaction.raw.data.hex())
    async with asyncio.timeout(10):  # anvil answers a submission a moment before the block is there
        while (receipt := chain.rpc("eth_getTransactionReceipt", receipt_hash)) is None:  # noqa: ASYNC110 - no event
            await asyncio.sleep(0.01)
    assert int(receipt["gasUsed"], 16) == ours.gas_used == seen.gas_used


async def test_a_revert_keeps_its_reason_class_and_changes_no_storage(chain: Anvil, engine: NodeSimulator) -> None:
    world = engine.world()
    world.load(StateBatch({OTHER: AccountState(0, 0, ADD_ONE + REVERT, keccak256(ADD_ONE + REVERT))}))
    result = await engine.simulate(world, signed(chain, OTHER), next_block(chain))
    assert result.status is SimulationStatus.REVERTED
    assert result.error == "execution reverted"
    assert OTHER not in result.state_diff


async def test_effects_put_on_top_reach_the_next_run_but_not_the_node(chain: Anvil, engine: NodeSimulator) -> None:
    block, transaction = next_block(chain), signed(chain, CONTRACT)
    world = engine.world()
    first = await engine.simulate(world, transaction, block)
    later = world.fork()
    later.apply(first.state_diff)
    nonce = int(chain.rpc("eth_getTransactionCount", str(SENDER), "latest"), 16)
    second = await engine.simulate(later, signed(chain, CONTRACT, nonce=nonce + 1), block)
    before, after = first.state_diff[CONTRACT].storage[0], second.state_diff[CONTRACT].storage[0]
    assert after == (before[1], before[1] + 2)
    again = await engine.simulate(world, transaction, block)
    assert again.state_diff[CONTRACT].storage[0] == before


async def test_what_a_node_would_refuse_is_refused_in_its_words(chain: Anvil, engine: NodeSimulator) -> None:
    block = next_block(chain)
    with pytest.raises(Unexecutable, match="nonce too high"):
        await engine.simulate(engine.world(), signed(chain, CONTRACT, nonce=999), block)
    with pytest.raises(Unexecutable, match="insufficient funds"):
        await engine.simulate(engine.world(), signed(chain, CONTRACT, value=10**30), block)


async def test_a_node_without_the_debug_api_and_nonsense_are_simulation_errors(chain: Anvil) -> None:
    transaction, block = signed(chain, CONTRACT), next_block(chain)

    async def refuses(calls: Sequence[tuple[str, Sequence[object]]]) -> list[object]:
        return [UpstreamRefused(-32601, "the method debug_traceCall does not exist") for _ in calls]

    async def babbles(calls: Sequence[tuple[str, Sequence[object]]]) -> list[object]:
        return [{"type": "DANCE"}, {}, hex(10**20), hex(transaction.nonce), "0x"]

    for batch, words in ((refuses, "refused"), (babbles, "makes no sense")):
        engine = NodeSimulator(batch, lambda: Hash32())
        with pytest.raises(SimulationError, match=words):
            await engine.simulate(engine.world(), transaction, block)
