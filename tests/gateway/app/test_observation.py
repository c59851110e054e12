from __future__ import annotations

from collections.abc import Iterator

import pytest
from structlog.testing import capture_logs

from gateway.app.chain import Chain
from gateway.app.observation import Observation, Watched
from gateway.live.recheck import Recheck
from gateway.pipeline import Judgement
from gateway.proxy.allowance import Allowances
from gateway.proxy.turns import Turns
from gateway.store.cases.record import SqlRecord
from gateway.tasks.conclude import Conclusion
from gateway.tasks.deferred import DeferredLane
from gateway.telemetry import READINGS, Metrics
from gateway.upstream.aiohttp import HttpUpstream
from gateway.upstream.health import UpstreamPool
from tests.anvil import Anvil, free_port, needs_anvil, running_anvil
from tests.gateway.live.chain import PROFILE, Gateway, decode, engine, signed

pytestmark = needs_anvil


@pytest.fixture
def chain() -> Iterator[Anvil]:
    with running_anvil("--no-mining", "--order", "fifo") as started:
        yield started


class NoCases:
    async def cases(self, query: object) -> object:
        raise AssertionError("the lane is not run here")


async def never(*asked: object) -> Judgement:
    raise AssertionError("nothing is judged here")


def lane() -> DeferredLane:
    record: SqlRecord = NoCases()  # type: ignore[assignment]
    return DeferredLane(record, Conclusion(record, None), never, decode)  # type: ignore[arg-type]


async def test_what_the_parts_counted_shows_in_metrics_and_health(chain: Anvil) -> None:
    upstream = UpstreamPool(
        [("node", HttpUpstream(chain.url)), ("away", HttpUpstream(f"http://127.0.0.1:{free_port()}"))]
    )
    gateway = Gateway(upstream)
    await gateway.follower.refresh()
    recheck = Recheck(upstream, 1.0)
    first = signed(0, 0, "0x" + "ab" * 20, value=1)
    simulation = await gateway.forward(first, upstream)  # type: ignore[arg-type]
    await gateway.simulate(signed(0, 1, "0x" + "ab" * 20, value=1))
    await upstream.probe()
    observation = Observation(upstream, lambda: {"rules": None, "queue": "no answer within 5 s"})
    chain_open = Chain(PROFILE, engine("py-evm"), gateway.live, gateway.follower, recheck)
    observation.watched = Watched(chain_open, lane(), Turns(never, Allowances()))
    metrics = Metrics()
    metrics.read_from(observation.readings)
    text = metrics.render().decode()
    assert 'stopgate_simulations_total{trips="0"} 1.0' in text
    assert 'stopgate_simulations_total{trips="1"} 1.0' in text
    assert 'stopgate_admissions_total{head="newest"} 1.0' in text
    assert "stopgate_overlay_transactions 1.0" in text
    assert 'stopgate_upstream_up{upstream="node"} 1.0' in text
    assert "stopgate_upstream_disagreement 0.0" in text
    assert f"stopgate_head_number {float(simulation.basis.head.number)}" in text
    items = {item.name: item for item in observation.health().items}
    assert items["queue"].ok is False
    assert items["chain head"].ok
    assert "50.0 % of inspections without a round trip, the others with 1.00" in items["round trips"].says
    assert items["slow lane"].says == "0 of 500 places taken"
    await upstream.close()


async def test_what_turns_is_told_once_and_again_when_it_recovers(chain: Anvil) -> None:
    upstream = UpstreamPool(
        [("node", HttpUpstream(chain.url)), ("away", HttpUpstream(f"http://127.0.0.1:{free_port()}"))]
    )
    observation = Observation(upstream, dict)
    for _ in range(3):
        await upstream.probe()
    upstream.disagreement = "away contradicts block 7"
    with capture_logs() as told:
        observation.tell_changes()
        observation.tell_changes()
        upstream.disagreement = None
        upstream.members[1].breaker.succeeded()
        observation.tell_changes()
    assert [(line["log_level"], line["part"], line["now"]) for line in told] == [
        ("error", "upstreams", "away contradicts block 7"),
        ("error", "upstream away", "its circuit is open"),
        ("warning", "upstreams", "works"),
        ("warning", "upstream away", "works"),
    ]
    assert 'stopgate_upstream_up{upstream="away"}' not in Metrics().render().decode()
    await upstream.close()


def test_every_reading_is_a_family_before_anything_is_read() -> None:
    names = {metric.name for metric in Metrics().registry.collect()}
    assert set(READINGS) <= names
