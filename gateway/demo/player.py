"""Plays the list through a public RPC and reports what a client would see, transaction by transaction."""

from __future__ import annotations

import asyncio
import time
from collections.abc import AsyncIterator, Sequence
from dataclasses import dataclass
from enum import StrEnum
from typing import Any

import httpx

from gateway.demo.playbill import Act, Line, Setup, load
from gateway.errors import UpstreamError

HELD_CODE = -32003
WAITING = frozenset({"HELD", "DEFERRED", "PARKED"})
"""statuses under which a transaction may still be forwarded"""
_LOOK = 0.05
"""seconds between two looks"""
_REQUEST = 60.0
"""seconds one request may take; an inspection on a slow engine is part of it"""


class Outcome(StrEnum):
    """What became of a transaction."""

    MINED = "mined"
    FAILED = "failed"
    """mined, but reverted"""
    HELD = "held"
    DEFERRED = "deferred"
    """over the time budget, still not forwarded at the end"""
    PARKED = "parked"
    """behind a held transaction of the same sender"""
    REFUSED = "refused"
    LOST = "lost"
    """accepted, but not mined in time"""


@dataclass(frozen=True, slots=True)
class Prepared:
    """So many setup transactions were mined on the chain itself."""

    transactions: int


@dataclass(frozen=True, slots=True)
class Sending:
    """A transaction goes out."""

    act: Act
    line: Line


@dataclass(frozen=True, slots=True)
class Answered:
    """What became of it."""

    act: Act
    line: Line
    outcome: Outcome
    reason: str
    """the public reason class, or the error message; empty if mined"""
    case_id: str
    status_url: str
    seconds: float
    """from sending to the gateway's answer"""


@dataclass(frozen=True, slots=True)
class Finished:
    """An act is over."""

    act: Act
    answers: tuple[Answered, ...]

    @property
    def expected(self) -> bool:
        """Honest: all mined. Exploit: something held, and the last transaction, which does the damage, not mined."""
        if self.act.honest:
            return all(answer.outcome is Outcome.MINED for answer in self.answers)
        held = any(answer.outcome is Outcome.HELD for answer in self.answers)
        return held and self.answers[-1].outcome in (Outcome.HELD, Outcome.PARKED)


Event = Prepared | Sending | Answered | Finished


async def play(
    rpc_url: str,
    chain_url: str,
    items: Sequence[Setup | Act] | None = None,
    *,
    settle: float = 0.5,
    patience: float = 30.0,
    transport: httpx.AsyncBaseTransport | None = None,
) -> AsyncIterator[Event]:
    """Play `items` (default: the playbill) and tell what happens.

    Args:
        rpc_url: the gateway's public RPC; acts go here.
        chain_url: the chain behind it; setup goes here, and receipts are read here.
        items: what to play.
        settle: seconds between setup and the next act, for the gateway to see the new head.
        patience: seconds to wait for the receipt of an accepted transaction, or for a deferred one to be forwarded.
        transport: takes the place of the network.

    Raises:
        UpstreamError: the chain refused or lost a setup transaction, or a server did not answer JSON-RPC.
    """
    prepared = 0
    async with httpx.AsyncClient(timeout=_REQUEST, transport=transport) as client:
        gateway, chain = _Rpc(client, rpc_url, patience), _Rpc(client, chain_url, patience)
        for item in load() if items is None else items:
            if isinstance(item, Setup):
                await _set_up(chain, item.line)
                prepared += 1
                continue
            if prepared:
                yield Prepared(prepared)
                prepared = 0
                await asyncio.sleep(settle)
            answers = []
            for line in item.lines:
                yield Sending(item, line)
                answers.append(await _send(gateway, chain, item, line))
                yield answers[-1]
            yield Finished(item, tuple(answers))


async def _set_up(chain: _Rpc, line: Line) -> None:
    answer = await chain.call("eth_sendRawTransaction", line.raw)
    if "error" in answer:
        raise UpstreamError(
            f"setup, {line.note}: the chain answered {answer['error'].get('message')}; is it a fresh one?"
        )
    receipt = await _receipt(chain, line.hash)
    if receipt is None or receipt["status"] != "0x1":
        raise UpstreamError(f"setup, {line.note}: not mined or reverted; is it a fresh chain?")


async def _send(gateway: _Rpc, chain: _Rpc, act: Act, line: Line) -> Answered:
    began = time.monotonic()
    answer = await gateway.call("eth_sendRawTransaction", line.raw)
    seconds = time.monotonic() - began
    error = answer.get("error")
    data = (error or {}).get("data")
    data = data if isinstance(data, dict) else {}
    status = str(data.get("status", ""))
    if error is None or status == "DEFERRED":
        outcome = await _mined(chain, line)
        if outcome is Outcome.LOST and status:
            outcome = Outcome.DEFERRED
    elif error.get("code") == HELD_CODE and status in WAITING:
        outcome = Outcome(status.lower())
    else:
        outcome = Outcome.REFUSED
    reason = "" if error is None else str(data.get("reasonClass") or error.get("message", ""))
    case, url = str(data.get("caseId", "")), str(data.get("statusUrl", ""))
    return Answered(act, line, outcome, reason, case, url, seconds)


async def _mined(chain: _Rpc, line: Line) -> Outcome:
    receipt = await _receipt(chain, line.hash)
    if receipt is None:
        return Outcome.LOST
    return Outcome.MINED if receipt["status"] == "0x1" else Outcome.FAILED


async def _receipt(chain: _Rpc, digest: str) -> dict[str, Any] | None:
    until = time.monotonic() + chain.patience
    while time.monotonic() < until:
        receipt: dict[str, Any] | None = (await chain.call("eth_getTransactionReceipt", digest)).get("result")
        if receipt:
            return receipt
        await asyncio.sleep(_LOOK)
    return None


class _Rpc:
    """One JSON-RPC server."""

    def __init__(self, client: httpx.AsyncClient, url: str, patience: float) -> None:
        self._client, self._url, self.patience = client, url, patience

    async def call(self, method: str, *params: str) -> dict[str, Any]:
        """The whole answer object, error or not."""
        body = {"jsonrpc": "2.0", "id": 1, "method": method, "params": params}
        try:
            answer = (await self._client.post(self._url, json=body)).json()
        except (httpx.HTTPError, ValueError) as error:
            raise UpstreamError(f"{self._url} did not answer {method} with JSON-RPC: {error!r}") from error
        if not isinstance(answer, dict):
            raise UpstreamError(f"{self._url} answered {method} with {str(answer)[:80]}")
        return answer
