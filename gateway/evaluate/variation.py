"""The same act built in another way: what an honest yardstick must not depend on.

A variation takes a recorded run and gives what is to be loaded over its state and sent in its place, or says why it
does not fit. None of them changes what the act does to anybody; whether the varied run really did the same is
compared afterwards, not assumed.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field, replace

from gateway.decoding.keccak import keccak256
from gateway.evaluate.bytecode import (
    borrower,
    call_plain,
    coin,
    creation_calling,
    creation_creating,
    creation_of,
    forwarder,
    notebook,
    ops,
    pull,
    push,
    transfer_data,
)
from gateway.evaluate.case import Move
from gateway.evaluate.renaming import (
    Renaming,
    create_address,
    first_values,
    gather_preimages,
    stand_in,
    with_children,
)
from gateway.model.primitive import Address, Hash32
from gateway.model.state import AccountState, StateBatch
from gateway.model.trace import SimulationResult
from gateway.model.transaction import Transaction

MORE_GAS = 3_000_000
"""for what a wrapper costs; the 64th part that a call holds back comes on top"""
CODE_LIMIT = 24_576
"""bytes of a contract that can be created (EIP-170); recorded attack contracts may be larger"""
COINS = 10**21
"""units of the planted coin"""


class Unfit(Exception):
    """A variation says nothing about an act; the message says why."""


@dataclass(frozen=True)
class Recording:
    """One act as it ran."""

    accounts: Mapping[Address, AccountState]
    """before the first transaction; must hold senders and the contracts they call"""
    moves: tuple[Move, ...]
    results: tuple[SimulationResult, ...]
    strikers: frozenset[Address]
    """contracts that act for the senders; empty for an honest act"""
    spoils: Mapping[Address, tuple[Address, ...]] = field(default_factory=dict)
    """striker -> tokens of which it has more at the end"""


@dataclass(frozen=True, slots=True)
class Variant:
    """What to run instead."""

    overlay: StateBatch
    """loaded over the recorded state"""
    moves: tuple[Move, ...]
    renamed: Mapping[Address, Address] = field(default_factory=dict)
    """old address -> new one, of accounts that stand at another place"""


Variation = Callable[[Recording], Variant]


def other_sender(act: Recording) -> Variant:
    """Every sender has another address and nonce, and owns there what it owned."""
    names = {move.transaction.sender: stand_in(move.transaction.sender, "sender") for move in act.moves}
    return renamed(act, names)


def other_address(act: Recording) -> Variant:
    """The striking contracts lie at other addresses, and own there what they owned."""
    return renamed(act, {striker: stand_in(striker, "striker") for striker in _strikers(act)})


def other_code(act: Recording) -> Variant:
    """The striking contracts have other code of another size that does the same."""
    accounts = {}
    for striker in _strikers(act):
        state = act.accounts[striker]
        filling = keccak256(b"filling" + striker) * (1 + striker[0] % 16)
        accounts[striker] = with_code(state, state.code[:-32] + filling + state.code[-32:])
    return Variant(StateBatch(accounts), act.moves)


def borrowed_code(act: Recording) -> Variant:
    """The contracts that senders call run code that lies elsewhere, by DELEGATECALL."""
    accounts = {}
    for target in _targets(act):
        library, state = stand_in(target, "library"), act.accounts[target]
        accounts[library] = with_code(AccountState(nonce=1), state.code)
        accounts[target] = with_code(state, borrower(library))
    return Variant(StateBatch(accounts), act.moves)


def wrapped(act: Recording) -> Variant:
    """Senders call a plain forwarder of unknown age, which calls the contract."""
    return _wrapped(act, b"")


def fresh_wrapper(act: Recording) -> Variant:
    """Senders first deploy that forwarder, each their own."""
    made: dict[tuple[Address, Address], Address] = {}
    moves: list[Move] = []
    nonces: dict[Address, int] = {}
    targets = _targets(act)
    for move in act.moves:
        sent = move.transaction
        nonce = nonces.setdefault(sent.sender, act.accounts[sent.sender].nonce)
        if sent.to in targets:
            if (sent.sender, sent.to) not in made:
                made[sent.sender, sent.to] = create_address(sent.sender, nonce)
                nonce += 1
                raw = replace(sent.raw, hash=Hash32(keccak256(b"wrapper" + sent.raw.hash)))  # memory tells them apart
                moves.append(resent(move, to=None, input=creation_of(forwarder(sent.to)), value=0, raw=raw))
            move = resent(move, to=made[sent.sender, sent.to])
        nonces[sent.sender] = nonce + 1
        moves.append(move)
    return Variant(StateBatch(), tuple(moves))


def in_constructor(act: Recording) -> Variant:
    """Senders create a contract whose constructor makes the call."""
    targets = _targets(act)
    return Variant(
        StateBatch(),
        tuple(
            resent(
                move,
                to=None,
                input=creation_calling(move.transaction.to, move.transaction.input, move.transaction.value),
            )
            if move.transaction.to in targets
            else move
            for move in act.moves
        ),
    )


def created_and_struck(act: Recording) -> Variant:
    """One creation transaction deploys the striking contract and lets it strike."""
    strikers = [move.transaction.to for move in act.moves if move.transaction.to in act.strikers]
    if len(strikers) != 1 or strikers[0] is None:
        raise Unfit("not exactly one transaction that calls a striking contract")
    striker = strikers[0]
    at = next(at for at, move in enumerate(act.moves) if move.transaction.to == striker)
    sender = act.moves[at].transaction.sender
    nonce = act.accounts[sender].nonce + sum(move.transaction.sender == sender for move in act.moves[:at])
    home = create_address(create_address(sender, nonce), 1)
    moved = renamed(act, {striker: home}, nonces={striker: 1 - act.accounts[striker].nonce})
    state = moved.overlay.accounts[home]
    if len(state.code) > CODE_LIMIT:
        raise Unfit("the contract is too large to be created")
    accounts = {**moved.overlay.accounts, home: AccountState(balance=state.balance)}
    move = moved.moves[at]
    sent = move.transaction
    create = creation_creating(state.code, sent.input, sent.value)
    moves = (*moved.moves[:at], resent(move, to=None, input=create), *moved.moves[at + 1 :])
    return Variant(StateBatch(accounts, moved.overlay.slots), moves, moved.renamed)


def passed_on(act: Recording) -> Variant:
    """At its end the striking contract sends all it has to an account that appears nowhere else."""
    return _pulling(act, lambda striker: push(stand_in(striker, "receiver")))


def sent_home(act: Recording) -> Variant:
    """At its end the striking contract sends all it has to the sender."""
    return _pulling(act, lambda _: ops("ORIGIN"))


def after_a_visit(act: Recording) -> Variant:
    """A wrapper first makes an unrelated call that writes an entry for it."""
    place = stand_in(Address(), "notebook")
    variant = _wrapped(act, call_plain(place))
    return replace(variant, overlay=_with(variant.overlay, {place: with_code(AccountState(nonce=1), notebook())}))


def after_a_gift(act: Recording) -> Variant:
    """A wrapper first gives units of an unknown coin to an unrelated contract and calls it."""
    place, friend = stand_in(Address(), "coin"), stand_in(Address(), "friend")
    variant = _wrapped(act, call_plain(place, transfer_data(friend, COINS // 3)) + call_plain(friend))
    slots = {}
    for target in _targets(act):
        key = stand_in(target, "wrapper").rjust(32, b"\0") + bytes(32)
        slots[place, int.from_bytes(keccak256(key), "big")] = COINS
    planted = {place: coin(), friend: notebook()}
    accounts = {address: with_code(AccountState(nonce=1), code) for address, code in planted.items()}
    return replace(variant, overlay=_with(variant.overlay, accounts, slots))


def other_block(act: Recording) -> Variant:
    """Another proposer, random value, base fee and gas limit; time goes on unchanged, for amounts hang on it."""
    return Variant(
        StateBatch(),
        tuple(
            replace(
                move,
                block=replace(
                    move.block,
                    coinbase=stand_in(move.block.coinbase, "proposer"),
                    base_fee=move.block.base_fee // 2,
                    gas_limit=move.block.gas_limit * 2,
                    prev_randao=Hash32(keccak256(move.block.prev_randao)),
                ),
            )
            for move in act.moves
        ),
    )


def _strikers(act: Recording) -> Iterable[Address]:
    """The striking contracts that have code now."""
    found = sorted(striker for striker in act.strikers if striker in act.accounts and act.accounts[striker].code)
    if not found:
        raise Unfit("no striking contract in the state")
    return found


def _targets(act: Recording) -> dict[Address, AccountState]:
    """The contracts that senders call and that act for them; of an honest act, all that they call."""
    called = {move.transaction.to for move in act.moves if move.transaction.to is not None}
    found = {
        target: act.accounts[target]
        for target in sorted(called)
        if target in act.accounts and act.accounts[target].code and (not act.strikers or target in act.strikers)
    }
    if not found:
        raise Unfit("no transaction calls a contract that may be wrapped")
    return found


def renamed(act: Recording, names: Mapping[Address, Address], nonces: Mapping[Address, int] | None = None) -> Variant:
    """The act with accounts at other addresses, owning there what they owned; old address -> new one.

    `nonces`: what is added to the nonce of an account before the addresses of its creations are derived.
    """
    names = with_children(names, act.results, nonces or {})
    answered = [
        frame.input
        for result in act.results
        for frame in result.trace.frames
        if frame.to in act.strikers and frame.input
    ]
    renaming = Renaming(names, gather_preimages(act.results), tuple(dict.fromkeys(answered)))
    ran = {
        account for result in act.results for frame in result.trace.frames for account in (frame.to, frame.code_address)
    }
    coded = {one: act.accounts[one] for one in {*names, *ran} if one is not None and one in act.accounts}
    overlay = renaming.state(coded, first_values(act.results))
    moves = tuple(
        replace(move, transaction=renaming.transaction(move.transaction), patch=_patch(move.patch, renaming))
        for move in act.moves
    )
    return Variant(overlay, moves, names)


def _patch(patch: StateBatch, renaming: Renaming) -> StateBatch:
    changed = renaming.slots(patch.slots)
    return StateBatch(slots={**{key: value for key, value in patch.slots.items() if key not in changed}, **changed})


def _wrapped(act: Recording, before: bytes) -> Variant:
    targets = _targets(act)
    places = {target: stand_in(target, "wrapper") for target in targets}
    accounts = {place: with_code(AccountState(nonce=1), forwarder(target, before)) for target, place in places.items()}
    moves = tuple(
        resent(move, to=places[move.transaction.to]) if move.transaction.to in places else move for move in act.moves
    )
    return Variant(StateBatch(accounts), moves)


def _pulling(act: Recording, receiver: Callable[[Address], bytes]) -> Variant:
    calls = [move.transaction.to for move in act.moves if move.transaction.to in act.strikers]
    if len(calls) != 1 or calls[0] is None:
        raise Unfit("not exactly one transaction that calls a striking contract")
    striker = calls[0]
    if not act.spoils.get(striker):
        raise Unfit("the striking contract keeps nothing")
    library, state = stand_in(striker, "library"), act.accounts[striker]
    tokens = [token for token in act.spoils[striker] if any(token)]
    accounts = {
        library: with_code(AccountState(nonce=1), state.code),
        striker: with_code(state, borrower(library, pull(tokens, receiver(striker)))),
    }
    moves = tuple(resent(move) if move.transaction.to == striker else move for move in act.moves)
    return Variant(StateBatch(accounts), moves)


def with_code(state: AccountState, code: bytes) -> AccountState:
    """The account with that code."""
    return replace(state, code=code, code_hash=keccak256(code))


def _with(
    batch: StateBatch,
    accounts: Mapping[Address, AccountState],
    slots: Mapping[tuple[Address, int], int] | None = None,
) -> StateBatch:
    return StateBatch({**batch.accounts, **accounts}, {**batch.slots, **(slots or {})})


def resent(move: Move, **fields: object) -> Move:
    """The move with other fields, and gas for what is added."""
    sent: Transaction = replace(move.transaction, **fields)  # type: ignore[arg-type]  # replace checks the names
    gas = sent.gas_limit + sent.gas_limit // 32 + MORE_GAS
    sent = replace(sent, gas_limit=gas)
    return replace(move, transaction=sent, block=replace(move.block, gas_limit=max(move.block.gas_limit, gas)))
