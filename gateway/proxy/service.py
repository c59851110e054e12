"""One JSON-RPC call to one answer: routes by the method table, whatever transport brought the call."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Protocol

import msgspec
import structlog

from gateway.errors import StopgateError, StoreError, UpstreamError
from gateway.jsonrpc.errors import Code, ErrorObject, RpcError
from gateway.jsonrpc.message import Item, Refused, Request, answer, envelope, failure, read_answer
from gateway.jsonrpc.methods import METHODS, Route, route
from gateway.model.primitive import Hash32
from gateway.model.transaction import Client
from gateway.proxy.allowance import Allowances
from gateway.proxy.disposition import Disposition
from gateway.proxy.overlay import Overlay
from gateway.proxy.params import positional, raw_transaction, timeout, transaction_hash
from gateway.proxy.reply import Answer, Arrival
from gateway.proxy.status import StatusDesk
from gateway.telemetry import Metrics
from gateway.upstream.client import Upstream

log = structlog.get_logger()

_RECEIPT_PAUSE = 0.05
_SYNC_TIMEOUT = 4
"""EIP-7966: the transaction was sent, its receipt did not come within the time limit; data is the hash"""
_encode = msgspec.json.Encoder().encode


@dataclass(frozen=True, slots=True)
class ServiceLimits:
    """Bounds of one call."""

    budget: timedelta = timedelta(seconds=1)
    """from receipt to verdict; what takes longer is deferred"""
    transaction_bytes: int = 128 * 1024
    """as geth"""
    sync_default: timedelta = timedelta(seconds=2)
    sync_most: timedelta = timedelta(seconds=10)
    extra_methods: frozenset[str] = frozenset()


@dataclass(frozen=True, slots=True)
class Parts:
    """What answers the calls."""

    upstream: Upstream
    disposition: Disposition
    overlay: Overlay
    status: StatusDesk
    is_ready: Callable[[], str | None]
    """None if submissions may be accepted, else the part that is missing, in a word that clients may read"""
    allowances: Allowances


class Service(Protocol):
    """Who answers calls."""

    def changes_the_chain(self, item: Item) -> bool:
        """True for a submission: what stands before it in a batch is answered first, what follows waits for it."""

    def admit(self, client: Client) -> None:
        """Count one call that is answered elsewhere. Raises RpcError if none may be made now."""

    async def answer(self, item: Item, client: Client) -> bytes | None:
        """The whole answer to one item; None for a notification, which is carried out all the same."""


class StartingService:
    """Answers while the chain has not been reached: nothing is passed on."""

    def __init__(self, missing: Callable[[], str | None]) -> None:
        """`missing` names the part that is not there yet, in a word that clients may read."""
        self._missing = missing

    def changes_the_chain(self, item: Item) -> bool:
        """Nothing does."""
        return False

    def admit(self, client: Client) -> None:
        """Nothing is passed on yet."""
        raise RpcError(Code.INTERNAL, "the gateway is starting; try again")

    async def answer(self, item: Item, client: Client) -> bytes | None:
        """What is missing, for every request."""
        if isinstance(item, Refused):
            return failure(item.id, item.error)
        problem = self._missing() or "its first head"
        error = ErrorObject(
            Code.INTERNAL, f"the gateway is starting (waiting for {problem}); nothing was sent, try again"
        )
        return None if item.id is None else failure(item.id, error)


class RpcService:
    """Answers calls one by one; safe to share between connections."""

    def __init__(
        self,
        parts: Parts,
        limits: ServiceLimits,
        *,
        keccak: Callable[[bytes], bytes],
        now: Callable[[], datetime],
        metrics: Metrics,
    ) -> None:
        self._parts, self._limits, self._keccak, self._now, self._metrics = parts, limits, keccak, now, metrics

    def is_in_flight(self, hash: Hash32) -> bool:
        """True while this process judges or sends that transaction."""
        return self._parts.disposition.is_in_flight(hash)

    def admit(self, client: Client) -> None:
        """See `Service`."""
        self._parts.allowances.request(client)

    def changes_the_chain(self, item: Item) -> bool:
        """See `Service`."""
        row = METHODS.get(item.method) if isinstance(item, Request) else None
        return row is not None and row.route is Route.INSPECT

    async def answer(self, item: Item, client: Client) -> bytes | None:
        """See `Service`."""
        if isinstance(item, Refused):
            self._metrics.requests.labels("invalid", "error").inc()
            return failure(item.id, item.error)
        started = time.monotonic()
        name, outcome = "refuse", "error"
        try:
            self.admit(client)
            way = route(item.method, self._limits.extra_methods)
            name = way.value
            member, value = await self._dispatch(way, item, client)
            outcome = member.decode()
            body = answer(item.answer_id, member, value)
        except RpcError as error:
            body = failure(item.answer_id, error.error)
        except StopgateError as error:
            body = failure(item.answer_id, self._unavailable(item, error))
        except Exception:
            # The last resort of the edge: a defect of ours must not drop the connection, and must be seen.
            log.exception("request.defect", method=item.method)
            outcome = "defect"
            body = failure(item.answer_id, ErrorObject(Code.INTERNAL, "internal error; it has been recorded"))
        self._metrics.requests.labels(name, outcome).inc()
        self._metrics.request_seconds.labels(name).observe(time.monotonic() - started)
        return None if item.id is None else body

    def _unavailable(self, request: Request, error: StopgateError) -> ErrorObject:
        log.warning("request.unanswered", method=request.method, error=str(error), kind=type(error).__name__)
        if isinstance(error, UpstreamError):
            self._metrics.upstream_errors.labels(type(error).__name__).inc()
            return ErrorObject(Code.INTERNAL, "the chain's node did not answer; try again")
        if isinstance(error, StoreError):
            return ErrorObject(Code.INTERNAL, "the gateway's records are not available at present; try again")
        return ErrorObject(Code.INTERNAL, "the call could not be answered; try again")

    async def _dispatch(self, way: Route, request: Request, client: Client) -> Answer:
        match way:
            case Route.PASS:
                return await self._pass(request)
            case Route.INSPECT:
                return await self._submit(request, client)
            case Route.OVERLAY:
                hash = transaction_hash(positional(request, 1, 1)[0])
                return await self._parts.overlay.answer(await self._pass(request), request, hash)
            case Route.LOCAL:
                hash = transaction_hash(positional(request, 1, 1)[0])
                status = await self._parts.status.status(hash)
                return Answer(b"result", _encode(self._parts.status.document(status)))
            case _:
                raise AssertionError(f"route {way} is refused by the table")

    async def _pass(self, request: Request) -> Answer:
        body = await self._parts.upstream.forward(envelope(request.method, request.params))
        try:
            return Answer(*read_answer(body))
        except ValueError as error:
            log.warning("upstream.nonsense", method=request.method, error=str(error))
            self._metrics.upstream_errors.labels("nonsense").inc()
            raise RpcError(Code.INTERNAL, "the chain's node gave an unusable answer; try again") from None

    async def _submit(self, request: Request, client: Client) -> Answer:
        # Before anything is looked up: who owes for inspections must not cost more by asking again and again.
        self._parts.allowances.inspection(client)
        deadline = time.monotonic() + self._limits.budget.total_seconds()
        synchronous = request.method == "eth_sendRawTransactionSync"
        values = positional(request, 1, 2 if synchronous else 1)
        raw = raw_transaction(values[0], self._limits.transaction_bytes, self._keccak)
        patience = timeout(values[1] if len(values) > 1 else None, self._limits.sync_default, self._limits.sync_most)
        missing = self._parts.is_ready()
        if missing is not None:
            raise RpcError(
                Code.INTERNAL,
                f"submissions are not accepted at present (waiting for {missing}); nothing was sent, try again",
            )
        given = await self._parts.disposition.submit(raw, Arrival(request.method, client, self._now(), deadline))
        if not synchronous or given.member == b"error":
            return given
        return await self._receipt(given, patience)

    async def _receipt(self, sent: Answer, patience: timedelta) -> Answer:
        """Wait for the receipt of a transaction that was sent (EIP-7966)."""
        until = time.monotonic() + patience.total_seconds()
        question = envelope("eth_getTransactionReceipt", b"[" + sent.value + b"]")
        while time.monotonic() < until:
            try:
                member, value = read_answer(await self._parts.upstream.forward(question))
            except (UpstreamError, ValueError):
                member, value = b"error", b""  # the next look may succeed; until then the receipt is not there
            if member == b"result" and value != b"null":
                return Answer(member, value)
            await asyncio.sleep(_RECEIPT_PAUSE)
        milliseconds = int(patience.total_seconds() * 1000)
        error = {
            "code": _SYNC_TIMEOUT,
            "message": f"the transaction was sent and not processed within {milliseconds} ms",
        }
        return Answer(b"error", _encode(error | {"data": msgspec.Raw(sent.value)}))
