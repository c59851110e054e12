"""The engine that checks the engine, wired to the chain."""

from __future__ import annotations

from importlib.util import find_spec

from gateway.app.chain import Chain
from gateway.app.engine import open_simulator
from gateway.evm.simulator import Simulator
from gateway.live.codes import CodeStore
from gateway.live.fetch import StateFetcher
from gateway.live.simulation import LiveSimulation
from gateway.model.primitive import Hash32
from gateway.model.state import StateBatch, StateKeys
from gateway.model.trace import SimulationResult
from gateway.settings import Engine
from gateway.tasks.verifier import Verifier
from gateway.telemetry import Metrics
from gateway.upstream.client import Upstream


def build_verifier(chain: Chain, upstream: Upstream, metrics: Metrics, sample: float) -> Verifier | None:
    """The verifier of one chain; None if this installation has one engine only."""
    engine: Engine = "revm" if chain.simulator.name == "py-evm" else "py-evm"
    if engine == "revm" and find_spec("stopgate_engine") is None:
        return None
    fetcher = StateFetcher(upstream, CodeStore())

    async def open_second() -> Simulator:
        return await open_simulator(engine, chain.profile, 1)

    async def read(keys: StateKeys, block: Hash32) -> StateBatch:
        return (await fetcher.fetch(keys, block)).values

    return Verifier(chain.simulator, open_second, read=read, head=_head, metrics=metrics, sample=sample)


def _head(result: SimulationResult) -> Hash32 | None:
    basis = result.basis if isinstance(result, LiveSimulation) else None
    return None if basis is None else basis.head.hash
