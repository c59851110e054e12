"""Prices that the operator wrote down, and the unit in which losses are told."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

from gateway.model.primitive import Address

COIN_UNIT = 10**18
"""smallest units of a chain's own coin in one whole coin"""


@dataclass(frozen=True, slots=True)
class PriceBook:
    """What is known of prices without looking at pools. Empty: losses are told in the chain's own coin."""

    unit: str = ""
    """for example "USD"; empty: the chain's own coin"""
    coin: float | None = 1.0
    """units that one whole coin is worth; 1 without a unit, None if it is not known"""
    tokens: Mapping[Address, float] = field(default_factory=dict)
    """token -> units that its *smallest* unit is worth"""
    wrapped: frozenset[Address] = frozenset()
    """tokens that are the coin, one for one"""
