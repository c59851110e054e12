"""The traps that engines were seen to fall into, each on a few bytes of code."""

from __future__ import annotations

import time

import pytest

from gateway.decoding.keccak import keccak256
from gateway.errors import StateMissing, Unexecutable
from gateway.evm.py_evm import execute
from gateway.evm.simulator import REPLAY, Checks, Limits
from gateway.evm.world import LayeredWorld
from gateway.model.block import Fork
from gateway.model.primitive import Address, Hash32
from gateway.model.state import StateBatch, StateKeys
from gateway.model.trace import AccessKind, AccountDiff, FrameKind, SimulationStatus
from gateway.model.transaction import AccessListEntry, Authorization
from tests.gateway.evm.scenes import (
    ADD_ONE,
    ANNOUNCE,
    COINBASE,
    CONTRACT,
    ETHER,
    FOREVER,
    KECCAK_FOREVER,
    OTHER,
    REVERT,
    SENDER,
    STOP,
    account,
    block,
    call,
    push,
    transaction,
    world,
)

MSTORE_TOP = push(0) + b"\x52"


def test_a_transfer_moves_value_and_pays_the_coinbase() -> None:
    result = execute(world(), transaction(OTHER, value=5, gas=50_000), block())
    assert result.status is SimulationStatus.SUCCESS
    assert result.gas_used == 21_000
    paid = 21_000 * 10
    assert result.state_diff == {
        SENDER: AccountDiff(balance=(100 * ETHER, 100 * ETHER - 5 - paid), nonce=(0, 1)),
        OTHER: AccountDiff(balance=(0, 5)),
        COINBASE: AccountDiff(balance=(0, 21_000 * 3)),  # the base fee of 7 is burnt
    }
    (frame,) = result.trace.frames
    assert (frame.gas, frame.gas_used, frame.value) == (50_000, 21_000, 5)
    assert (frame.code_hash, frame.error, frame.reverted) == (None, None, False)


def test_the_world_is_not_changed_and_order_does_not_matter() -> None:
    made = world(ADD_ONE + STOP, slots={(CONTRACT, 0): 4})
    first = execute(made, transaction(), block())
    execute(made, transaction(OTHER, value=ETHER), block())
    again = execute(made, transaction(), block())
    assert again.state_diff == first.state_diff
    assert first.state_diff[CONTRACT].storage == {0: (4, 5)}
    assert made.slot(CONTRACT, 0) == 4


def test_loaded_slots_are_cold_and_keep_their_original_value() -> None:
    """pyrevm 0.3.7 had them warm, with original value 0."""
    cold = execute(world(ADD_ONE + STOP, slots={(CONTRACT, 0): 4}), transaction(), block())
    # PUSH, SLOAD cold 2100, PUSH, ADD, PUSH, SSTORE of a clean non-zero slot 2900
    assert cold.gas_used == 21_000 + 3 + 2100 + 3 + 3 + 3 + 2900
    listed = transaction(access_list=(AccessListEntry(CONTRACT, (0,)),))
    warm = execute(world(ADD_ONE + STOP, slots={(CONTRACT, 0): 4}), listed, block())
    assert warm.gas_used == cold.gas_used - 2000 + 2400 + 1900


def test_accesses_and_logs_share_one_counter_with_the_frames() -> None:
    code = ADD_ONE + call(OTHER) + ANNOUNCE + STOP
    result = execute(
        world(code, accounts={OTHER: account(ANNOUNCE + STOP)}, slots={(CONTRACT, 0): 9}), transaction(), block()
    )
    root, inner = result.trace.frames
    load, store = result.trace.accesses or ()
    first, second = result.trace.logs
    assert (load.kind, load.slot, load.value, load.previous) == (AccessKind.SLOAD, 0, 9, 9)
    assert (store.kind, store.slot, store.value, store.previous) == (AccessKind.SSTORE, 0, 10, 9)
    order = [root.entered, load.sequence, store.sequence, inner.entered, first.sequence, inner.left]
    order += [second.sequence, root.left]
    assert order == list(range(8))
    assert (first.frame, second.frame, first.address, second.address) == (1, 0, OTHER, CONTRACT)
    assert first.topics == ((0xABCD).to_bytes(32, "big"),)


def test_what_a_failed_frame_did_is_kept_and_marked() -> None:
    code = call(OTHER) + STOP
    result = execute(world(code, accounts={OTHER: account(ANNOUNCE + ADD_ONE + REVERT)}), transaction(), block())
    assert result.succeeded
    root, inner = result.trace.frames
    assert (root.reverted, inner.reverted, inner.error) == (False, True, "execution reverted")
    assert [log.reverted for log in result.trace.logs] == [True]
    assert len(result.trace.accesses or ()) == 2
    assert OTHER not in result.state_diff


def test_a_frame_below_a_failed_one_is_undone_too() -> None:
    middle = Address(b"\xee" * 20)
    made = world(
        call(middle) + STOP,
        accounts={middle: account(call(OTHER) + REVERT), OTHER: account(ADD_ONE + STOP)},
    )
    result = execute(made, transaction(), block())
    assert [frame.reverted for frame in result.trace.frames] == [False, True, True]
    assert [frame.error for frame in result.trace.frames] == [None, "execution reverted", None]
    assert OTHER not in result.state_diff


@pytest.mark.parametrize(
    ("opcode", "kind", "from_", "to", "value"),
    [
        (0xF1, FrameKind.CALL, CONTRACT, OTHER, 0),
        (0xF2, FrameKind.CALLCODE, CONTRACT, OTHER, 0),
        (0xF4, FrameKind.DELEGATECALL, CONTRACT, OTHER, 6),
        (0xFA, FrameKind.STATICCALL, CONTRACT, OTHER, 0),
    ],
)
def test_each_way_to_call_is_told_as_geth_tells_it(
    opcode: int, kind: FrameKind, from_: Address, to: Address, value: int
) -> None:
    made = world(call(OTHER, opcode=opcode) + STOP, accounts={OTHER: account(push(0) + b"\x54" + STOP)})
    result = execute(made, transaction(value=6), block())
    inner = result.trace.frames[1]
    assert (inner.kind, inner.from_, inner.to, inner.value) == (kind, from_, to, value)
    assert inner.code_address == OTHER
    assert inner.code_hash == keccak256(push(0) + b"\x54" + STOP)
    owner = CONTRACT if kind in (FrameKind.CALLCODE, FrameKind.DELEGATECALL) else OTHER
    assert [access.address for access in result.trace.accesses or ()] == [owner]
    assert inner.context == owner


@pytest.mark.parametrize(
    ("code", "error"),
    [
        (REVERT, "execution reverted"),
        (b"\x01", "stack underflow"),
        (push(0) * 1025, "stack limit reached 1024"),
        (push(3) + b"\x56" + STOP, "invalid jump destination"),
        (push(4) + b"\x56" + b"\x60\x5b" + STOP, "invalid jump destination"),  # 0x5b as data of PUSH1
        (b"\xfe", "invalid opcode"),
        (b"\x0c", "invalid opcode"),
        (push(1) + push(0) + push(0) + b"\x3e", "return data out of bounds"),
        (push(2**40) + push(0) + b"\x20", "out of gas"),
    ],
)
def test_errors_have_geths_words(code: bytes, error: str) -> None:
    result = execute(world(code), transaction(), block())
    assert result.error == error
    assert result.trace.frames[0].error == error
    reverted = error == "execution reverted"
    assert result.status is (SimulationStatus.REVERTED if reverted else SimulationStatus.HALTED)
    assert reverted or result.gas_used == 1_000_000


def test_writing_in_a_static_call_is_write_protection() -> None:
    made = world(call(OTHER, opcode=0xFA) + STOP, accounts={OTHER: account(ADD_ONE + STOP)})
    assert execute(made, transaction(), block()).trace.frames[1].error == "write protection"


def test_refused_calls_and_creations_are_frames() -> None:
    broke = call(OTHER, value=2 * ETHER) + push(0) + push(0) + push(2 * ETHER) + b"\xf0" + STOP
    frames = execute(world(broke), transaction(), block()).trace.frames[1:]
    assert [frame.kind for frame in frames] == [FrameKind.CALL, FrameKind.CREATE]
    assert {frame.error for frame in frames} == {"insufficient balance for transfer"}
    assert all(frame.gas > 0 and frame.gas_used == 0 for frame in frames)
    assert frames[1].to is None


def test_the_1025th_nested_call_is_refused_and_the_process_lives() -> None:
    # the 63/64 rule leaves little at that depth, so the gas is huge
    result = execute(world(call(CONTRACT) + STOP), transaction(gas=2 * 10**12, fee=7, tip=0), block(gas_limit=10**13))
    depths = [frame.depth for frame in result.trace.frames]
    assert max(depths) == 1025
    assert [frame.error for frame in result.trace.frames if frame.depth == 1025] == ["max call depth exceeded"]
    assert result.succeeded


def test_push0_and_transient_storage_are_off_before_their_forks() -> None:
    push0, transient = b"\x5f" + STOP, push(7) + push(1) + b"\x5d" + push(1) + b"\x5c" + STOP
    assert execute(world(push0), transaction(), block(Fork.PARIS)).error == "invalid opcode"
    assert execute(world(push0), transaction(), block(Fork.SHANGHAI)).succeeded
    assert execute(world(transient), transaction(), block(Fork.SHANGHAI)).error == "invalid opcode"
    result = execute(world(transient), transaction(), block(Fork.CANCUN))
    assert [(a.kind, a.slot, a.value, a.previous) for a in result.trace.accesses or ()] == [
        (AccessKind.TSTORE, 1, 7, 0),
        (AccessKind.TLOAD, 1, 7, 7),
    ]
    assert CONTRACT not in result.state_diff


def initcode(runtime: bytes) -> bytes:
    """Init code that returns `runtime` (at most 32 bytes)."""
    return push(runtime) + MSTORE_TOP + push(len(runtime)) + push(32 - len(runtime)) + b"\xf3"


def test_a_creation_reports_the_address_and_the_code() -> None:
    runtime = ADD_ONE + STOP
    result = execute(world(), transaction(None, data=initcode(runtime)), block())
    (created,) = result.created
    assert result.trace.frames[0].kind is FrameKind.CREATE
    assert (result.trace.frames[0].to, result.output) == (created, runtime)
    assert result.trace.frames[0].code_hash == keccak256(initcode(runtime))
    assert result.state_diff[created] == AccountDiff(nonce=(0, 1), code=(b"", runtime))


def creates(init: bytes, value: int = 0) -> bytes:
    """Code that creates with CREATE2 and salt 0."""
    store = push(init.ljust(32, b"\0")) + MSTORE_TOP
    return store + push(0) + push(len(init)) + push(0) + push(value) + b"\xf5"


def test_a_second_creation_at_the_same_address_collides() -> None:
    runtime = initcode(STOP)
    result = execute(world(creates(runtime) + creates(runtime) + STOP), transaction(), block())
    first, second = result.trace.frames[1:]
    assert (first.kind, first.error) == (FrameKind.CREATE2, None)
    assert (second.kind, second.error) == (FrameKind.CREATE2, "contract address collision")
    assert second.gas_used == second.gas > 0
    assert result.created == (first.to,)


def test_code_that_begins_with_ef_is_refused_from_london_on() -> None:
    for fork, error in ((Fork.BERLIN, None), (Fork.LONDON, "invalid code: must not begin with 0xef")):
        result = execute(
            world(), transaction(None, data=initcode(b"\xef\x01"), kind=0 if error is None else None), block(fork)
        )  # type: ignore[arg-type]
        assert result.error == error


def test_self_destruct_destroys_until_cancun() -> None:
    code = push(OTHER) + b"\xff"
    for fork, gone in ((Fork.SHANGHAI, True), (Fork.CANCUN, False)):
        result = execute(world(code, slots={(CONTRACT, 3): 8}), transaction(), block(fork))
        frame = result.trace.frames[1]
        assert (frame.kind, frame.from_, frame.to, frame.value) == (FrameKind.SELFDESTRUCT, CONTRACT, OTHER, ETHER)
        assert result.destroyed == ((CONTRACT,) if gone else ())
        assert result.state_diff[OTHER].balance == (0, ETHER)
        change = result.state_diff[CONTRACT]
        assert change.balance == (ETHER, 0)
        assert change.code == ((code, b"") if gone else None)
        assert change.storage == ({3: (8, 0)} if gone else {})


def test_a_contract_made_in_the_transaction_may_still_destroy_itself() -> None:
    result = execute(world(), transaction(None, data=push(OTHER) + b"\xff", value=9), block(Fork.PRAGUE))
    assert result.created == ()
    assert result.destroyed == (result.trace.frames[0].to,)
    assert result.destroyed[0] not in result.state_diff
    assert result.state_diff[OTHER].balance == (0, 9)


AUTHORITY = Address(b"\xaa" * 20)


def authorization(delegate: Address = OTHER, *, chain_id: int = 1, nonce: int = 0, valid: bool = True) -> Authorization:
    return Authorization(chain_id, delegate, nonce, 0, 1, 1, AUTHORITY if valid else None)


def test_a_delegation_is_written_followed_and_cleared() -> None:
    made = world(accounts={OTHER: account(ADD_ONE + STOP), AUTHORITY: account(balance=1)})
    result = execute(made, transaction(AUTHORITY, authorizations=(authorization(),)), block())
    change = result.state_diff[AUTHORITY]
    assert change.code == (b"", b"\xef\x01\x00" + OTHER)
    assert change.nonce == (0, 1)
    assert change.storage == {0: (0, 1)}
    root = result.trace.frames[0]
    assert (root.to, root.code_address, root.code_hash) == (AUTHORITY, OTHER, keccak256(ADD_ONE + STOP))

    made.apply(result.state_diff)
    cleared = execute(
        made, transaction(AUTHORITY, nonce=1, authorizations=(authorization(Address(), nonce=1),)), block()
    )
    assert cleared.state_diff[AUTHORITY].code == (b"\xef\x01\x00" + OTHER, b"")
    assert cleared.state_diff[AUTHORITY].storage == {}


@pytest.mark.parametrize(
    ("entry", "applied"),
    [
        (authorization(), True),
        (authorization(chain_id=0), True),
        (authorization(chain_id=5), False),
        (authorization(nonce=1), False),
        (authorization(valid=False), False),
    ],
)
def test_an_authorization_that_does_not_hold_is_skipped(entry: Authorization, applied: bool) -> None:
    result = execute(world(accounts={AUTHORITY: account(balance=1)}), transaction(authorizations=(entry,)), block())
    assert result.succeeded
    assert (AUTHORITY in result.state_diff) is applied
    # an authority that existed gets 12,500 back, at most a fifth of what was used
    assert result.gas_used == 46_000 - (9_200 if applied else 0)


def test_a_delegated_account_that_creates_pays_for_its_init_code_once() -> None:
    """py-evm charges EIP-3860 twice where the sender of an inner creation is the origin."""
    init = initcode(STOP)
    delegated = account(b"\xef\x01\x00" + OTHER, balance=ETHER)
    creator = account(creates(init) + STOP)
    plain = execute(world(accounts={AUTHORITY: creator}), transaction(AUTHORITY), block())
    itself = execute(world(accounts={SENDER: delegated, OTHER: creator}), transaction(SENDER), block())
    inner = [result.trace.frames[1].gas_used for result in (plain, itself)]
    assert inner[0] == inner[1]


def test_p256_is_on_where_the_profile_or_osaka_says_so() -> None:
    # Wycheproof's first valid case, as EIP-7951 cites it
    data = bytes.fromhex(
        "4cee90eb86eaa050036147a12d49004b6b9c72bd725d39d4785011fe190f0b4d"
        "a73bd4903f0ce3b639bbbf6e8e80d16931ff4bcf5993d58468e8fb19086e8cac"
        "36dbcd03009df8c59286b162af3bd7fcc0450c9aa81be5d10d312af6c66b1d60"
        "4aebd3099c618202fcfe16ae7770b0c49ab5eadf74b754204a3bb6060e44eff3"
        "7618b065f9832de4ca6ca971a7a1adc826d0f7c00181a5fb2ddf79ae00b4e10e"
    )
    precompile = Address((0x100).to_bytes(20, "big"))
    run = transaction(precompile, data=data)
    assert execute(world(), run, block()).output == b""
    assert execute(world(), run, block(), p256=True).output == (1).to_bytes(32, "big")
    forged = transaction(precompile, data=data[:-1] + b"\0")
    assert execute(world(), forged, block(), p256=True).output == b""
    osaka = execute(world(), run, block(Fork.OSAKA))
    assert osaka.output == (1).to_bytes(32, "big")
    assert osaka.engine == "py-evm (Prague rules)"


def test_a_kzg_opening_is_checked() -> None:
    """The point at infinity is the commitment to zero, and opens to zero everywhere."""
    infinity = b"\xc0" + b"\0" * 47
    import hashlib

    versioned = b"\x01" + hashlib.sha256(infinity).digest()[1:]
    data = versioned + (5).to_bytes(32, "big") + bytes(32) + infinity + infinity
    precompile = Address((0x0A).to_bytes(20, "big"))
    good = execute(world(), transaction(precompile, data=data), block(), limits=Limits(wall_clock=20))
    assert good.output[:32] == (4096).to_bytes(32, "big")
    wrong = data[:64] + (1).to_bytes(32, "big") + data[96:]
    bad = execute(world(), transaction(precompile, data=wrong), block(), limits=Limits(wall_clock=20))
    assert bad.error == "precompile failed"


def test_the_block_is_what_the_opcodes_see() -> None:
    # TIMESTAMP, NUMBER, COINBASE, PREVRANDAO, BASEFEE, GASPRICE, GASLIMIT, CHAINID into memory
    words = [b"\x42", b"\x43", b"\x41", b"\x44", b"\x48", b"\x3a", b"\x45", b"\x46"]
    code = b"".join(word + push(32 * index) + b"\x52" for index, word in enumerate(words))
    result = execute(world(code + push(256) + push(0) + b"\xf3"), transaction(), block())
    seen = [int.from_bytes(result.output[at : at + 32], "big") for at in range(0, 256, 32)]
    where = block()
    assert seen == [
        where.timestamp,
        where.number,
        int.from_bytes(where.coinbase, "big"),
        int.from_bytes(where.prev_randao, "big"),
        where.base_fee,
        10,
        where.gas_limit,
        1,
    ]
    names = {read.opcode: read.count for read in result.trace.environment or ()}
    assert names == dict.fromkeys(
        ("TIMESTAMP", "NUMBER", "COINBASE", "PREVRANDAO", "BASEFEE", "GASPRICE", "GASLIMIT"), 1
    )


def test_reading_the_coinbases_balance_is_a_read_of_the_environment() -> None:
    code = push(COINBASE) + b"\x31" + push(OTHER) + b"\x31" + STOP
    reads = execute(world(code), transaction(), block()).trace.environment or ()
    assert [(read.opcode, read.count) for read in reads] == [("BALANCE", 1)]


def test_short_hashes_are_explained() -> None:
    code = push(5) + MSTORE_TOP + push(64) + push(0) + b"\x20" + b"\x54" + STOP
    result = execute(world(code), transaction(), block())
    data = (5).to_bytes(32, "big") + bytes(32)
    slot = int.from_bytes(keccak256(data), "big")
    assert (result.trace.preimages or {})[slot] == data
    assert (result.trace.accesses or ())[0].slot == slot


def test_an_incomplete_world_asks_for_what_the_transaction_names_first() -> None:
    made = LayeredWorld()
    listed = transaction(access_list=(AccessListEntry(OTHER, (7,)),))
    with pytest.raises(StateMissing) as missing:
        execute(made, listed, block())
    assert missing.value.keys == StateKeys(frozenset({SENDER, CONTRACT, COINBASE, OTHER}), frozenset({(OTHER, 7)}))


def test_an_incomplete_world_asks_for_all_it_can_in_one_batch() -> None:
    code = push(1) + b"\x54" + push(2) + b"\x54" + call(OTHER) + push(99) + b"\x40" + STOP
    made = world(code, complete=False)
    with pytest.raises(StateMissing) as missing:
        execute(made, transaction(), block())
    assert missing.value.keys == StateKeys(
        frozenset({OTHER}), frozenset({(CONTRACT, 1), (CONTRACT, 2)}), frozenset({99})
    )
    made.load(StateBatch({OTHER: account()}, {(CONTRACT, 1): 0, (CONTRACT, 2): 0}, {99: Hash32(b"\x63" * 32)}))
    assert execute(made, transaction(), block()).succeeded


def test_a_new_contract_has_no_storage_to_ask_for() -> None:
    made = world(complete=False)
    with pytest.raises(StateMissing) as missing:
        execute(made, transaction(None, data=push(0) + b"\x54" + initcode(STOP)), block())
    (created,) = missing.value.keys.accounts
    assert missing.value.keys.slots == frozenset()
    made.load(StateBatch({created: account()}))
    assert execute(made, transaction(None, data=push(0) + b"\x54" + initcode(STOP)), block()).succeeded


def test_a_search_for_missing_keys_ends_soon() -> None:
    endless = push(1) + b"\x54" + b"\x50" + b"\x5b" + push(4) + b"\x56"
    started = time.monotonic()
    with pytest.raises(StateMissing):
        execute(world(endless, complete=False), transaction(gas=30_000_000), block(), limits=Limits(wall_clock=30))
    assert time.monotonic() - started < 10


def test_switched_off_checks_let_a_poor_sender_act_without_fees() -> None:
    poor = Address(b"\x99" * 20)
    made = world(ADD_ONE + STOP, accounts={poor: account(nonce=3)})
    with pytest.raises(Unexecutable, match="nonce too low"):
        execute(made, transaction(sender=poor), block())
    result = execute(made, transaction(sender=poor, value=50), block(), checks=REPLAY)
    assert result.succeeded
    assert result.state_diff[poor] == AccountDiff(balance=(50, 0), nonce=(3, 4))
    assert result.state_diff[CONTRACT].balance == (ETHER, ETHER + 50)
    assert COINBASE not in result.state_diff
    with pytest.raises(Unexecutable, match="insufficient funds"):
        execute(made, transaction(sender=poor), block(), checks=Checks(nonce=False))


@pytest.mark.parametrize(
    ("limits", "code", "named"),
    [
        (Limits(wall_clock=0.2), FOREVER, "wall clock"),
        (Limits(wall_clock=0.2), KECCAK_FOREVER, "wall clock"),
        (Limits(frames=10), b"\x5b" + call(OTHER) + b"\x50" + push(0) + b"\x56", "frames"),
        (Limits(accesses=10), b"\x5b" + push(0) + b"\x54\x50" + push(0) + b"\x56", "accesses"),
        (Limits(logs=10), b"\x5b" + ANNOUNCE + push(0) + b"\x56", "logs"),
        (Limits(output_bytes=5000), b"\x5b" + call(OTHER, size=1000) + b"\x50" + push(0) + b"\x56", "output bytes"),
    ],
)
def test_each_limit_truncates_and_says_which(limits: Limits, code: bytes, named: str) -> None:
    started = time.monotonic()
    result = execute(world(code), transaction(gas=30_000_000), block(), limits=limits)
    assert result.truncated == named
    assert result.status is SimulationStatus.HALTED
    assert result.trace.frames[0].error == "execution aborted"
    assert all(frame.left > frame.entered for frame in result.trace.frames)
    assert time.monotonic() - started < 10
    assert len(result.trace.frames) <= limits.frames
    assert len(result.trace.logs) <= limits.logs


def test_the_data_floor_is_charged_from_prague_on() -> None:
    data = b"\x01" * 1000
    assert execute(world(), transaction(data=data), block(Fork.CANCUN)).gas_used == 21_000 + 16_000
    assert execute(world(), transaction(data=data), block(Fork.PRAGUE)).gas_used == 21_000 + 40_000
