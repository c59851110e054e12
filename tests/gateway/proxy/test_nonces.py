from __future__ import annotations

import dataclasses

import pytest

from gateway.model.primitive import Address, Hash32
from gateway.model.quarantine import CaseState
from gateway.model.transaction import Client
from gateway.proxy.nonces import NonceDesk, TooManyWaiting, WaitingLimits
from gateway.store.cases.record import SqlRecord
from gateway.store.shared.memory import MemoryQueue
from tests.cases import detail, entry, transaction

CLIENT = Client("192.0.2.1")


@pytest.fixture
def memory_queue() -> MemoryQueue:
    return MemoryQueue()


@pytest.fixture
def desk(record: SqlRecord, memory_queue: MemoryQueue) -> NonceDesk:
    return NonceDesk(record, memory_queue, WaitingLimits(per_sender=2, parked=3))


async def keep(record: SqlRecord, queue: MemoryQueue, number: int, state: CaseState, *, nonce: int) -> None:
    await queue.put(await record.hold(entry(number, state=state, nonce=nonce), detail(number)))


async def test_rivals_are_waiting_cases_of_the_same_nonce(
    record: SqlRecord, memory_queue: MemoryQueue, desk: NonceDesk
) -> None:
    await keep(record, memory_queue, 1, CaseState.HELD, nonce=7)
    await keep(record, memory_queue, 2, CaseState.PARKED, nonce=8)
    replacement = dataclasses.replace(transaction(3), nonce=7)
    assert [rival.case_id for rival in await desk.rivals(replacement)] == ["case-1"]
    assert await desk.rivals(dataclasses.replace(transaction(1), nonce=7)) == (), "not its own"
    memory_queue.available = False
    assert [rival.case_id for rival in await desk.rivals(replacement)] == ["case-1"], "the record knows too"


async def test_a_replaced_case_is_closed_in_both_stores_once(
    record: SqlRecord, memory_queue: MemoryQueue, desk: NonceDesk
) -> None:
    await keep(record, memory_queue, 1, CaseState.HELD, nonce=7)
    rivals = await desk.rivals(dataclasses.replace(transaction(3), nonce=7))
    closed = await desk.supersede(rivals, Hash32(b"\x03" * 32))
    assert [case.state for case in closed] == [CaseState.SUPERSEDED]
    assert await memory_queue.case("case-1") is None
    assert await desk.supersede(rivals, Hash32(b"\x04" * 32)) == ()
    found = await record.case("case-1")
    assert found is not None
    assert "0x0303" in (found.decision_reason or "")


async def test_a_sender_may_have_so_many_waiting_and_all_senders_so_many_parked(
    record: SqlRecord, memory_queue: MemoryQueue, desk: NonceDesk
) -> None:
    await keep(record, memory_queue, 1, CaseState.PARKED, nonce=7)
    await desk.check_room(dataclasses.replace(transaction(9), nonce=9), CLIENT)
    await keep(record, memory_queue, 2, CaseState.HELD, nonce=8)
    with pytest.raises(TooManyWaiting, match="2 transactions"):
        await desk.check_room(dataclasses.replace(transaction(9), nonce=9), CLIENT)
    await desk.check_room(dataclasses.replace(transaction(9), nonce=8), CLIENT)


async def test_a_client_may_have_so_many_waiting_whoever_signed_them(
    record: SqlRecord, memory_queue: MemoryQueue
) -> None:
    desk = NonceDesk(record, memory_queue, WaitingLimits(per_client=2))
    for number in (1, 2):
        sender = Address(bytes([number]) * 20)
        await record.hold(entry(number, sender=sender, client=CLIENT), detail(number))
    other = dataclasses.replace(transaction(9), nonce=9, sender=Address(b"\x09" * 20))
    with pytest.raises(TooManyWaiting, match="this client"):
        await desk.check_room(other, CLIENT)
    await desk.check_room(other, Client("192.0.2.2"))
    await desk.check_room(other, Client("192.0.2.1", "partner"))
