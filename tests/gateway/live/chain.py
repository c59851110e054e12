"""A gateway's live state on a real anvil, signed transactions for it, and small contracts with known effects."""

from __future__ import annotations

import asyncio
import importlib.util
import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

from eth_account import Account

from gateway.decoding.envelope import decode_transaction
from gateway.evm.local import LocalPyEvm
from gateway.evm.simulator import Simulator
from gateway.live.conduct import LiveSettings
from gateway.live.fetch import Reader
from gateway.live.pending import PendingLog
from gateway.live.state import LiveState
from gateway.model.block import Fork
from gateway.model.chain import ChainProfile
from gateway.model.pending import Admission
from gateway.model.primitive import Address
from gateway.model.transaction import RawTransaction, Transaction
from gateway.store.shared.pending import MemoryPendingLog
from gateway.upstream.aiohttp import HttpUpstream
from gateway.watch.head import HeadFollower
from tests.anvil import KEYS, Anvil

PROFILE = ChainProfile("anvil", 31337, ((0, Fork.PRAGUE),))
ACCOUNTS = [Account.from_key(key) for key in KEYS]

STORE = "6020356000355500"
"""sstore(calldata[0:32], calldata[32:64])"""
VAULT = "3615600b57600160005500" + "5b600054156020576000600060006000" + "47335af1505b00"
"""With calldata: opens. Without: sends all its coins to the caller, if it is open."""


ENGINES = ("py-evm", "revm") if importlib.util.find_spec("stopgate_engine") else ("py-evm",)


def engine(name: str) -> Simulator:
    if name == "revm":
        from gateway.evm.revm import RevmSimulator

        return RevmSimulator()
    return LocalPyEvm(PROFILE)


def decode(raw: RawTransaction) -> Transaction:
    return decode_transaction(raw.data, PROFILE)


def signed(
    key: int, nonce: int, to: str | None, *, data: str = "", value: int = 0, gas: int = 200_000, tip: int = 10**9
) -> Transaction:
    """A type 2 transaction of development account number `key`."""
    fields: dict[str, Any] = {
        "type": 2,
        "chainId": 31337,
        "nonce": nonce,
        "value": value,
        "data": "0x" + data,
        "gas": gas,
        "maxFeePerGas": 100 * tip,
        "maxPriorityFeePerGas": tip,
    }
    if to is not None:
        fields["to"] = Account.from_key(KEYS[0]).address if to == "self" else _checksum(to)
    return decode_transaction(bytes(ACCOUNTS[key].sign_transaction(fields).raw_transaction), PROFILE)


def _checksum(address: str) -> str:
    from eth_utils.address import to_checksum_address

    return str(to_checksum_address(address))


def init_code(runtime: str) -> str:
    size = len(runtime) // 2
    return f"60{size:02x}600c60003960{size:02x}6000f3{runtime}"


class Gateway:
    """Live state of one replica, with its follower."""

    def __init__(
        self,
        reader: Reader,
        log: PendingLog | None = None,
        *,
        settings: LiveSettings = LiveSettings(),
        simulator: str = ENGINES[-1],
        profile: ChainProfile = PROFILE,
    ) -> None:
        self.reader = reader
        self.live = LiveState(engine(simulator), reader, profile, log or MemoryPendingLog(), decode, settings=settings)
        self.follower = HeadFollower(reader, self.live.advance)

    async def simulate(self, transaction: Transaction) -> Any:
        return await self.live.simulate(transaction, time.monotonic() + 30)

    async def forward(self, transaction: Transaction, upstream: HttpUpstream) -> Any:
        """Simulate until admitted, then send; the simulation that was admitted."""
        for _ in range(8):
            simulation = await self.simulate(transaction)
            admission = await self.live.admit(transaction, simulation)
            if admission is Admission.ADMITTED:
                await upstream.call("eth_sendRawTransaction", ["0x" + transaction.raw.data.hex()])
                return simulation
            assert admission is Admission.CHANGED
        raise AssertionError("never admitted")


@asynccontextmanager
async def following(*gateways: Gateway) -> AsyncIterator[None]:
    """Run the followers in the background."""
    tasks = [asyncio.ensure_future(gateway.follower.run()) for gateway in gateways]
    try:
        yield
    finally:
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)


def deploy(chain: Anvil, runtime: str, *, value: int = 0, key: int = 3) -> str:
    """Deploy from an account that the tests otherwise leave alone; mines a block."""
    sender = ACCOUNTS[key].address
    transaction = {"from": sender, "data": "0x" + init_code(runtime), "gas": "0x100000"}
    hash = chain.rpc("eth_sendTransaction", transaction)
    chain.mine()
    address: str = chain.rpc("eth_getTransactionReceipt", hash)["contractAddress"]
    if value:
        chain.rpc("anvil_setBalance", address, hex(value))
    return address


def gains(simulation: Any, account: Address) -> int:
    """Wei the account gained, fees included."""
    change = simulation.state_diff.get(account)
    return 0 if change is None or change.balance is None else change.balance[1] - change.balance[0]
