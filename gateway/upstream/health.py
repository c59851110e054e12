"""Several upstreams as one: who is healthy, what they agree on, and who is asked next."""

from __future__ import annotations

import asyncio
import time
from collections import Counter
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass, field
from typing import TypeVar

from gateway.errors import UpstreamError, UpstreamNonsense, UpstreamRefused, UpstreamUnreachable
from gateway.model.block import BlockRef
from gateway.model.primitive import Hash32
from gateway.model.transaction import RawTransaction
from gateway.upstream.breaker import Breaker
from gateway.upstream.client import Call, Upstream, submission_body

T = TypeVar("T")

MAX_WALK = 64
"""blocks searched downwards for one that all upstreams share"""


@dataclass(slots=True)
class Member:
    """One upstream with what is known of its health."""

    name: str
    upstream: Upstream
    breaker: Breaker = field(default_factory=Breaker)
    head: BlockRef | None = None
    advanced_at: float = 0.0
    """monotonic seconds when `head` last changed"""
    forked: bool = False
    """True while it contradicts the majority"""


def block_ref(block: object) -> BlockRef:
    """A block or header in JSON as a reference. Raises UpstreamNonsense if it is none."""
    try:
        if not isinstance(block, dict):
            raise TypeError("not an object")
        return BlockRef(
            number=int(block["number"], 16),
            hash=Hash32.from_hex(block["hash"]),
            parent_hash=Hash32.from_hex(block["parentHash"]),
            timestamp=int(block["timestamp"], 16),
        )
    except (KeyError, TypeError, ValueError) as error:
        raise UpstreamNonsense(f"not a block: {error!r}") from error


class UpstreamPool:
    """An `Upstream` made of several: the first is the sequencer, the others stand in for it.

    Reads go on to the next member when one does not answer. A submission goes on only when nothing was sent:
    once bytes left, the caller hears of the failure and settles it by hash.
    """

    def __init__(
        self,
        members: Sequence[tuple[str, Upstream]],
        *,
        max_head_age: float = 30.0,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        """`max_head_age`: seconds without a new head after which a member is asked last."""
        if not members:
            raise ValueError("a pool needs at least one upstream")
        self.members = [Member(name, upstream) for name, upstream in members]
        self.agreed: BlockRef | None = None
        """the highest block that a majority of the answering members share"""
        self.disagreement: str | None = None
        """what the members contradict each other on; None while they agree"""
        self.failovers = 0
        self._max_head_age = max_head_age
        self._clock = clock

    async def call(self, method: str, params: Sequence[object] = (), *, within: float | None = None) -> object:
        """See `Upstream.call`."""
        return await self._read(lambda upstream: upstream.call(method, params, within=within))

    async def batch(self, calls: Sequence[Call], *, within: float | None = None) -> list[object | UpstreamRefused]:
        """See `Upstream.batch`; all of one batch is answered by one member."""
        return await self._read(lambda upstream: upstream.batch(calls, within=within))

    async def forward(self, body: bytes) -> bytes:
        """See `Upstream.forward`."""
        return await self._read(lambda upstream: upstream.forward(body))

    async def submit(self, body: bytes) -> bytes:
        """See `Upstream.submit`: the next member is tried only if nothing was sent to the one before."""
        last: UpstreamError | None = None
        for member in self._order():
            if member.forked or not member.breaker.allows(self._clock()):
                continue
            try:
                answer = await member.upstream.submit(body)
            except UpstreamUnreachable as error:
                member.breaker.failed(self._clock())
                self.failovers += 1
                last = error
            except UpstreamError:
                member.breaker.failed(self._clock())
                raise
            else:
                member.breaker.succeeded()
                return answer
        raise last or UpstreamUnreachable(self._all_failing())

    async def send_raw(self, raw: RawTransaction) -> bytes:
        """See `Upstream.send_raw`."""
        return await self.submit(submission_body(raw))

    async def knows(self, transaction: Hash32) -> bool | None:
        """Whether any member knows the transaction; None if none does but some could not be asked."""
        answers = await asyncio.gather(
            *(member.upstream.call("eth_getTransactionByHash", [str(transaction)]) for member in self.members),
            return_exceptions=True,
        )
        unsure = False
        for answer in answers:
            if isinstance(answer, UpstreamError):
                unsure = True
            elif isinstance(answer, BaseException):
                raise answer
            elif answer is not None:
                return True
        return None if unsure else False

    async def close(self) -> None:
        """See `Upstream.close`."""
        for member in self.members:
            await member.upstream.close()

    async def watch(self, interval: float = 1.0) -> None:
        """Probe for ever, every `interval` seconds."""
        while True:
            await self.probe()
            await asyncio.sleep(interval)

    async def probe(self) -> None:
        """Ask every member for its head, and compare."""
        await asyncio.gather(*(self._probe_member(member) for member in self.members))
        await self._agree()

    def head_age(self, member: Member) -> float:
        """Seconds since the member showed a new head."""
        return self._clock() - member.advanced_at

    async def _probe_member(self, member: Member) -> None:
        if not member.breaker.allows(self._clock()):
            return
        try:
            head = block_ref(await member.upstream.call("eth_getBlockByNumber", ["latest", False], within=2.0))
        except UpstreamError:
            member.breaker.failed(self._clock())
            return
        member.breaker.succeeded()
        if member.head is None or head.hash != member.head.hash:
            member.head, member.advanced_at = head, self._clock()

    async def _agree(self) -> None:
        answering = [member for member in self.members if not member.breaker.open and member.head is not None]
        if not answering:
            return
        heads = sorted((member.head.number for member in answering if member.head), reverse=True)
        majority = len(answering) // 2 + 1
        number = heads[majority - 1]
        hashes = await self._hashes(answering, number)
        winner, votes = Counter(ref.hash for ref in hashes.values()).most_common(1)[0] if hashes else (None, 0)
        # Members that are behind `number` do not vote and do not contradict.
        if votes >= majority or votes == len(hashes) > 0:
            self.agreed = next(ref for ref in hashes.values() if ref.hash == winner)
            for member in answering:
                member.forked = member.name in hashes and hashes[member.name].hash != winner
            outvoted = [member.name for member in answering if member.forked]
            self.disagreement = f"{', '.join(outvoted)} contradict block {number}" if outvoted else None
            return
        for member in answering:
            member.forked = False
        self.disagreement = f"no majority for block {number}"
        self.agreed = await self._common(answering, number - 1)

    async def _common(self, answering: Sequence[Member], number: int) -> BlockRef | None:
        """The highest block at or below `number` that all share; None if it lies too deep."""
        low = max(number - MAX_WALK, 0)
        found: BlockRef | None = None
        while low <= number:
            middle = (low + number) // 2
            hashes = await self._hashes(answering, middle)
            if hashes and len({ref.hash for ref in hashes.values()}) == 1:
                found, low = next(iter(hashes.values())), middle + 1
            else:
                number = middle - 1
        return found

    async def _hashes(self, members: Sequence[Member], number: int) -> dict[str, BlockRef]:
        """Each member's block at `number`; who does not have it or does not answer is left out."""

        async def ask(member: Member) -> BlockRef | None:
            if member.head is not None and member.head.number == number:
                return member.head
            try:
                return block_ref(await member.upstream.call("eth_getBlockByNumber", [hex(number), False], within=2.0))
            except UpstreamError:
                return None

        answers = await asyncio.gather(*(ask(member) for member in members))
        return {member.name: ref for member, ref in zip(members, answers, strict=True) if ref is not None}

    def _all_failing(self) -> str:
        names = ", ".join(member.name for member in self.members)
        return f"none of the upstreams ({names}) answers; the next trial is a few seconds away"

    def _order(self) -> list[Member]:
        """Healthy members first, in the order configured."""

        def rank(member: Member) -> int:
            stale = member.head is not None and self.head_age(member) > self._max_head_age
            return 4 * member.forked + 2 * member.breaker.open + stale

        return sorted(self.members, key=rank)

    async def _read(self, ask: Callable[[Upstream], Awaitable[T]]) -> T:
        last: UpstreamError | None = None
        for member in self._order():
            if not member.breaker.allows(self._clock()):
                continue
            try:
                answer = await ask(member.upstream)
            except UpstreamRefused:
                member.breaker.succeeded()
                raise
            except UpstreamError as error:
                member.breaker.failed(self._clock())
                self.failovers += 1
                last = error
            else:
                member.breaker.succeeded()
                return answer
        raise last or UpstreamUnreachable(self._all_failing())
