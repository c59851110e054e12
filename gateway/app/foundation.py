"""What a gateway has before the chain has answered."""

from __future__ import annotations

from dataclasses import dataclass

from gateway.app.observation import Observation
from gateway.app.readiness import Readiness
from gateway.app.stores import OpenStores
from gateway.inspection.registry import Ruleset
from gateway.proxy.allowance import Allowances
from gateway.proxy.reply import Terms
from gateway.settings import Settings
from gateway.store.audit_writer import AuditWriter
from gateway.tasks.supervisor import Supervisor
from gateway.telemetry import Metrics
from gateway.upstream.client import Upstream


@dataclass(frozen=True, slots=True)
class Foundation:
    """What exists before the chain has answered."""

    settings: Settings
    stores: OpenStores
    upstream: Upstream
    ruleset: Ruleset
    writer: AuditWriter
    metrics: Metrics
    readiness: Readiness
    supervisor: Supervisor
    terms: Terms
    observation: Observation
    allowances: Allowances
