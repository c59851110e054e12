from __future__ import annotations

import dataclasses

from gateway.live.prefetch import Prefetcher
from gateway.model.primitive import Address
from gateway.model.trace import AccessKind, SimulationResult, StorageAccess, Trace
from gateway.model.transaction import Transaction
from gateway.upstream.aiohttp import HttpUpstream
from tests.anvil import needs_anvil, running_anvil
from tests.cases import simulation, transaction
from tests.gateway.live.chain import Gateway, deploy, signed

TOKEN = "33600052600060205260406000208054602435900390556004356000526040600020805460243501905500"
"""transfer(to, amount) over the mapping at slot 0, without checks"""


@needs_anvil
async def test_slots_of_mappings_are_foreseen_for_other_senders_and_recipients() -> None:
    def transfer(key: int, to: int, token: str) -> Transaction:
        return signed(key, 0, token, data="a9059cbb" + f"{to:064x}" + f"{1:064x}")

    with running_anvil("--no-mining") as chain:
        token = deploy(chain, TOKEN)
        async with HttpUpstream(chain.url) as upstream:
            gateway = Gateway(upstream)
            await gateway.follower.refresh()
            first = await gateway.simulate(transfer(0, 0xAAAA, token))
            assert first.basis.trips == 1, "the node tells keys and values of a kind never seen"
            assert first.trace.preimages, "templates need preimages"
            calls = gateway.live.head_state.fetcher.calls
            other = await gateway.simulate(transfer(1, 0xBBBB, token))
            assert other.basis.trips == 1
            assert gateway.live.head_state.fetcher.calls - calls == 3 + 2, "a sender and two balances, no exploration"


def touching(*slots: int) -> SimulationResult:
    plain = simulation(1)
    accesses = [
        StorageAccess(index, 0, AccessKind.SLOAD, Address(b"\xb2" * 20), slot, 0, 0) for index, slot in enumerate(slots)
    ]
    return dataclasses.replace(plain, trace=Trace(plain.trace.frames, accesses=accesses))


def test_what_few_calls_touch_is_let_go() -> None:
    prefetcher = Prefetcher()
    judged = transaction(1)
    for number in range(40):
        prefetcher.learn(judged, touching(1, 1000 + number))
    slots = {slot for address, slot in prefetcher.predict(judged).slots if address == Address(b"\xb2" * 20)}
    assert 1 in slots
    assert len(slots) < 16


def test_a_new_kind_is_foreseen_by_its_own_parties_and_access_list() -> None:
    prefetcher = Prefetcher()
    judged = transaction(1)
    assert not prefetcher.knows(judged)
    keys = prefetcher.predict(judged)
    assert {judged.sender, judged.to} <= keys.accounts
    assert keys.slots == {(entry.address, slot) for entry in judged.access_list for slot in entry.slots}
