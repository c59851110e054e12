"""How a released case is looked at again and sent: the releaser's hands."""

from __future__ import annotations

import time

import msgspec

from gateway.app.chain import Chain
from gateway.errors import QueueUnavailable, UpstreamNonsense, UpstreamRefused, UpstreamUnreachable
from gateway.jsonrpc.message import read_answer
from gateway.model.pending import Admission
from gateway.model.primitive import Hash32
from gateway.model.quarantine import QuarantineEntry
from gateway.pipeline import Pipeline
from gateway.tasks.releaser import NotNow, Reinspection
from gateway.upstream.client import Upstream


class ReleaseOutlet:
    """`Outlet` over pipeline, live state and upstream."""

    def __init__(self, chain: Chain, pipeline: Pipeline, upstream: Upstream, *, seconds: float = 5.0) -> None:
        """`seconds`: time for one inspection; nobody waits for the answer."""
        self._chain, self._pipeline, self._upstream, self._seconds = chain, pipeline, upstream, seconds

    async def reinspect(self, entry: QuarantineEntry) -> Reinspection:
        """See `Outlet.reinspect`."""
        transaction = self._chain.decode_raw(entry.raw)
        judgement = await self._pipeline.judge(transaction, time.monotonic() + self._seconds)
        return Reinspection(judgement.verdict, judgement.detail)

    async def send(self, entry: QuarantineEntry, reinspection: Reinspection) -> None:
        """See `Outlet.send`."""
        try:
            admission = await self._chain.live.admit(reinspection.detail.transaction, reinspection.detail.simulation)
        except QueueUnavailable as error:
            raise NotNow(f"the order of forwarding is away: {error}") from error
        if admission is Admission.CHANGED:
            raise NotNow("what the inspection rests on has changed")
        if admission is Admission.KNOWN:
            # No proof that it was sent: an attempt may have died between taking its place and sending.
            raise NotNow("an earlier attempt holds its place in the order; whether it was sent shows by its hash")
        try:
            answer = await self._upstream.send_raw(entry.raw)
        except UpstreamUnreachable:
            await self._withdraw(entry.hash)
            raise
        try:
            member, value = read_answer(answer)
        except ValueError as error:
            raise UpstreamNonsense(f"the answer to the release of {entry.hash} is unusable: {error}") from error
        if member == b"error":
            await self._withdraw(entry.hash)
            raise _refusal(value)
        if value.lower() != b'"%s"' % str(entry.hash).encode():
            raise UpstreamNonsense(f"the answer to the release of {entry.hash} is {value[:80]!r}")

    async def is_known(self, hash: Hash32) -> bool:
        """See `Outlet.is_known`."""
        return isinstance(await self._upstream.call("eth_getTransactionByHash", [str(hash)]), dict)

    async def _withdraw(self, hash: Hash32) -> None:
        try:
            await self._chain.live.withdraw(hash)
        except QueueUnavailable:
            return  # `LiveState.maintain` finds out that the upstream does not know it


def _refusal(value: bytes) -> UpstreamRefused:
    error = msgspec.json.decode(value)
    return UpstreamRefused(int(error.get("code", 0)), str(error.get("message", "")), error.get("data"))
