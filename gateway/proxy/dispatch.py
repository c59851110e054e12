"""Sends a transaction to the sequencer once, and settles by hash what an answer did not tell."""

from __future__ import annotations

import asyncio
import time

import structlog

from gateway.errors import UpstreamError, UpstreamUnreachable
from gateway.jsonrpc.message import read_answer
from gateway.model.primitive import Hash32
from gateway.model.transaction import RawTransaction
from gateway.proxy.reply import Answer, hash_answer
from gateway.telemetry import Metrics
from gateway.upstream.client import Upstream

log = structlog.get_logger()

_FIRST_PAUSE = 0.1
_LOOK_UP_SECONDS = 2.0


class Unsettled(Exception):
    """The bytes left once, and the upstream neither answered nor shows the transaction."""


class Dispatch:
    """The only way from the public edge to the sequencer for something that changes the chain."""

    def __init__(self, upstream: Upstream, metrics: Metrics, settle_seconds: float = 3.0) -> None:
        self._upstream, self._metrics, self._settle_seconds = upstream, metrics, settle_seconds

    async def send(self, raw: RawTransaction) -> Answer:
        """Submit `raw` once. The answer is the upstream's, byte for byte, whether result or error.

        Raises:
            UpstreamUnreachable: nothing left this process.
            Unsettled: it left, and nobody can say what became of it.
        """
        try:
            return self._read(await self._upstream.send_raw(raw), raw.hash)
        except UpstreamUnreachable as error:
            self._failed(raw.hash, error)
            raise
        except (UpstreamError, ValueError) as error:
            self._failed(raw.hash, error)
            if await self._appears(raw.hash):
                return hash_answer(raw.hash)
            self._metrics.unsettled.inc()
            raise Unsettled(str(error)) from error

    async def is_known(self, hash: Hash32) -> bool:
        """True if the upstream shows the transaction, pending or mined; False also if it cannot be asked."""
        try:
            found = await self._upstream.call("eth_getTransactionByHash", [str(hash)], within=_LOOK_UP_SECONDS)
        except UpstreamError:
            return False
        return isinstance(found, dict)

    def _read(self, body: bytes, hash: Hash32) -> Answer:
        """Raises ValueError for nonsense, another hash than ours included."""
        answer = Answer(*read_answer(body))
        if answer.member == b"result" and answer.value.lower() != hash_answer(hash).value:
            raise ValueError(f"the answer to a submission is {answer.value[:80]!r}, not its hash")
        return answer

    async def _appears(self, hash: Hash32) -> bool:
        """Look for a transaction whose answer was lost. Looking is all: it is never sent a second time here."""
        until = time.monotonic() + self._settle_seconds
        pause = _FIRST_PAUSE
        while not await self.is_known(hash):
            if time.monotonic() + pause > until:
                return False
            await asyncio.sleep(pause)
            pause *= 2
        return True

    def _failed(self, hash: Hash32, error: Exception) -> None:
        self._metrics.upstream_errors.labels(type(error).__name__).inc()
        log.warning("submission.unanswered", hash=str(hash), error=str(error))
