"""Fetches state in batches pinned to one block hash, and counts the round trips."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Protocol

from gateway.errors import UpstreamNonsense, UpstreamRefused
from gateway.live import wire
from gateway.live.codes import CodeStore
from gateway.live.explore import Exploration, Explored, exploration_call, explored, is_unknown_method
from gateway.model.primitive import Address, Hash32
from gateway.model.state import AccountState, StateBatch, StateKeys
from gateway.model.transaction import Transaction

Call = tuple[str, Sequence[object]]

BATCH_SIZE = 400
"""calls in one HTTP request; more go in several at the same time"""


class Reader(Protocol):
    """The upstream methods that state needs."""

    async def call(self, method: str, params: Sequence[object] = (), *, within: float | None = None) -> object:
        """See `gateway.upstream.client.Upstream.call`."""

    async def batch(self, calls: Sequence[Call], *, within: float | None = None) -> list[object | UpstreamRefused]:
        """See `gateway.upstream.client.Upstream.batch`."""


@dataclass(slots=True)
class Fetched:
    """One batch of values, and what exploring the transaction added to the wishes."""

    values: StateBatch
    wanted: StateKeys
    """keys that the node says the transaction touches; some may be in `values`"""
    trips: int
    """round trips one after another"""


class StateFetcher:
    """Reads accounts, slots and block hashes at one block."""

    def __init__(self, reader: Reader, codes: CodeStore) -> None:
        self._reader = reader
        self._codes = codes
        self._proofs = True
        self._exploration: Exploration | None = Exploration.PRESTATE
        self.trips = 0
        """since start"""
        self.calls = 0

    async def fetch(self, keys: StateKeys, block: Hash32, *, explore: Transaction | None = None) -> Fetched:
        """The values of `keys` in one round trip; two if a contract changed its code since it was last seen.

        Args:
            keys: what is wanted.
            block: the block after which the values hold.
            explore: also ask the node, in the same round trip, what this transaction touches. A node that traces
                calls tells the values at once; one that makes access lists tells the keys.

        Raises:
            UpstreamRefused: the node does not know the block, or refuses to read there.
            UpstreamError: it did not answer, or with nonsense.
        """
        accounts, slots, numbers = sorted(keys.accounts), sorted(keys.slots), sorted(keys.block_hashes)
        plan = [self._account_calls(address, block) for address in accounts]
        calls: list[Call] = [call for account_calls in plan for call in account_calls]
        calls += [slot_call(address, slot, block) for address, slot in slots]
        calls += [("eth_getBlockByNumber", [hex(number), False]) for number in numbers]
        exploration = self._exploration if explore is not None else None
        if explore is not None and exploration is not None:
            calls.append(exploration_call(exploration, explore, block))
        answers = await self._ask(calls)
        position = 0
        states: dict[Address, AccountState] = {}
        changed: list[tuple[Address, AccountState]] = []
        for address, account_calls in zip(accounts, plan, strict=True):
            part = answers[position : position + len(account_calls)]
            position += len(account_calls)
            state, complete = self._account(address, part)
            states[address] = state
            if not complete:
                changed.append((address, state))
        values = {
            key: wire.quantity(answer, f"storage of {key[0]}")
            for key, answer in zip(slots, answers[position : position + len(slots)], strict=True)
        }
        position += len(slots)
        hashes = {
            number: wire.hash32(wire.members(answer, "block").get("hash"), "block hash")
            for number, answer in zip(numbers, answers[position : position + len(numbers)], strict=True)
        }
        seen = self._explored(exploration, answers[-1]) if exploration is not None else Explored()
        # What was asked for by name goes before what a trace tells on the side.
        states = {**seen.values.accounts, **states}
        values = {**seen.values.slots, **values}
        trips = 1
        if changed:
            trips += 1
            states.update(await self._changed_code(changed, block))
        return Fetched(StateBatch(states, values, hashes), seen.keys, trips)

    async def ask(self, calls: Sequence[Call]) -> list[object | UpstreamRefused]:
        """Any calls, in one round trip that is counted."""
        return await self._ask(calls)

    async def _ask(self, calls: Sequence[Call]) -> list[object | UpstreamRefused]:
        if not calls:
            return []
        self.trips += 1
        self.calls += len(calls)
        if len(calls) <= BATCH_SIZE:
            return await self._reader.batch(calls)
        parts = [calls[start : start + BATCH_SIZE] for start in range(0, len(calls), BATCH_SIZE)]
        answers = await asyncio.gather(*(self._reader.batch(part) for part in parts))
        return [answer for part in answers for answer in part]

    def _account_calls(self, address: Address, block: Hash32) -> list[Call]:
        if self._proofs and self._codes.hint(address) is not None:
            return [("eth_getProof", [str(address), [], wire.at_block(block)])]
        return account_calls(address, block)

    def _account(self, address: Address, answers: Sequence[object]) -> tuple[AccountState, bool]:
        """The account, and whether its code is really that; if not, the code must be asked for."""
        if len(answers) > 1:
            return account_of(address, answers, self._codes), True
        if isinstance(answers[0], UpstreamRefused):
            # Not every node gives proofs; ask the plain way from now on.
            self._proofs = False
            return AccountState(), False
        proof = wire.members(answers[0], f"proof of {address}")
        hash = wire.hash32(proof.get("codeHash"), f"code hash of {address}")
        code = self._codes.get(hash)
        state = AccountState(
            nonce=wire.quantity(proof.get("nonce"), f"nonce of {address}"),
            balance=wire.quantity(proof.get("balance"), f"balance of {address}"),
            code=code or b"",
            code_hash=hash,
        )
        return state, code is not None

    async def _changed_code(
        self, changed: Sequence[tuple[Address, AccountState]], block: Hash32
    ) -> dict[Address, AccountState]:
        calls = [call for address, _ in changed for call in account_calls(address, block)]
        answers = await self._ask(calls)
        return {
            address: account_of(address, answers[3 * index : 3 * index + 3], self._codes)
            for index, (address, _) in enumerate(changed)
        }

    def _explored(self, exploration: Exploration, answer: object) -> Explored:
        if isinstance(answer, UpstreamRefused):
            if is_unknown_method(answer):
                self._exploration = exploration.poorer
            return Explored()
        return explored(exploration, answer, self._codes)


def account_calls(address: Address, block: Hash32) -> list[Call]:
    """The three questions that make an account; `account_of` reads the answers."""
    where = wire.at_block(block)
    return [
        ("eth_getBalance", [str(address), where]),
        ("eth_getTransactionCount", [str(address), where]),
        ("eth_getCode", [str(address), where]),
    ]


def slot_call(address: Address, slot: int, block: Hash32) -> Call:
    """The question for one slot."""
    return ("eth_getStorageAt", [str(address), f"0x{slot:064x}", wire.at_block(block)])


def account_of(address: Address, answers: Sequence[object], codes: CodeStore) -> AccountState:
    """The account from the answers to `account_calls`."""
    code = wire.data(answers[2], f"code of {address}")
    nonce = wire.quantity(answers[1], f"nonce of {address}")
    if nonce >= 2**64:
        raise UpstreamNonsense(f"nonce of {address}: {nonce}")
    return AccountState(
        nonce=nonce,
        balance=wire.quantity(answers[0], f"balance of {address}"),
        code=code,
        code_hash=codes.put(address, code),
    )
