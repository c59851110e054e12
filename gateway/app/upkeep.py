"""Live state kept in step once a second, and what was forwarded judged again when it turned."""

from __future__ import annotations

import asyncio
import time

import structlog

from gateway.app.chain import Chain
from gateway.errors import QueueUnavailable, Unexecutable, UpstreamError
from gateway.model.transaction import Transaction
from gateway.model.verdict import Action
from gateway.pipeline import Pipeline
from gateway.telemetry import Metrics

log = structlog.get_logger()

_UPKEEP = 1.0
"""seconds between rounds"""


async def keep_up(chain: Chain, pipeline: Pipeline, metrics: Metrics) -> None:
    """Read what other replicas forwarded, find what got lost, judge again what turned; for ever."""
    while True:
        await asyncio.sleep(_UPKEEP)
        try:
            await chain.live.maintain()
            for transaction in chain.live.take_turned():
                await _judge_again(transaction, pipeline, metrics)
        except (QueueUnavailable, UpstreamError) as error:
            log.warning("live.waiting", error=str(error))


async def _judge_again(transaction: Transaction, pipeline: Pipeline, metrics: Metrics) -> None:
    """A forwarded transaction does something else now. It cannot be called back, but somebody has to know."""
    try:
        verdict = (await pipeline.judge(transaction, time.monotonic() + _UPKEEP)).verdict
    except Unexecutable:
        return  # it will not be mined at all
    if verdict.action is not Action.FORWARD or verdict.observed:
        metrics.pending_turned.inc()
        log.critical("pending.turned", hash=str(transaction.hash), clause=verdict.clause, reason=verdict.reason)
