"""What the engine derives and folds, against the Python derivation from the frames, events and accesses it recorded."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import replace

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from gateway.evaluate.benign import BENIGN, BenignSet, BlockRow
from gateway.evaluate.corpus import CORPUS, CaseRow, corpus_rows, read_case
from gateway.evm.simulator import ADMISSION, REPLAY, Limits
from gateway.inspection.trace import facts as reference
from gateway.inspection.trace.ledger import BALANCE_OF, Ledger, stocks
from gateway.model.facts import Facts, TokenStandard, Transfer
from gateway.model.frame import CREATIONS, FrameKind
from gateway.model.primitive import Address
from gateway.model.state import StateBatch
from gateway.model.trace import SimulationResult, Trace
from tests.gateway.evm.scenes import CONTRACT, ETHER, OTHER, SENDER, STOP, account, block, call, push, transaction

revm = pytest.importorskip("gateway.evm.revm", reason="the native engine is not installed (no cargo)")

NATIVE = revm.RevmSimulator()
PATIENT = Limits(wall_clock=60)
TOPICS = (
    reference.TRANSFER,
    reference.APPROVAL,
    reference.APPROVAL_FOR_ALL,
    reference.TRANSFER_SINGLE,
    reference.TRANSFER_BATCH,
    reference.DEPOSIT,
    reference.WITHDRAWAL,
    reference.SENT,
    reference.MINTED,
    reference.BURNED,
    reference.SYNC,
)


def check(result: SimulationResult) -> Facts:
    """Everything that the engine folds equals what Python makes of the plain trace."""
    trace = result.trace
    codes = dict(trace.codes or {})
    plain = Trace(trace.frames, trace.logs, trace.accesses, trace.environment, trace.preimages, codes)
    expected = reference.derive(replace(result, trace=plain))
    facts = result.facts
    assert facts is not None
    assert facts == expected
    assert facts.net == expected.net
    assert [list(changes) for changes in facts.net.values()] == [list(changes) for changes in expected.net.values()]
    assert facts.minted == expected.minted
    assert trace.links == plain.links
    assert trace.slots == plain.slots
    touched = {access.address for access in plain.accesses or ()}
    for accounts in (frozenset(touched), frozenset(sorted(touched)[:1])):
        assert trace.accesses_of(accounts) == plain.accesses_of(accounts)
        assert trace.accesses_of(accounts, changing=True) == plain.accesses_of(accounts, changing=True)
    topics = frozenset(log.topics[0] for log in plain.logs if log.topics)
    for some in (frozenset(TOPICS), topics):
        assert trace.events(some) == plain.events(some)
    callers = frozenset(frame.from_ for frame in plain.frames[::2])
    called = frozenset(frame.to for frame in plain.frames[::3] if frame.to is not None)
    selectors = frozenset(frame.input[:4] for frame in plain.frames[1::2])
    for kinds in (None, CREATIONS, frozenset({FrameKind.CALL, FrameKind.SELFDESTRUCT})):
        assert trace.select(kinds=kinds) == plain.select(kinds=kinds)
        assert trace.select(kinds=kinds, from_=callers) == plain.select(kinds=kinds, from_=callers)
        assert trace.select(kinds=kinds, to=called) == plain.select(kinds=kinds, to=called)
        assert trace.select(kinds=kinds, selectors=selectors) == plain.select(kinds=kinds, selectors=selectors)
    assert facts.come_back == bool(expected.comebacks)
    assert facts.stocks == stocks(expected, replace(result, trace=plain))
    check_storage(trace, plain)
    ledger = Ledger(expected, replace(result, trace=plain))
    assert facts.balance_places == ledger.balance_places
    check_code(trace, plain)
    check_ways(trace, plain, expected.transfers)
    assert list(facts.outflows.items()) == list(expected.outflows.items())
    accounts = frozenset(move.to for move in expected.transfers[::2])
    assert facts.crossings(accounts) == expected.crossings(accounts)
    assert result.state_diff.get(Address(b"\x13" * 20)) is None
    return facts


def check_storage(trace: Trace, plain: Trace) -> None:
    """What is read out of storage and hashes."""
    sender = plain.frames[0].from_
    assert trace.kept(sender) == plain.kept(sender)
    some = frozenset((use.address, use.slot) for use in (plain.slots or ())[::2])
    assert trace.kept(OTHER, some) == plain.kept(OTHER, some)
    assert trace.accounts(sender) == plain.accounts(sender)
    assert trace.accounts(OTHER, some) == plain.accounts(OTHER, some)
    assert trace.lists(sender) == plain.lists(sender)
    assert trace.lists(OTHER, some) == plain.lists(OTHER, some)
    assert trace.parties(OTHER) == plain.parties(OTHER)
    assert trace.shows_storage == plain.shows_storage
    assert trace.written == plain.written
    accounts = frozenset(account for account, _ in some)
    assert trace.slots_of(accounts) == plain.slots_of(accounts)
    assert trace.peaks(some) == plain.peaks(some)
    for most in (3, 4096):
        assert list(trace.nodes(most).items()) == list(plain.nodes(most).items())


def check_code(trace: Trace, plain: Trace) -> None:
    """What is read out of the code that ran."""
    codes = plain.codes or {}
    assert trace.codes == codes
    assert list(trace.codes or ()) == list(codes)
    assert trace.active == plain.active
    for sender in (plain.frames[0].from_, OTHER):
        assert trace.embedded(sender) == plain.embedded(sender)
    actors = list(dict.fromkeys(link.context for link in plain.links if link.context is not None))[:24]
    for actor in actors:
        assert trace.asks_origin(actor) == plain.asks_origin(actor)
        for asked in (*actors, b"\x57", next(iter(codes.values()), b"\0")[-40:] or b"\0"):
            assert trace.names(actor, asked) == plain.names(actor, asked)


def check_questions(trace: Trace, plain: Trace, cluster: frozenset[Address]) -> None:
    """What plain questions were answered otherwise a second time, and what logs say nothing."""
    for besides, longest, most in ((frozenset[bytes](), 256, 4096), (frozenset({BALANCE_OF}), 32, 5)):
        recanted = trace.recanted(besides, cluster, longest, most)
        assert recanted == plain.recanted(besides, cluster, longest, most)
    for least, part in ((1, 0), (1, 1000), (32, 980), (64, 900), (1000, 980)):
        assert trace.blank_logs(least, part) == plain.blank_logs(least, part)


def check_ways(trace: Trace, plain: Trace, moves: Sequence[Transfer]) -> None:
    """What is read out of the call tree, and what became of slots while their contract was entered twice."""
    sender, last = plain.frames[0].from_, len(plain.frames)
    for first, end in ((0, last), (last // 2, last + 5), (3, 2)):
        assert trace.contexts(first, end) == plain.contexts(first, end)
    assert trace.fails == plain.fails
    for frame in plain.frames[:200]:
        for sequence in (frame.entered, frame.left + 1):
            assert trace.entered_since(sequence) == plain.entered_since(sequence)
        assert trace.path(frame.index) == plain.path(frame.index)
        for token in (frame.to or OTHER, plain.frames[frame.parent].context or OTHER):
            assert trace.asker(frame.index, token) == plain.asker(frame.index, token)
    accounts = sorted({frame.context for frame in plain.frames if frame.context is not None})
    for cluster in (frozenset(accounts[::2]), frozenset(accounts[1::2]), frozenset((sender, accounts[-1]))):
        for most in (2, 256):
            assert trace.returns(cluster, most) == plain.returns(cluster, most)
        assert trace.visits(cluster) == plain.visits(cluster)
        for entry in accounts[:3]:
            assert trace.sole_room(entry, cluster, moves) == plain.sole_room(entry, cluster, moves)
        assert trace.select(about=cluster) == plain.select(about=cluster)
        assert trace.acting(cluster) == plain.acting(cluster)
        assert trace.askers(cluster) == plain.askers(cluster)
        check_questions(trace, plain, cluster)
        rest = frozenset(accounts) - cluster
        for least, most in ((0, 64), (36, 1)):
            assert trace.orders(cluster, rest, least, most) == plain.orders(cluster, rest, least, most)
        for frame in plain.frames[:32]:
            for party in accounts[:6]:
                told = trace.told(frame.index, party, cluster, 4096)
                assert told == plain.told(frame.index, party, cluster, 4096)
        pairs = [(back.outer, back.inner) for back in plain.returns(cluster, 64)]
        for most in (1, 64):
            assert list(trace.overlaps(pairs, most)) == list(plain.overlaps(pairs, most))
            assert list(trace.answers(pairs, most)) == list(plain.answers(pairs, most))


def attacks(rows: Sequence[CaseRow]) -> Iterator[Facts]:
    """The facts of every step of these cases, checked."""
    for row in rows:
        case = read_case(row.path)
        world = NATIVE.world(complete=True)
        world.load(case.prestate)
        for step in case.steps:
            world.load(step.patch)
            result = NATIVE.run(world, step.transaction, step.block, checks=REPLAY, limits=PATIENT)
            world.apply(result.state_diff)
            yield check(result)


def blocks(rows: Sequence[BlockRow]) -> Iterator[Facts]:
    """The facts of every transaction of these blocks, checked."""
    for row in rows:
        recorded = BenignSet().read(row)
        world = NATIVE.world(complete=True)
        world.load(recorded.prestate)
        for honest in recorded.transactions:
            result = NATIVE.run(world, honest.transaction, recorded.context, checks=ADMISSION, limits=PATIENT)
            world.apply(result.state_diff)
            yield check(result)


@pytest.mark.corpus
@pytest.mark.skipif(not CORPUS.is_dir(), reason=f"no attack corpus at {CORPUS}")
def test_facts_of_recorded_attacks() -> None:
    rows = sorted(corpus_rows(), key=lambda row: row.id)
    comebacks = reserves = 0
    for facts in attacks(rows[5::16]):
        comebacks += len(facts.comebacks)
        reserves += sum(row.before is not None for row in facts.reserves)
    assert min(comebacks, reserves) > 0


@pytest.mark.skipif(not BENIGN.exists(), reason=f"the benign blocks are not at {BENIGN}")
def test_facts_of_real_blocks() -> None:
    rows = sorted((row for row in BenignSet().rows if row.transactions), key=lambda row: row.gas_used)
    standards = {move.standard for facts in blocks(rows[: len(rows) // 2 : 6]) for move in facts.transfers}
    assert {TokenStandard.NATIVE, TokenStandard.ERC20} <= standards


@pytest.mark.slow
@pytest.mark.skipif(not (CORPUS.is_dir() and BENIGN.exists()), reason=f"no data sets at {CORPUS} and {BENIGN}")
def test_facts_of_everything_recorded() -> None:
    assert sum(1 for _ in attacks(corpus_rows())) > 0
    assert sum(1 for _ in blocks([row for row in BenignSet().rows if row.transactions])) > 0


# Programs that emit whatever events they like

PARTIES = st.sampled_from([CONTRACT, OTHER, SENDER, Address(bytes(20)), Address(b"\xee" * 20)])
WORDS = st.one_of(
    PARTIES.map(lambda party: int.from_bytes(party, "big")),
    st.integers(0, 4),
    st.sampled_from([32, 64, 96, 128, 1000, 2**112, 2**255, 2**256 - 1]),
)
ARRAYS = st.lists(st.integers(0, 3), max_size=3).map(
    lambda items: (
        [64, 96 + 32 * len(items), len(items), *items, len(items), *(9 * item for item in items)] if items else [64, 64]
    )
)
FIRST = st.one_of(st.sampled_from(TOPICS), st.just(b"\x99" * 32)).map(lambda topic: int.from_bytes(topic, "big"))


def emit(topics: list[int], words: list[int], cut: int) -> bytes:
    """LOGn with these topics; `cut` bytes of the data are missing at its end."""
    code = b"".join(push(word) + push(32 * at) + b"\x52" for at, word in enumerate(words))
    size = max(0, 32 * len(words) - cut)
    return (
        code + b"".join(push(topic) for topic in reversed(topics)) + push(size) + push(0) + bytes([0xA0 + len(topics)])
    )


EVENTS = st.builds(
    lambda first, rest, words, cut: emit([first, *rest], words, cut),
    FIRST,
    st.lists(WORDS, max_size=3),
    st.one_of(st.lists(WORDS, max_size=5), ARRAYS),
    st.sampled_from([0, 0, 0, 1, 31, 32]),
)
STEPS = st.one_of(
    EVENTS,
    EVENTS,
    st.builds(
        lambda to, value, kind, size: call(to, value=value, opcode=kind, gas=90_000, size=size),
        st.sampled_from([CONTRACT, OTHER]),
        st.integers(0, 4),
        st.sampled_from([0xF1, 0xF1, 0xF2, 0xF4, 0xFA]),
        st.sampled_from([0, 4, 100]),
    ),
    st.builds(lambda slot, value: push(value) + push(slot) + b"\x55", st.integers(0, 2), WORDS),
)
ENDS = st.sampled_from([STOP, STOP, push(0) + push(0) + b"\xfd", push(OTHER) + b"\xff"])
PROGRAMS = st.builds(lambda steps, end: b"".join(steps) + end, st.lists(STEPS, max_size=8), ENDS)


def run(first: bytes, second: bytes, data: bytes = b"", gas: int = 2_000_000) -> SimulationResult:
    world = NATIVE.world(complete=True)
    accounts = {
        SENDER: account(balance=100 * ETHER),
        CONTRACT: account(first, balance=ETHER, nonce=1),
        OTHER: account(second, balance=ETHER, nonce=1),
    }
    slots = {(CONTRACT, 0): 3 << 112 | 5, (OTHER, 1): 7}
    world.load(StateBatch(accounts=accounts, slots=slots))
    made: SimulationResult = NATIVE.run(
        world, transaction(to=CONTRACT, gas=gas, data=data, value=2), block(), limits=PATIENT, checks=REPLAY
    )
    return made


@settings(max_examples=150, deadline=None)
@given(PROGRAMS, PROGRAMS, st.sampled_from([b"", BALANCE_OF]), PARTIES)
def test_facts_of_made_programs(first: bytes, second: bytes, selector: bytes, party: Address) -> None:
    check(run(first, second, selector + party.rjust(32, b"\0") if selector else b""))


def test_a_pool_that_announces_what_it_stores() -> None:
    stored = push(8 << 112 | 6) + push(0) + b"\x55"
    facts = check(run(stored + emit([int.from_bytes(reference.SYNC, "big")], [6, 8], 0) + STOP, b""))
    (row,) = facts.reserves
    assert (row.pool, row.before, row.after) == (CONTRACT, (5, 3), (6, 8))


def test_an_erc777_token_moves_once_whether_it_says_so_twice_or_not() -> None:
    parties = [int.from_bytes(party, "big") for party in (SENDER, SENDER, OTHER)]
    sent = emit([int.from_bytes(reference.SENT, "big"), *parties], [5], 0)
    also = emit([int.from_bytes(reference.TRANSFER, "big"), *parties[1:]], [5], 0)
    assert [move.standard for move in check(run(sent + STOP, b"")).transfers[1:]] == [TokenStandard.ERC777]
    assert [move.standard for move in check(run(sent + also + STOP, b"")).transfers[1:]] == [TokenStandard.ERC20]


def test_a_megabyte_in_one_event() -> None:
    head = push(0x40) + push(0) + b"\x52" + push(0x40) + push(0x20) + b"\x52" + push(16_384) + push(0x40) + b"\x52"
    topics = [int.from_bytes(reference.TRANSFER_BATCH, "big"), 1, 2, 3]
    code = head + b"".join(push(topic) for topic in reversed(topics)) + push(1 << 20) + push(0) + b"\xa4" + STOP
    facts = check(run(code, b"", gas=30_000_000))
    assert len(facts.transfers) == 1 + 16_384


def test_a_frame_is_one_object_whichever_way_it_is_reached() -> None:
    frames = run(call(OTHER, gas=90_000) + STOP, STOP).trace.frames
    last = frames[-1]
    assert last.to == OTHER
    assert frames[1] is last
    assert [frame.index for frame in frames] == [0, 1]
    assert tuple(frames)[1] is last
    assert frames[0:1] == (frames[0],)
    with pytest.raises(IndexError):
        frames[2]
