"""The native engine against recorded attacks, real blocks, and the traps that engines fall into."""

from __future__ import annotations

import threading
import time
from dataclasses import replace

import pytest
import rlp
from sha3 import keccak_256
from trie import HexaryTrie

from gateway.errors import SimulationError, StateMissing, Unexecutable
from gateway.evaluate.benign import BENIGN, BenignSet, RecordedBlock
from gateway.evaluate.corpus import CORPUS, AttackCase, corpus_rows, read_case
from gateway.evm.simulator import ADMISSION, REPLAY, Checks, Limits
from gateway.model.block import BlockContext, Fork
from gateway.model.primitive import EMPTY_CODE_HASH, Address, Hash32
from gateway.model.state import AccountState, StateBatch
from gateway.model.trace import AccessKind, FrameKind, SimulationResult, SimulationStatus, StateDiff, slot_uses
from gateway.model.transaction import Authorization, RawTransaction, Transaction, TransactionType

pytest.importorskip("stopgate_engine", reason="the native engine is not built (make setup with cargo)")
from gateway.evm.revm import RevmSimulator, RevmWorld

SENDER, TARGET, OTHER, COINBASE = (Address(bytes([byte]) * 20) for byte in (0xAA, 0xBB, 0xCC, 0xFE))
ETHER = 10**18


@pytest.fixture(scope="module")
def engine() -> RevmSimulator:
    return RevmSimulator()


def block(fork: Fork = Fork.CANCUN, **changes: object) -> BlockContext:
    made = BlockContext(
        number=100,
        timestamp=1_700_000_000,
        coinbase=COINBASE,
        gas_limit=100_000_000,
        base_fee=7 if fork.at_least(Fork.LONDON) else 0,
        prev_randao=Hash32(),
        chain_id=1,
        fork=fork,
    )
    return replace(made, **changes)  # type: ignore[arg-type]


def transaction(**changes: object) -> Transaction:
    made = Transaction(
        raw=RawTransaction(b"", Hash32()),
        type=TransactionType.LEGACY,
        chain_id=None,
        sender=SENDER,
        nonce=0,
        to=TARGET,
        value=0,
        input=b"",
        gas_limit=1_000_000,
        max_fee_per_gas=10,
        max_priority_fee_per_gas=10,
    )
    return replace(made, **changes)  # type: ignore[arg-type]


def account(code: str = "", *, balance: int = 0, nonce: int = 0) -> AccountState:
    data = bytes.fromhex(code)
    digest = Hash32(keccak_256(data).digest()) if data else EMPTY_CODE_HASH
    return AccountState(nonce=nonce, balance=balance, code=data, code_hash=digest)


def world(
    engine: RevmSimulator,
    accounts: dict[Address, AccountState],
    slots: dict[tuple[Address, int], int] | None = None,
    *,
    complete: bool = True,
) -> RevmWorld:
    made = engine.world(complete=complete)
    made.load(StateBatch(accounts={SENDER: account(balance=ETHER), **accounts}, slots=slots or {}))
    assert isinstance(made, RevmWorld)
    return made


def run_code(engine: RevmSimulator, code: str, fork: Fork = Fork.CANCUN, **changes: object) -> SimulationResult:
    return engine.run(world(engine, {TARGET: account(code)}), transaction(**changes), block(fork))


# Recorded attacks


def _accumulate(total: dict[object, tuple[int, int]], diff: StateDiff) -> None:
    for address, change in diff.items():
        entries: dict[object, tuple[int, int]] = {(address, slot): pair for slot, pair in change.storage.items()}
        if change.balance:
            entries[address] = change.balance
        for key, (before, after) in entries.items():
            total[key] = (total.get(key, (before, after))[0], after)


def _differences(engine: RevmSimulator, case: AttackCase) -> list[str]:
    state = engine.world(complete=True)
    state.load(case.prestate)
    total: dict[object, tuple[int, int]] = {}
    found = []
    for step in case.steps:
        state.load(step.patch)
        result = engine.run(state, step.transaction, step.block, checks=REPLAY, limits=Limits(wall_clock=60))
        if result.succeeded is not step.succeeds or result.truncated:
            found.append(f"ends {result.status} {result.error} {result.truncated}")
        _accumulate(total, result.state_diff)
        state.apply(result.state_diff)
    for address, want in case.state_diff.items():
        if want.balance:
            before, after = total.get(address, (0, 0))
            if after - before != want.balance[1] - want.balance[0]:
                found.append(f"balance of {address} moves by {after - before}")
        for slot, (_, value) in want.storage.items():
            unchanged = case.prestate.slots.get((address, slot), 0)
            if total.get((address, slot), (unchanged, unchanged))[1] != value:
                found.append(f"slot {slot:#x} of {address}")
    return found


@pytest.mark.corpus
def test_every_verified_attack_changes_the_state_as_recorded(engine: RevmSimulator) -> None:
    if not CORPUS.is_dir():
        pytest.skip(f"no attack corpus at {CORPUS}")
    wrong = {}
    for row in corpus_rows():
        if row.verified:
            case = read_case(row.path)
            found = _differences(engine, case)
            # The corpus itself names how many counters of a case depend on gas; those may differ.
            allowed = int(case.note.split()[0]) if "depend on gas" in case.note else 0
            if len(found) > allowed:
                wrong[row.id] = found[:3]
    assert wrong == {}


# Real blocks


def _bloom(logs: list[list[object]]) -> bytes:
    bits = 0
    for address, topics, _ in logs:
        for item in (address, *topics):  # type: ignore[misc]
            digest = keccak_256(item).digest()
            for at in (0, 2, 4):
                bits |= 1 << (int.from_bytes(digest[at : at + 2], "big") & 2047)
    return bits.to_bytes(256, "big")


def _replay(engine: RevmSimulator, recorded: RecordedBlock) -> tuple[list[str], bytes]:
    state = engine.world(complete=True)
    state.load(recorded.prestate)
    trie, cumulative, wrong = HexaryTrie({}), 0, []
    for item in recorded.transactions:
        result = engine.run(state, item.transaction, recorded.context)
        logs: list[list[object]] = [
            [log.address, list(log.topics), log.data] for log in result.trace.logs if not log.reverted
        ]
        got = (int(result.succeeded), result.gas_used, keccak_256(rlp.encode(logs)).digest())
        if got != (item.receipt.status, item.receipt.gas_used, item.receipt.logs_hash):
            wrong.append(f"{item.index}: {got[:2]} {result.error}")
        if (result.status is SimulationStatus.REVERTED) != (item.receipt.failure == "revert"):
            wrong.append(f"{item.index}: {result.status} instead of {item.receipt.failure}")
        cumulative += result.gas_used
        kind = item.transaction.type
        receipt = rlp.encode([rlp.sedes.big_endian_int.serialize(got[0]), cumulative, _bloom(logs), logs])
        trie[rlp.encode(item.index)] = bytes([kind]) + receipt if kind else receipt
        state.apply(result.state_diff)
    return wrong, trie.root_hash


def test_every_real_block_replays_to_its_receipts(engine: RevmSimulator) -> None:
    if not BENIGN.is_dir():
        pytest.skip(f"no benign blocks at {BENIGN}")
    wrong = {}
    for recorded in BenignSet():
        found, root = _replay(engine, recorded)
        if recorded.receipts_verified and root != recorded.receipts_root:
            found.append("receipts root differs")
        if found:
            wrong[recorded.context.number] = found[:3]
    assert wrong == {}


# The trace


def test_frames_accesses_and_logs_share_one_order(engine: RevmSimulator) -> None:
    # SSTORE(1, 2); CALL(OTHER); SLOAD(1); LOG1(topic 5)
    caller = "6002600155" + "60006000600060006000" + "73" + OTHER.hex() + "5af150" + "60015450" + "600560006000a1"
    callee = "60095460005260206000fd"  # SLOAD(9), revert with the word
    state = world(engine, {TARGET: account(caller), OTHER: account(callee)}, {(OTHER, 9): 77})
    result = engine.run(state, transaction(), block())
    root, child = result.trace.frames
    assert (root.kind, root.parent, root.depth, root.from_, root.to) == (FrameKind.CALL, -1, 0, SENDER, TARGET)
    assert (child.parent, child.depth, child.from_, child.to) == (0, 1, TARGET, OTHER)
    assert (child.error, child.reverted, root.reverted) == ("execution reverted", True, False)
    assert child.output == (77).to_bytes(32, "big")
    assert child.code_hash == keccak_256(bytes.fromhex(callee)).digest()
    store, inner, outer = result.trace.accesses or ()
    assert (store.kind, store.slot, store.value, store.previous, store.frame) == (AccessKind.SSTORE, 1, 2, 0, 0)
    assert (inner.kind, inner.address, inner.value, inner.frame) == (AccessKind.SLOAD, OTHER, 77, 1)
    assert (outer.kind, outer.value) == (AccessKind.SLOAD, 2)
    (log,) = result.trace.logs
    order = [root.entered, store.sequence, child.entered, inner.sequence, child.left, outer.sequence, log.sequence]
    assert order == sorted(set(order))
    assert log.sequence < root.left
    assert root.gas_used == result.gas_used


def test_logs_of_an_undone_frame_are_kept_and_marked(engine: RevmSimulator) -> None:
    result = run_code(engine, "60006000a060006000fd")
    assert result.status is SimulationStatus.REVERTED
    assert [log.reverted for log in result.trace.logs] == [True]


def test_a_mapping_slot_can_be_traced_to_its_key(engine: RevmSimulator) -> None:
    # MSTORE(0, CALLER) MSTORE(32, 3) SLOAD(KECCAK256(0, 64))
    result = run_code(engine, "3360005260036020526040600020545000")
    (access,) = result.trace.accesses or ()
    assert (result.trace.preimages or {})[access.slot] == bytes(12) + SENDER + (3).to_bytes(32, "big")


def test_reads_of_the_environment_are_counted_by_frame(engine: RevmSimulator) -> None:
    result = run_code(engine, "42504250414350503150" + "00", gas_limit=100_000)
    reads = {(read.opcode, read.count) for read in result.trace.environment or ()}
    assert ("TIMESTAMP", 2) in reads
    assert ("COINBASE", 1) in reads
    assert ("NUMBER", 1) in reads


def test_self_destruct_is_a_frame_and_moves_the_balance(engine: RevmSimulator) -> None:
    state = world(engine, {TARGET: account("73" + OTHER.hex() + "ff", balance=5)})
    old = engine.run(state, transaction(), block(Fork.SHANGHAI))
    assert [frame.kind for frame in old.trace.frames] == [FrameKind.CALL, FrameKind.SELFDESTRUCT]
    assert (old.trace.frames[1].from_, old.trace.frames[1].to, old.trace.frames[1].value) == (TARGET, OTHER, 5)
    assert old.destroyed == (TARGET,)
    assert old.state_diff[OTHER].balance == (0, 5)
    kept = engine.run(state, transaction(), block(Fork.CANCUN))  # EIP-6780
    assert kept.destroyed == ()
    assert kept.state_diff[TARGET].code is None
    assert kept.state_diff[TARGET].balance == (5, 0)


def test_a_destroyed_contract_comes_back_without_its_storage(engine: RevmSimulator) -> None:
    state = world(engine, {TARGET: account("73" + OTHER.hex() + "ff")}, {(TARGET, 1): 9})
    state.apply(engine.run(state, transaction(), block(Fork.SHANGHAI)).state_diff)
    reader = account("60015460005260206000f3")
    state.load(StateBatch(accounts={TARGET: reader}))
    result = engine.run(state, transaction(nonce=1), block())
    assert result.output == bytes(32)


def test_a_creation_shows_address_init_code_and_runtime_code(engine: RevmSimulator) -> None:
    init = bytes.fromhex("60fe60005360016000f3")  # returns one byte, INVALID
    result = engine.run(world(engine, {}), transaction(to=None, input=init), block())
    (frame,) = result.trace.frames
    assert (frame.kind, frame.input, frame.output) == (FrameKind.CREATE, init, b"\xfe")
    assert result.created == (frame.to,)
    assert frame.to is not None
    assert result.state_diff[frame.to].code == (b"", b"\xfe")


@pytest.mark.parametrize(
    ("code", "fork", "error"),
    [
        ("fe", Fork.CANCUN, "invalid opcode: INVALID"),
        ("21", Fork.CANCUN, "invalid opcode: opcode 0x21 not defined"),
        ("5f", Fork.PARIS, "invalid opcode: PUSH0"),
        ("600160005d", Fork.SHANGHAI, "invalid opcode: TSTORE"),
        ("01", Fork.CANCUN, "stack underflow"),
        ("6003565b", Fork.CANCUN, None),
        ("600056", Fork.CANCUN, "invalid jump destination"),
        ("60006000fd", Fork.CANCUN, "execution reverted"),
        ("5b600056", Fork.CANCUN, "out of gas"),
        ("60016000600037", Fork.CANCUN, None),
        ("60206000600060003e", Fork.CANCUN, None),
        ("602060006000" + "3e", Fork.CANCUN, "return data out of bounds"),
    ],
)
def test_failures_speak_geths_words(engine: RevmSimulator, code: str, fork: Fork, error: str | None) -> None:
    assert run_code(engine, code, fork, gas_limit=100_000).error == error


def test_a_revert_reason_is_decoded(engine: RevmSimulator) -> None:
    data = bytes.fromhex("08c379a0") + (32).to_bytes(32, "big") + (4).to_bytes(32, "big") + b"nope".ljust(32, b"\0")
    code = "".join(f"60{byte:02x}60{at:02x}53" for at, byte in enumerate(data)) + f"60{len(data):02x}6000fd"
    result = run_code(engine, code)
    assert result.trace.frames[0].revert_reason == "nope"


# State


def test_missing_keys_come_in_one_batch(engine: RevmSimulator) -> None:
    code = "600154506002545073" + OTHER.hex() + "3150" + "60054050"
    state = world(engine, {TARGET: account(code)}, complete=False)
    with pytest.raises(StateMissing) as caught:
        engine.run(state, transaction(), block(number=10))
    assert caught.value.keys.accounts == {OTHER, COINBASE}
    assert caught.value.keys.slots == {(TARGET, 1), (TARGET, 2)}
    assert caught.value.keys.block_hashes == {5}
    state.load(
        StateBatch(
            accounts={OTHER: account(), COINBASE: account()},
            slots={(TARGET, 1): 0, (TARGET, 2): 0},
            block_hashes={5: Hash32()},
        )
    )
    assert engine.run(state, transaction(), block(number=10)).succeeded


def test_an_unknown_sender_does_not_hide_what_else_is_unknown(engine: RevmSimulator) -> None:
    state = engine.world()
    state.load(StateBatch(accounts={TARGET: account("60015450")}))
    with pytest.raises(StateMissing) as caught:
        engine.run(state, transaction(value=5), block())
    assert caught.value.keys.accounts == {SENDER, COINBASE}
    assert caught.value.keys.slots == {(TARGET, 1)}


def test_worlds_made_by_fork_do_not_see_each_other(engine: RevmSimulator) -> None:
    code = "60015460005260206000f3"
    first = world(engine, {TARGET: account(code)}, {(TARGET, 1): 1})
    second = first.fork()
    second.load(StateBatch(slots={(TARGET, 1): 2}))
    third = second.fork()
    first.load(StateBatch(slots={(TARGET, 1): 3}))
    outputs = [engine.run(state, transaction(), block()).output[-1] for state in (first, second, third)]
    assert outputs == [3, 2, 2]


def test_a_run_leaves_its_world_as_it_was(engine: RevmSimulator) -> None:
    state = world(engine, {TARGET: account("600154600101600155")})
    diffs = [dict(engine.run(state, transaction(), block()).state_diff) for _ in range(2)]
    assert diffs[0] == diffs[1]


def test_a_diff_of_another_engine_applies_too(engine: RevmSimulator) -> None:
    state = world(engine, {TARGET: account("600154600101600155")}, {(TARGET, 1): 4})
    result = engine.run(state, transaction(), block())
    plain, native = state.fork(), state.fork()
    plain.apply(dict(result.state_diff))
    native.apply(result.state_diff)
    second = [engine.run(made, transaction(nonce=1), block()).state_diff[TARGET] for made in (plain, native)]
    assert second[0] == second[1]
    assert second[0].storage == {1: (5, 6)}


def test_a_loaded_slot_is_cold_and_has_its_loaded_value_as_original(engine: RevmSimulator) -> None:
    state = world(engine, {TARGET: account("600260015500")}, {(TARGET, 1): 5})
    assert engine.run(state, transaction(), block()).gas_used == 21_000 + 3 + 3 + 5_000


# Admission


@pytest.mark.parametrize(
    ("changes", "reason"),
    [
        ({"nonce": 1}, "nonce too high"),
        ({"value": 2 * ETHER}, "insufficient funds for gas * price + value"),
        ({"gas_limit": 20_999}, "intrinsic gas too low"),
        ({"gas_limit": 100_000_001}, "exceeds block gas limit"),
        ({"max_fee_per_gas": 6}, "max fee per gas less than block base fee"),
        (
            {"type": TransactionType.DYNAMIC_FEE, "chain_id": 1, "max_priority_fee_per_gas": 11},
            "max priority fee per gas higher than max fee per gas",
        ),
        ({"chain_id": 2}, "invalid chain id for signer"),
        ({"sender": TARGET}, "sender not an eoa"),
        ({"value": 2**256}, "value out of range"),
    ],
)
def test_what_a_node_would_refuse_is_refused_in_its_words(
    engine: RevmSimulator, changes: dict[str, object], reason: str
) -> None:
    state = world(engine, {TARGET: account("00", balance=ETHER)})
    with pytest.raises(Unexecutable) as caught:
        engine.run(state, transaction(**changes), block())
    assert caught.value.reason == reason


def test_a_used_nonce_is_too_low(engine: RevmSimulator) -> None:
    state = world(engine, {SENDER: account(balance=ETHER, nonce=3)})
    with pytest.raises(Unexecutable, match="nonce too low"):
        engine.run(state, transaction(nonce=2), block())


def test_replay_grants_the_value_and_shows_no_gift(engine: RevmSimulator) -> None:
    state = world(engine, {SENDER: account(balance=3), TARGET: account("00")})
    result = engine.run(state, transaction(value=10, nonce=9), block(), checks=REPLAY)
    assert result.succeeded
    assert result.state_diff[SENDER].balance == (3, 0)
    assert result.state_diff[TARGET].balance == (0, 10)
    assert COINBASE not in result.state_diff


# Rules


def test_a_set_code_transaction_delegates_and_runs_the_delegate(engine: RevmSimulator) -> None:
    authority = Address(b"\x77" * 20)
    grant = Authorization(chain_id=0, address=OTHER, nonce=0, y_parity=0, r=1, s=1, authority=authority)
    void = replace(grant, authority=None)
    state = world(engine, {OTHER: account("600160025500")})
    set_code = transaction(type=TransactionType.SET_CODE, chain_id=1, to=authority, authorization_list=(void, grant))
    result = engine.run(state, set_code, block(Fork.PRAGUE))
    assert result.state_diff[authority].code == (b"", b"\xef\x01\x00" + OTHER)
    assert result.state_diff[authority].storage == {2: (0, 1)}
    (frame,) = result.trace.frames
    assert (frame.to, frame.code_address) == (authority, OTHER)
    assert frame.code_hash == keccak_256(bytes.fromhex("600160025500")).digest()
    with pytest.raises(Unexecutable, match="transaction type not supported"):
        engine.run(state, set_code, block(Fork.CANCUN))


def test_p256_exists_where_the_chain_or_the_fork_has_it() -> None:
    # EIP-7951's precompile answers bad input with nothing; an empty account does too, but costs less.
    call = "6000600060a06000610100620186a0fa" + "00"
    used = {}
    for name, engine, fork in (
        ("absent", RevmSimulator(), Fork.CANCUN),
        ("chain", RevmSimulator(p256=True), Fork.CANCUN),
        ("fork", RevmSimulator(), Fork.OSAKA),
    ):
        used[name] = run_code(engine, call, fork).trace.frames[-1].gas_used
    assert used == {"absent": 0, "chain": 3450, "fork": 6900}


# Limits


def test_an_endless_loop_stops_at_the_wall_clock(engine: RevmSimulator) -> None:
    state = world(engine, {TARGET: account("5b600056")})
    endless = transaction(gas_limit=10**13, max_fee_per_gas=0, max_priority_fee_per_gas=0)
    began = time.monotonic()
    result = engine.run(state, endless, block(gas_limit=10**13), limits=Limits(wall_clock=0.1), checks=REPLAY)
    assert result.truncated == "wall clock"
    assert 0.1 <= time.monotonic() - began < 1.0
    assert 21_000 < result.gas_used < 10**13
    assert engine.run(world(engine, {}), transaction(), block()).succeeded


@pytest.mark.parametrize(
    ("code", "limit"),
    [
        ("5b600060006000600060007300000000000000000000000000000000000000045af150600056", "frames"),
        ("5b60015450600056", "accesses"),
        ("5b60006000a0600056", "logs"),
        ("5b6101006000a0600056", "output_bytes"),
    ],
)
def test_each_cap_stops_the_run_and_says_so(engine: RevmSimulator, code: str, limit: str) -> None:
    limits = replace(Limits(), **{limit: 100})
    state = world(engine, {TARGET: account(code)})
    result = engine.run(state, transaction(gas_limit=50_000_000), block(), limits=limits)
    assert result.truncated == limit.replace("_", " ")
    assert result.status is SimulationStatus.HALTED
    assert len(result.trace.frames) <= 100
    assert len(result.trace.logs) <= 100


def test_other_threads_run_while_it_executes(engine: RevmSimulator) -> None:
    state = world(engine, {TARGET: account("5b600056")})
    endless = transaction(gas_limit=10**12, max_fee_per_gas=0, max_priority_fee_per_gas=0)
    limits = Limits(wall_clock=0.4)
    runner = threading.Thread(
        target=lambda: engine.run(state, endless, block(gas_limit=10**12), limits=limits, checks=REPLAY)
    )
    runner.start()
    longest, last = 0.0, time.monotonic()
    while runner.is_alive():
        now = time.monotonic()
        longest, last = max(longest, now - last), now
    assert longest < 0.2  # with the GIL held this loop would not have turned once


async def test_both_paths_of_simulate_give_the_same_result(engine: RevmSimulator) -> None:
    state = world(engine, {TARGET: account("600154600101600155")})
    inline = await engine.simulate(state, transaction(gas_limit=100_000), block(), checks=Checks(balance=False))
    threaded = await engine.simulate(state, transaction(gas_limit=400_000), block(), checks=Checks(balance=False))
    assert dict(inline.state_diff) == dict(threaded.state_diff)
    assert inline.gas_used == threaded.gas_used


def test_a_world_of_another_engine_is_refused(engine: RevmSimulator) -> None:
    class Foreign:
        complete = True

        def load(self, batch: StateBatch) -> None: ...

        def apply(self, diff: StateDiff) -> None: ...

        def fork(self) -> Foreign:
            return self

    with pytest.raises(SimulationError, match="make worlds with this engine"):
        engine.run(Foreign(), transaction(), block(), checks=ADMISSION)


@pytest.mark.corpus
@pytest.mark.skipif(not CORPUS.is_dir(), reason="the exploit corpus is not beside the project")
def test_slots_folded_by_the_engine_are_the_accesses_folded(engine: RevmSimulator) -> None:
    """The recorded attacks touch slots in every order, undone frames included."""
    for row in [row for row in corpus_rows() if row.verified][::7]:
        case = read_case(row.path)
        state = engine.world(complete=True)
        state.load(case.prestate)
        for step in case.steps:
            state.load(step.patch)
            result = engine.run(state, step.transaction, step.block, checks=REPLAY)
            state.apply(result.state_diff)
            assert result.trace.slots == slot_uses(result.trace.accesses or (), result.trace.frames)
