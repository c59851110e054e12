from __future__ import annotations

import dataclasses

from gateway.live.pending import ANY, CREATION, UNSEEN, Footprint, footprint
from gateway.model.primitive import ZERO_ADDRESS, Address
from gateway.model.trace import AccountDiff, EnvironmentRead, Trace
from tests.cases import simulation, transaction

ONE, TWO = Address(b"\x01" * 20), Address(b"\x02" * 20)


def mark(
    *reads: tuple[Address, int | None], any_account: bool = False, any_slot: bool = False, creates: bool = False
) -> Footprint:
    return Footprint(frozenset(reads), any_account, any_slot, frozenset(), creates)


def test_slots_and_accounts_meet_exactly() -> None:
    assert mark((ONE, 5)).meets({(ONE, 5)})
    assert not mark((ONE, 5)).meets({(ONE, None), (ONE, 6), (TWO, 5)})
    assert mark((ONE, None)).meets({(ONE, None)})


def test_what_the_trace_does_not_tell_meets_everything_it_may() -> None:
    assert mark(any_slot=True).meets({(TWO, 7)})
    assert not mark(any_slot=True).meets(set())
    assert mark(any_account=True).meets({(TWO, None)})
    assert not mark(any_account=True).meets({(TWO, 7)})


def test_patterns_say_the_same_to_the_shared_order() -> None:
    assert mark((ONE, 5), (ONE, None)).read_patterns() == [
        CREATION,
        f":{'01' * 20}{5:064x};",
        f":{'01' * 20};",
    ]
    assert mark(any_slot=True).read_patterns() == [ANY]
    assert mark((ONE, 5), any_account=True).read_patterns() == [CREATION, ANY]
    many = mark(*((ONE, slot) for slot in range(1000)), (TWO, None)).read_patterns()
    assert sorted(many) == sorted([CREATION, ":" + "01" * 20, ":" + "02" * 20])
    assert UNSEEN.write_patterns() == [CREATION]


def test_fees_for_the_coinbase_are_no_write_but_its_code_is() -> None:
    plain = simulation(1)

    def made(coinbase: AccountDiff) -> Footprint:
        diff = {ZERO_ADDRESS: coinbase, ONE: AccountDiff(balance=(5, 4), storage={7: (0, 1)})}
        block = dataclasses.replace(plain.block, coinbase=ZERO_ADDRESS)
        return footprint(transaction(1), dataclasses.replace(plain, state_diff=diff, block=block))

    fees = made(coinbase=AccountDiff(balance=(1, 2)))
    assert fees.writes == {(ONE, None), (ONE, 7)}
    assert not fees.creates
    deployed = made(coinbase=AccountDiff(balance=(1, 2), code=(b"", b"\x00")))
    assert (ZERO_ADDRESS, None) in deployed.writes
    assert deployed.creates


def test_an_engine_that_tells_less_is_taken_to_read_more() -> None:
    plain = simulation(1)
    silent = dataclasses.replace(plain, trace=Trace(plain.trace.frames))
    found = footprint(transaction(1), silent)
    assert (found.any_slot, found.any_account) == (True, True)
    reads = [EnvironmentRead(0, "BALANCE", 1)]
    looking = dataclasses.replace(plain, trace=Trace(plain.trace.frames, accesses=(), environment=reads))
    found = footprint(transaction(1), looking)
    assert (found.any_slot, found.any_account) == (False, True)
