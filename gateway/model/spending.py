"""What a client used of its allowance, as replicas tell it to each other."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Spending:
    """Of one client in one gateway process, since it was told last."""

    owner: str
    """see `Client.owner`"""
    key: str
    """API key id; empty for a client without one"""
    requests: float = 0.0
    """JSON-RPC calls"""
    seconds: float = 0.0
    """inspection time"""
    gas: float = 0.0
