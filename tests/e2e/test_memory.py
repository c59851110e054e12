"""Attacks in parts, a part through each of two gateway processes that share one Redis."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from datetime import UTC, datetime
from pathlib import Path

import pytest

from gateway.model.account import Mark
from gateway.model.transaction import Transaction
from gateway.store.cases.record import SqlRecord
from gateway.store.casework.desk import Desk
from gateway.store.database import Database
from gateway.store.knowledge.signatures import Signatures
from tests.anvil import Anvil, needs_anvil, running_anvil
from tests.e2e.test_replicas import Replica, replicas, status_of, until_mined, valkey_url
from tests.gateway.live.chain import deploy, signed

__all__ = ["valkey_url"]

pytestmark = [needs_anvil, pytest.mark.usefixtures("sqlite_file_url")]
COINS = 5 * 10**18
TIPPING = "6000600060006000" + "6103e8" + "47600f0204" + "335af15000"
"""Pays one and a half per cent of its coins to whoever calls."""
REGISTER = "3360005260056020526040600020361560185760019055005b5415602c57" + "6000600060006000" + "47335af15000" + "5b00"
"""With calldata: writes down the caller. Without: pays all its coins to a caller whom it has written down."""


def agent(target: str) -> str:
    """Code that passes its calldata on to `target` and hands all its coins to the caller."""
    quiet = "341560065700" + "5b"  # what is paid in is kept
    call = "3660006000376000600036600060007" + "3" + target[2:].lower() + "5af150"
    return (quiet + call + "6000600060006000" + "47335af15000").ljust(2 * 230, "0")


async def confirmed_attacks_are_known_by_their_copies(
    gateway: Replica, database_url: str, strike: Transaction, copy: str
) -> None:
    """An analyst confirms the held case; somebody else's contract with the same code is held until it is undone."""
    database = Database(database_url)
    record = SqlRecord(database)
    desk, signatures = Desk(database, now=lambda: datetime.now(UTC)), Signatures(database)
    case = await record.by_hash(strike.hash)
    assert case is not None
    await desk.mark(case.case_id, Mark.CONFIRMED, "ann", "it empties the register")
    await until(lambda: signatures.speaking())
    await asyncio.sleep(3)  # each replica looks once a second
    harmless = signed(2, 1, copy, data="01")
    assert status_of(await gateway.send(harmless)) == "HELD"
    held = await record.by_hash(harmless.hash)
    assert held is not None
    assert held.verdict.clause == "copycat"
    assert case.case_id in held.verdict.reason
    await until(lambda: _hits(signatures))
    (mark,) = (await desk.marks([case.case_id]))[case.case_id]
    assert await desk.undo_mark(case.case_id, mark.id, "ann")
    (kept,) = await signatures.listed()
    assert kept.ended_by == "ann"
    assert kept.hits == 1
    await asyncio.sleep(3)
    assert status_of(await gateway.send(signed(2, 1, copy, data="02", tip=2 * 10**9))) == "FORWARDED"
    await database.close()


async def _hits(signatures: Signatures) -> int:
    return sum(kept.hits for kept in await signatures.listed())


async def until(found: Callable[[], Awaitable[object]]) -> None:
    async with asyncio.timeout(20):
        while True:
            if await found():
                return
            await asyncio.sleep(0.2)


def slice_of(chain: Anvil, key: int, jar: str) -> Transaction:
    """The next transaction of an account, to the jar."""
    sender = str(signed(key, 0, jar).sender)
    return signed(key, int(chain.rpc("eth_getTransactionCount", sender, "latest"), 16), jar)


async def test_what_one_replica_saw_the_other_remembers(
    valkey_url: str,
    sqlite_file_url: str,
    tmp_path: Path,
) -> None:
    with running_anvil("--no-mining") as chain:
        register = deploy(chain, REGISTER, value=COINS)
        agency = deploy(chain, agent(register), key=1)
        copy = deploy(chain, agent("0x" + "77" * 20), key=2)
        jar = deploy(chain, TIPPING, value=COINS)
        async with replicas(2, chain.url, valkey_url, sqlite_file_url, tmp_path) as (one, two):
            stage = signed(1, 1, agency, data="01")
            assert status_of(await one.send(stage)) == "FORWARDED"
            await until_mined(chain)
            strike = signed(1, 2, agency)
            assert status_of(await two.send(strike)) == "HELD", "the stage went through the other replica"
            assert int(chain.rpc("eth_getBalance", register, "latest"), 16) == COINS
            await confirmed_attacks_are_known_by_their_copies(one, sqlite_file_url, strike, copy)
            await until_mined(chain)

            slices = [(one, slice_of(chain, 0, jar)), (two, slice_of(chain, 2, jar)), (one, slice_of(chain, 3, jar))]
            outcomes = []
            for gateway, transaction in slices:
                outcomes.append(status_of(await gateway.send(transaction)))
                await until_mined(chain)
            assert outcomes == ["FORWARDED", "FORWARDED", "HELD"], "no slice alone is grave"
            await asyncio.to_thread(chain.mine)
            assert int(chain.rpc("eth_getBalance", jar, "latest"), 16) > COINS * 96 // 100
