"""A detector's sentence as people read it: addresses by name or shortened, amounts in the token's own unit.

Detectors know neither names nor decimals; the page does. Whatever does not match stays as it was written.
"""

from __future__ import annotations

import re
from collections.abc import Mapping

from dashboard.render.quantity import amount_text, asset_of
from dashboard.render.text import clean, shorten
from gateway.model.case import TokenInfo
from gateway.model.facts import TokenStandard
from gateway.model.primitive import ZERO_ADDRESS, Address

_AMOUNT = re.compile(r"\b(\d{1,78}) units of (the chain's own coin|0x[0-9a-fA-F]{40}\b)")
_LONG_HEX = re.compile(r"\b0x[0-9a-fA-F]{40,64}\b")
_LONGEST = 4_000
"""Longer sentences are not searched: they are cut when printed."""


def readable(
    text: str,
    native: str,
    labels: Mapping[Address, str] | None = None,
    tokens: Mapping[Address, TokenInfo] | None = None,
) -> str:
    """The sentence with amounts and addresses in words."""
    names, known = labels or {}, tokens or {}

    def amount(match: re.Match[str]) -> str:
        if match[2].startswith("0x"):
            token = Address.from_hex(match[2])
            if token not in known:
                return match[0]
            return amount_text(int(match[1]), asset_of(token, TokenStandard.ERC20, known, native))
        return amount_text(int(match[1]), asset_of(ZERO_ADDRESS, TokenStandard.NATIVE, known, native))

    def name(match: re.Match[str]) -> str:
        label = names.get(Address.from_hex(match[0])) if len(match[0]) == 42 else None
        return clean(label, 40) if label else shorten(match[0])

    return _LONG_HEX.sub(name, _AMOUNT.sub(amount, text[:_LONGEST])) + text[_LONGEST:]
