from __future__ import annotations

import pytest

from gateway.devnet.chain import Call, DevChain, ExecutionFailed
from gateway.devnet.genesis import ALLOCATION
from gateway.errors import DecodingError, Unexecutable
from tests.gateway.devnet.conftest import Clock
from tests.gateway.devnet.signing import OTHER, RETURN_42, SENDER, creation, signed

ALICE, BOB = bytes.fromhex(SENDER[2:]), bytes.fromhex(OTHER[2:])


def test_a_transaction_is_mined_at_once(chain: DevChain) -> None:
    digest = chain.submit(signed(value=7))
    mined = chain.mined(digest)
    assert mined is not None
    assert (mined.status, mined.gas_used, mined.header.block_number) == (1, 21_000, 1)
    assert chain.state(chain.head).get_balance(BOB) == ALLOCATION + 7
    genesis = chain.header(0)
    assert chain.state(genesis).get_balance(BOB) == ALLOCATION


def test_a_later_nonce_waits_for_the_earlier_one(chain: DevChain) -> None:
    second, first = signed(1), signed(0)
    late = chain.submit(second)
    assert chain.mined(late) is None
    assert chain.queued(late) is not None
    chain.submit(first)
    assert chain.mined(late) is not None
    assert chain.queued(late) is None
    assert chain.head.block_number == 2


def test_a_waiting_transaction_that_cannot_be_paid_any_more_is_dropped(chain: DevChain) -> None:
    late = chain.submit(signed(1, value=ALLOCATION // 2))
    chain.submit(signed(0, value=ALLOCATION * 3 // 4))
    assert chain.mined(late) is None
    assert chain.queued(late) is None


@pytest.mark.parametrize(
    ("fields", "words"),
    [
        ({"value": ALLOCATION}, "insufficient funds for gas \\* price \\+ value"),
        ({"gas": 20_999}, "intrinsic gas too low"),
        ({"gas": 30_000_001}, "exceeds block gas limit"),
        ({"maxFeePerGas": 10**6, "maxPriorityFeePerGas": 1}, "max fee per gas less than block base fee"),
    ],
)
def test_what_a_node_refuses_is_refused_in_its_words(chain: DevChain, fields: dict[str, int], words: str) -> None:
    with pytest.raises(Unexecutable, match=words):
        chain.submit(signed(**fields))
    assert chain.head.block_number == 0


def test_a_spent_nonce_and_a_known_transaction_are_told_apart(chain: DevChain) -> None:
    raw = signed()
    chain.submit(raw)
    with pytest.raises(Unexecutable, match="already known"):
        chain.submit(raw)
    with pytest.raises(Unexecutable, match="nonce too low"):
        chain.submit(signed(value=2))


@pytest.mark.parametrize("raw", [b"", b"\x02", b"\x7f\x01", b"\xc0", signed()[:-1], signed(chainId=1)])
def test_what_is_no_transaction_of_this_chain_is_a_named_error(chain: DevChain, raw: bytes) -> None:
    with pytest.raises(DecodingError):
        chain.submit(raw)
    assert chain.head.block_number == 0


def test_a_call_sees_the_state_and_leaves_it(chain: DevChain) -> None:
    digest = chain.submit(signed(to=None, value=0, data=creation(RETURN_42), gas=200_000))
    mined = chain.mined(digest)
    assert mined is not None
    assert mined.created is not None
    root = chain.head.state_root
    assert int.from_bytes(chain.call(Call(ALICE, mined.created, 0, b"", 100_000), chain.head), "big") == 42
    assert chain.head.state_root == root


def test_a_call_sees_the_clock_of_the_chain(chain: DevChain, clock: Clock) -> None:
    telling = "0x4260005260206000f3"
    mined = chain.mined(chain.submit(signed(to=None, value=0, data=creation(telling), gas=200_000)))
    assert mined is not None
    assert mined.created is not None
    chain.set_next_timestamp(int(clock.now) + 5_000)
    chain.mine()
    told = int.from_bytes(chain.call(Call(ALICE, mined.created, 0, b"", 100_000), chain.head), "big")
    assert told == chain.head.timestamp + 1


def test_a_call_without_means_or_gas_is_refused(chain: DevChain) -> None:
    with pytest.raises(Unexecutable, match="intrinsic gas too low"):
        chain.call(Call(ALICE, BOB, 0, b"", 20_000), chain.head)
    with pytest.raises((Unexecutable, ExecutionFailed)):
        chain.call(Call(b"\x01" * 20, BOB, 1, b"", 21_000), chain.head)


def test_the_clock_follows_the_given_one_and_can_be_moved(chain: DevChain, clock: Clock) -> None:
    clock.now += 100
    chain.mine()
    assert chain.head.timestamp == clock.now
    chain.mine()
    assert chain.head.timestamp == clock.now + 1
    chain.set_next_timestamp(int(clock.now) + 5_000)
    chain.mine()
    assert chain.head.timestamp == clock.now + 5_000
    clock.now += 10
    chain.mine()
    assert chain.head.timestamp == clock.now + 5_000
    with pytest.raises(Unexecutable, match="not after"):
        chain.set_next_timestamp(1)
