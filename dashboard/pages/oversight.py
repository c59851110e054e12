"""Over all cases: figures, health, audit, and what the desk learned."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime

from gateway.model.audit import AuditRecord
from gateway.model.case import ChainHead
from gateway.model.quarantine import QuarantineEntry
from gateway.model.rulebook import PublishedRule, RulesInForce
from gateway.model.signature import KeptSignature
from gateway.model.trust import Reputation, TrustEntry
from gateway.store.cases.figures import DetectorFigures, Figures


@dataclass(frozen=True, slots=True)
class AuditPage:
    """Links of the chain, the latest first."""

    records: Sequence[AuditRecord]
    head: ChainHead
    filters: Mapping[str, str]
    older: str


@dataclass(frozen=True, slots=True)
class OverviewPage:
    """The numbers of the last day."""

    figures: Figures
    counts: Mapping[str, int]
    series: Mapping[str, object]
    """what the chart draws"""
    detectors: Sequence[DetectorFigures]
    next_expiry: QuarantineEntry | None


@dataclass(frozen=True, slots=True)
class DetectorsPage:
    """What speaks, how often, how often overruled."""

    detectors: Sequence[DetectorFigures]


@dataclass(frozen=True, slots=True)
class Check:
    """One thing that must work."""

    name: str
    ok: bool
    says: str


@dataclass(frozen=True, slots=True)
class GatewayPanel:
    """What one gateway process last told of itself."""

    name: str
    at: datetime
    silent: bool
    """True if that is too long ago"""
    checks: tuple[Check, ...]


@dataclass(frozen=True, slots=True)
class HealthPage:
    """What works and what does not."""

    checks: tuple[Check, ...]
    gateways: tuple[GatewayPanel, ...] = ()


@dataclass(frozen=True, slots=True)
class SignaturesPage:
    """Signatures of confirmed attacks."""

    signatures: Sequence[KeptSignature]
    problem: str = ""


@dataclass(frozen=True, slots=True)
class TrustPage:
    """The allow list, and the addresses with the longest clean history."""

    entries: Sequence[TrustEntry]
    reputations: Sequence[Reputation]
    problem: str = ""


@dataclass(frozen=True, slots=True)
class RuleRow:
    """One rule, and what came of it."""

    rule: PublishedRule
    hits: int
    """judgements of the last day in which it spoke"""
    last_at: datetime | None
    """when it last did within that day"""
    figures: DetectorFigures | None
    """over the latest cases; None if it is in none of them, or the account may not see figures"""
    expired: bool
    missing_at: tuple[str, ...]
    """gateways that do not have it, or have it otherwise"""


@dataclass(frozen=True, slots=True)
class RulesGateway:
    """What one gateway process goes by."""

    told: RulesInForce
    silent: bool
    """True if it has not said so for too long"""


@dataclass(frozen=True, slots=True)
class RulesPage:
    """The rules that protocols wrote, as gateways go by them."""

    rows: tuple[RuleRow, ...]
    gateways: tuple[RulesGateway, ...]
    """empty for accounts that may not see how the gateways are"""
    agree: bool
    """every gateway that speaks has the same rules and detectors"""
