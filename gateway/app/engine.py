"""Chooses the engine that simulates on the hot path."""

from __future__ import annotations

import os
from importlib.util import find_spec

from gateway.errors import ConfigurationError
from gateway.evm.simulator import Simulator
from gateway.evm.workers import PyEvmPool
from gateway.model.chain import ChainProfile
from gateway.settings import Engine


def check_engine(engine: Engine) -> None:
    """Raises ConfigurationError if the engine cannot serve the hot path of this installation."""
    if engine == "node":
        raise ConfigurationError("engine node is not for the hot path yet; use auto, revm or py-evm")
    if engine == "revm" and find_spec("stopgate_engine") is None:
        raise ConfigurationError("engine revm is not installed: build it with cargo and `make setup`, or use py-evm")


def heavy_slots(configured: int) -> int:
    """How many inspections of much gas run at a time. More than processors: one that is slow stops no other."""
    return configured or (os.cpu_count() or 1) + 2


async def open_simulator(engine: Engine, profile: ChainProfile, workers: int) -> Simulator:
    """The engine, started and warm. `auto` is revm if it is installed, else py-evm.

    Args:
        engine: what the operator asked for; `check_engine` has passed it.
        profile: the chain.
        workers: py-evm processes, or revm threads; 0 lets the engine choose.

    Raises:
        SimulationError: py-evm's workers did not start.
    """
    if engine == "revm" or (engine == "auto" and find_spec("stopgate_engine") is not None):
        from gateway.evm.revm import RevmSimulator  # importable only where the native engine was built

        return RevmSimulator(p256=profile.p256, threads=workers or heavy_slots(0))
    pool = PyEvmPool(profile, size=workers or None)
    await pool.start()
    return pool
