"""How live state is to behave, and how it did."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass, field

from gateway.evm.simulator import Limits


@dataclass(frozen=True, slots=True)
class LiveSettings:
    """Limits of live state."""

    max_head_age: float = 30.0
    """seconds without a new head after which nothing is judged"""
    require_shared_order: bool = True
    """True: without Redis nothing is forwarded, for another replica may have forwarded the first half of an attack.
    False: this process is the only one, or the operator takes the risk"""
    dropped_after: float = 20.0
    """seconds for which the upstream may not know a forwarded transaction before it counts as dropped"""
    limits: Limits = field(default_factory=Limits)


@dataclass(slots=True)
class LiveStatistics:
    """Counted since start."""

    simulations: int = 0
    warm: int = 0
    """simulations that waited for no round trip"""
    trips: int = 0
    by_trips: Counter[int] = field(default_factory=Counter)
    """round trips waited for -> simulations"""
    restarts: int = 0
    newest_head: int = 0
    """admitted verdicts made on what was the newest head then"""
    admitted: int = 0
    changed: int = 0

    def ran(self, trips: int) -> None:
        """Count one simulation that waited for so many round trips."""
        self.simulations += 1
        self.trips += trips
        self.warm += trips == 0
        self.by_trips[trips] += 1
