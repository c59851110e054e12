"""Everything that hangs on the chain: upstream, profile, engine, live state. Built when the chain first answers."""

from __future__ import annotations

import asyncio
import math
import time
from collections.abc import Callable, Sequence
from contextlib import AsyncExitStack
from dataclasses import dataclass, replace

import structlog

from gateway.app.engine import open_simulator
from gateway.app.readiness import Readiness
from gateway.decoding.native import decode_transaction
from gateway.errors import ConfigurationError, UpstreamError
from gateway.evm.simulator import Simulator
from gateway.live.codes import CodeStore
from gateway.live.conduct import LiveSettings
from gateway.live.pending import PendingLog
from gateway.live.recheck import Recheck
from gateway.live.state import LiveState
from gateway.model.chain import ChainProfile
from gateway.model.profiles import DEVELOPMENT, PROFILES, profile_for
from gateway.model.transaction import RawTransaction, Transaction
from gateway.settings import Settings, UpstreamSettings
from gateway.upstream.aiohttp import HttpUpstream
from gateway.upstream.client import Upstream, UpstreamLimits, place_of
from gateway.upstream.health import UpstreamPool
from gateway.upstream.subscription import new_heads
from gateway.watch.head import HeadFollower

log = structlog.get_logger()

_ASK_AGAIN = 1.0
"""seconds between attempts to reach a chain that has not answered yet"""
_SAY_AGAIN = 30.0
"""seconds until the log repeats what is still wrong"""


@dataclass(frozen=True, slots=True)
class Chain:
    """A chain that has answered."""

    profile: ChainProfile
    simulator: Simulator
    live: LiveState
    follower: HeadFollower
    recheck: Recheck

    def decode(self, data: bytes) -> Transaction:
        """Signed bytes as a transaction of this chain."""
        return decode_transaction(data, self.profile)

    def decode_raw(self, raw: RawTransaction) -> Transaction:
        """The same from what the stores keep."""
        return self.decode(raw.data)


def open_upstream(settings: UpstreamSettings) -> Upstream:
    """A client for the configured nodes; nothing is asked yet.

    Raises:
        ConfigurationError: none is configured.
    """
    if not settings.urls:
        raise ConfigurationError(
            "no upstream is configured; give --upstream URL or set STOPGATE_UPSTREAM__URLS to the sequencer's RPC"
        )
    limits = UpstreamLimits(
        connect_timeout=settings.connect_timeout,
        read_timeout=settings.read_timeout,
        send_timeout=settings.send_timeout,
        connections=settings.connections,
    )
    members = [
        (name, HttpUpstream(url, limits)) for name, url in zip(_names(settings.urls), settings.urls, strict=True)
    ]
    return UpstreamPool(members, max_head_age=settings.max_head_age)


def _names(urls: Sequence[str]) -> list[str]:
    """What upstreams are called in metrics and messages; numbered where one host serves several."""
    places = [place_of(url) for url in urls]
    return [place if places.count(place) == 1 else f"{place} ({number})" for number, place in enumerate(places, 1)]


async def chain_id(upstream: Upstream, readiness: Readiness) -> int:
    """Ask until the chain answers; readiness tells what is wrong meanwhile."""
    told_at = -math.inf
    while True:
        try:
            answer = await upstream.call("eth_chainId", within=3.0)
            return int(str(answer), 16)
        except UpstreamError as error:
            problem = str(error)
        except ValueError:
            problem = "the upstream's chain id is no number"
        readiness.set("chain", problem)
        if time.monotonic() - told_at > _SAY_AGAIN:
            log.warning("chain.waiting", problem=problem)
            told_at = time.monotonic()
        await asyncio.sleep(_ASK_AGAIN)


def profile_named(name: str) -> ChainProfile:
    """The built-in profile with that name. Raises ConfigurationError if there is none."""
    for profile in PROFILES.values():
        if profile.name == name:
            return profile
    known = ", ".join(profile.name for profile in PROFILES.values())
    raise ConfigurationError(f"STOPGATE_UPSTREAM__PROFILE: there is no chain profile {name!r}; known: {known}")


def chain_profile(number: int, name: str = "") -> ChainProfile:
    """The built-in profile of a chain; one made for `number` from the profile called `name`, if that is given.

    Raises:
        ConfigurationError: there is no profile of that name.
    """
    if name:
        return replace(profile_named(name), chain_id=number)
    if number not in PROFILES:
        log.warning("chain.unknown", chain_id=number, using="Ethereum's present rules; set STOPGATE_UPSTREAM__PROFILE")
    return profile_for(number)


async def open_chain(
    settings: Settings,
    upstream: Upstream,
    number: int,
    order: PendingLog,
    stack: AsyncExitStack,
    *,
    alone: bool,
) -> Chain:
    """Engine and live state for the chain; closed with `stack`. `alone`: no other replica shares the stores."""
    profile = chain_profile(number, settings.upstream.profile)
    simulator = await open_simulator(settings.inspection.engine, profile, settings.inspection.workers)
    stack.push_async_callback(simulator.close)
    # A development chain makes a block when it has a transaction; silence there says nothing about its health.
    max_age = math.inf if profile.chain_id == DEVELOPMENT.chain_id else settings.upstream.max_head_age
    decode: Callable[[RawTransaction], Transaction] = lambda raw: decode_transaction(raw.data, profile)  # noqa: E731
    recheck = Recheck(upstream, settings.inspection.recheck_sample)
    live = LiveState(
        simulator,
        upstream,
        profile,
        order,
        decode,
        codes=CodeStore(settings.data_dir / "codes" / str(number)),
        settings=LiveSettings(max_head_age=max_age, require_shared_order=not alone),
        admitted=recheck.offer,
    )
    url = settings.upstream.websocket_url
    follower = HeadFollower(upstream, live.advance, (lambda: new_heads(url)) if url else None)
    return Chain(profile, simulator, live, follower, recheck)
