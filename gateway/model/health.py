"""What a gateway process tells of itself to whoever watches all of them."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime


@dataclass(frozen=True, slots=True)
class HealthItem:
    """One part, whether it works, and what there is to say about it."""

    name: str
    ok: bool
    says: str


@dataclass(frozen=True, slots=True)
class GatewayHealth:
    """One process at one moment."""

    replica: str
    """told apart by host and process"""
    at: datetime
    items: tuple[HealthItem, ...]
