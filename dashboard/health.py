"""What works and what does not, asked now; and the audit chain as a file."""

from __future__ import annotations

from collections.abc import AsyncIterator
from datetime import timedelta

from fastapi.responses import StreamingResponse

from dashboard.pages.oversight import Check, GatewayPanel, HealthPage
from dashboard.room import Room
from gateway.errors import QueueUnavailable, RecordUnavailable
from gateway.model.case import ChainBreak
from gateway.model.quarantine import CaseState

_SILENT_AFTER = timedelta(seconds=10)
"""a gateway leaves a sign of life every two seconds"""
_NO_GATEWAY = Check(
    "Gateway",
    False,
    "none has left a sign of life on this Redis for ten minutes: nothing is inspected unless one uses another Redis. "
    "Start `stopgate serve` with the same stores as this desk",
)


async def health_of(room: Room, *, live: bool) -> HealthPage:
    """Every check, and what the gateways last told. `live`: open pages hear of new cases."""
    queue, gateways = await _queue_check(room), await _gateways(room)
    checks = (
        *(() if gateways or not queue.ok else (_NO_GATEWAY,)),
        await record_check(room),
        queue,
        _news_check(live),
        await _lag_check(room),
        _seal_check(room),
    )
    return HealthPage(checks, gateways)


async def chain_check(room: Room) -> Check:
    """Walk the whole audit chain and tell where it breaks, if it does."""
    outcome = await room.audit.verify()
    if isinstance(outcome, ChainBreak):
        return Check("Audit chain", False, f"record {outcome.sequence}: {outcome.problem}")
    return Check("Audit chain", True, f"{outcome.sequence} records, head {outcome.hash.hex()}")


def exported(room: Room) -> StreamingResponse:
    """The whole chain as JSON lines, for `stopgate audit verify` and for auditors."""

    async def lines() -> AsyncIterator[str]:
        async for line in room.audit.export():
            yield line + "\n"

    return StreamingResponse(
        lines(),
        media_type="application/x-ndjson",
        headers={"content-disposition": 'attachment; filename="stopgate-audit.jsonl"'},
    )


async def _gateways(room: Room) -> tuple[GatewayPanel, ...]:
    """What every gateway process last told of itself; none if Redis is away, which has a check of its own."""
    if room.heartbeats is None:
        return ()
    try:
        beats = await room.heartbeats.all()
    except QueueUnavailable:
        return ()
    return tuple(
        GatewayPanel(
            name=beat.replica,
            at=beat.at,
            silent=room.now() - beat.at > _SILENT_AFTER,
            checks=tuple(Check(item.name, item.ok, item.says) for item in beat.items),
        )
        for beat in beats
    )


async def record_check(room: Room) -> Check:
    """Does the record answer."""
    try:
        head = await room.audit.head()
    except RecordUnavailable as error:
        return Check("Record (SQL)", False, str(error))
    return Check("Record (SQL)", True, f"answers; {head.sequence} audit records")


async def _queue_check(room: Room) -> Check:
    try:
        await room.queue.ping()
    except QueueUnavailable as error:
        return Check("Live queue (Redis)", False, f"{error}. Lists come from the record meanwhile.")
    return Check("Live queue (Redis)", True, "answers")


def _seal_check(room: Room) -> Check:
    if room.database.seal.is_plain:
        says = "second factors and channels are plain in SQL: set STOPGATE_STORE__SECRET_KEYS for gateway and dashboard"
        return Check("Secrets at rest", False, says)
    return Check("Secrets at rest", True, "sealed with a key that is not in SQL")


def _news_check(alive: bool) -> Check:
    says = "open pages are told at once" if alive else "open pages are not told of new cases: reload them"
    return Check("Live updates", alive, says)


async def _lag_check(room: Room) -> Check:
    try:
        recorded = await room.record.counts()
        queued = await room.queue.counts()
    except (QueueUnavailable, RecordUnavailable) as error:
        return Check("Queue agrees with record", False, f"cannot be compared: {error}")
    waiting = (CaseState.HELD, CaseState.DEFERRED, CaseState.PARKED)
    behind = sum(abs(recorded.get(state, 0) - queued.get(state, 0)) for state in waiting)
    says = "both name the same number of waiting cases" if not behind else f"they differ by {behind}; rebuild the queue"
    return Check("Queue agrees with record", not behind, says)
