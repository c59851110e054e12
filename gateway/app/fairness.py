"""Who may ask for how much, from the settings: API keys, allowances and turns."""

from __future__ import annotations

from gateway.app.engine import heavy_slots
from gateway.evm.simulator import Simulator
from gateway.pipeline import Pipeline
from gateway.proxy.allowance import AllowanceLimits, Allowances, Rate
from gateway.proxy.clients import ClientDesk
from gateway.proxy.turns import TurnLimits, Turns
from gateway.settings import LimitSettings, parse_api_key


def client_desk(settings: LimitSettings) -> ClientDesk:
    """Tells clients apart by the configured keys."""
    keys = {digest: name for name, digest, _ in map(parse_api_key, settings.api_keys)}
    return ClientDesk(keys, settings.require_key)


def allowances(settings: LimitSettings) -> Allowances:
    """The accounts of all clients of this process."""
    return Allowances(
        AllowanceLimits(
            requests=Rate(settings.requests_per_second, settings.requests_burst),
            seconds=Rate(settings.inspection_share, settings.inspection_burst),
            gas=Rate(settings.gas_per_second, settings.gas_burst),
            factors={name: factor for name, _, factor in map(parse_api_key, settings.api_keys)},
        )
    )


def turns(settings: LimitSettings, pipeline: Pipeline, simulator: Simulator, accounts: Allowances) -> Turns:
    """The line before the pipeline; for py-evm, which runs all in few processes, every transaction is heavy."""
    light = TurnLimits().light_gas if simulator.name == "revm" else 0
    return Turns(pipeline.judge, accounts, TurnLimits(slots=heavy_slots(settings.heavy_inspections), light_gas=light))
