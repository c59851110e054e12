"""Where a rule looks at all, and what a transaction touches."""

from __future__ import annotations

from dataclasses import dataclass

from gateway.inspection.subject import Inspection
from gateway.model.primitive import Address


@dataclass(frozen=True, slots=True)
class Scope:
    """Where a rule looks at all."""

    contracts: frozenset[Address]
    """one of these must act, be called, speak or change; empty: every transaction"""
    selectors: frozenset[bytes] = frozenset()
    """if not empty, one of these must be called on one of the contracts, or by the transaction itself"""
    chains: frozenset[int] = frozenset()
    """empty: every chain"""


def touched_accounts(subject: Inspection) -> set[Address]:
    """Accounts that were called, that acted, spoke, moved value or end otherwise than they began."""
    simulation = subject.simulation
    touched = set(simulation.state_diff)
    for link in simulation.trace.links:
        touched.update(account for account in (link.from_, link.to, link.context) if account is not None)
    for move in subject.facts.transfers:
        touched.update((move.token, move.from_, move.to))
    return touched
