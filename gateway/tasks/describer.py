"""Asks tokens of new cases for symbol, name and decimals, once for each token, so that people can read amounts.

Off the hot path: a case is whole without it. What tokens answer is hostile text and is cleaned where it is printed.
"""

from __future__ import annotations

import asyncio
from collections import deque
from collections.abc import Iterable

import structlog

from gateway.decoding.abi import text_of
from gateway.errors import RecordUnavailable, UpstreamError, UpstreamRefused
from gateway.model.case import CaseQuery, TokenInfo
from gateway.model.facts import Facts, TokenStandard
from gateway.model.primitive import Address
from gateway.model.quarantine import WAITING
from gateway.store.casework.tokens import Tokens
from gateway.store.quarantine import Record
from gateway.upstream.client import Call, Upstream

log = structlog.get_logger()

SYMBOL, NAME, DECIMALS = "0x95d89b41", "0x06fdde03", "0x313ce567"
GAS = hex(200_000)
"""for one question: a token that loops must not keep a node busy"""
MOST_TOKENS = 40
"""of one case; the rest is shown by address"""
WAITING_CASES = 500
PAUSE_SECONDS = 2.0
CAUGHT_UP = 50
"""waiting cases that are looked at when the gateway starts"""


class Describer:
    """Works on cases for ever."""

    def __init__(self, tokens: Tokens, upstream: Upstream, record: Record) -> None:
        self._tokens, self._upstream, self._record = tokens, upstream, record
        self._waiting: deque[tuple[str, frozenset[Address]]] = deque(maxlen=WAITING_CASES)
        self._news = asyncio.Event()

    def offer(self, case_id: str, facts: Facts) -> None:
        """A case was kept; the oldest waiting one is dropped if there are too many."""
        if tokens := frozenset(_tokens_of(facts)):
            self._waiting.append((case_id, tokens))
            self._news.set()

    async def run(self) -> None:
        """Until cancelled. Stores and upstreams that are away are waited for."""
        await self._catch_up()
        while True:
            await self._news.wait()
            try:
                await self.once()
            except (RecordUnavailable, UpstreamError) as error:
                log.warning("describe.waiting", error=str(error))
                await asyncio.sleep(PAUSE_SECONDS)

    async def once(self) -> None:
        """Ask for every token of the cases that wait."""
        while self._waiting:
            case_id, wanted = self._waiting[0]
            known = await self._tokens.known(wanted)
            asked = await self._ask(sorted(wanted - known.keys())[:MOST_TOKENS])
            await self._tokens.learn(case_id, {**known, **asked})
            if self._waiting and self._waiting[0][0] == case_id:
                self._waiting.popleft()
        self._news.clear()

    async def _catch_up(self) -> None:
        """Cases that were held while nobody asked."""
        try:
            page = await self._record.cases(CaseQuery(states=WAITING, limit=CAUGHT_UP))
            for entry in page.entries:
                detail = await self._record.detail(entry.case_id)
                if detail is not None:
                    self.offer(entry.case_id, detail.facts)
        except RecordUnavailable as error:
            log.warning("describe.no_catching_up", error=str(error))

    async def _ask(self, tokens: list[Address]) -> dict[Address, TokenInfo]:
        """One batch; who does not answer sensibly is remembered as nameless, so that nobody asks again."""
        if not tokens:
            return {}
        calls: list[Call] = [
            ("eth_call", [{"to": str(token), "data": question, "gas": GAS}, "latest"])
            for token in tokens
            for question in (SYMBOL, NAME, DECIMALS)
        ]
        answers = await self._upstream.batch(calls, within=5.0)
        found = {}
        for position, token in enumerate(tokens):
            symbol, name, decimals = map(_octets, answers[position * 3 : position * 3 + 3])
            found[token] = TokenInfo(text_of(symbol), _decimals(decimals), text_of(name))
        return found


def _tokens_of(facts: Facts) -> Iterable[Address]:
    yield from (move.token for move in facts.transfers if move.standard is not TokenStandard.NATIVE)
    yield from (approval.token for approval in facts.approvals)


def _octets(answer: object) -> bytes:
    """The bytes of an eth_call's answer; none for an error or nonsense."""
    if isinstance(answer, UpstreamRefused) or not isinstance(answer, str) or len(answer) > 4_000:
        return b""
    try:
        return bytes.fromhex(answer.removeprefix("0x"))
    except ValueError:
        return b""


def _decimals(answer: bytes) -> int:
    number = int.from_bytes(answer, "big") if len(answer) == 32 else -1
    return number if 0 <= number <= 36 else -1
