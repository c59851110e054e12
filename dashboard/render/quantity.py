"""Amounts with symbol and unit, exact where it matters; times and sizes as people say them."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta

from dashboard.render.text import shorten, symbol
from gateway.model.case import LossBasis, LossEstimate, TokenInfo
from gateway.model.facts import TokenStandard
from gateway.model.primitive import Address

UNLIMITED = 2**255
"""An allowance from here on is meant as unlimited."""


@dataclass(frozen=True, slots=True)
class Asset:
    """How to print one asset."""

    symbol: str
    decimals: int
    known: bool
    """False if the token did not say its decimals: amounts are then in its smallest unit"""


def asset_of(token: Address, standard: TokenStandard, tokens: Mapping[Address, TokenInfo], native: str) -> Asset:
    """The chain's own coin, a token that described itself, or an unknown one by its address."""
    if standard is TokenStandard.NATIVE:
        return Asset(native, 18, True)
    info = tokens.get(token)
    if standard is not TokenStandard.ERC20:
        return Asset(symbol(info.symbol) if info and info.symbol.strip() else shorten(str(token)), 0, True)
    if info is None or not 0 <= info.decimals <= 36:
        return Asset(shorten(str(token)), 0, False)
    return Asset(symbol(info.symbol) if info.symbol.strip() else shorten(str(token)), info.decimals, True)


def amount_text(amount: int, asset: Asset, token_id: int | None = None) -> str:
    """For example "-1,234.5678 USDC"; smallest units if the decimals are unknown."""
    number = decimal_text(abs(amount), asset.decimals)
    sign = "\N{MINUS SIGN}" if amount < 0 else ""
    unit = asset.symbol if asset.known else f"units of {asset.symbol}"
    identity = f" #{_short_number(token_id)}" if token_id is not None else ""
    return f"{sign}{number} {unit}{identity}"


def decimal_text(amount: int, decimals: int, places: int = 6) -> str:
    """A fixed-point number with at most `places` decimals, cut and never rounded up; tiny ones stay visible."""
    whole, rest = divmod(amount, 10**decimals)
    if len(str(whole)) > 30:
        return f"{whole:.3e}" if whole < 10**300 else "more than 1e300"
    fraction = str(rest).zfill(decimals)[:places].rstrip("0") if decimals else ""
    if not whole and rest and not fraction:
        return f"< 0.{'0' * (places - 1)}1"
    return f"{whole:,}" + (f".{fraction}" if fraction else "")


def _short_number(number: int) -> str:
    text = str(number)
    return text if len(text) <= 12 else f"{text[:5]}…{text[-4:]}"


def loss_text(loss: float | None, unit: str) -> str:
    """An estimated loss, rounded to what an estimate can bear."""
    if loss is None:
        return "not estimated"
    for size, letter in ((1e9, " bn"), (1e6, " M"), (1e3, " k")):
        if loss >= size:
            return f"{loss / size:,.3g}{letter} {unit}"
    return f"{loss:,.0f} {unit}" if loss >= 100 else f"{float(f'{loss:.3g}'):,g} {unit}"


_SOURCES = {
    LossBasis.COIN: "counted in the coin itself",
    LossBasis.SETTINGS: "at prices from the settings",
    LossBasis.POOLS: "at the prices of pools it meets, before it touches them",
}


def estimate_text(loss: LossEstimate | None) -> str:
    """How far an estimate can be trusted."""
    if loss is None:
        return "nothing of it has a price here; look at the net changes"
    if not loss.unpriced:
        return _SOURCES[loss.basis]
    missing = "one lost asset has" if loss.unpriced == 1 else f"{loss.unpriced} lost assets have"
    return f"at least; {_SOURCES[loss.basis]}; {missing} no price here"


def span_text(span: timedelta) -> str:
    """The two largest units: "3 h 12 min"."""
    seconds = int(abs(span.total_seconds()))
    if seconds < 60:
        return f"{seconds} s"
    minutes, hours, days = seconds // 60 % 60, seconds // 3600 % 24, seconds // 86400
    if days:
        return f"{days} d {hours} h"
    return f"{hours} h {minutes} min" if hours else f"{minutes} min"


def moment_text(at: datetime, now: datetime) -> str:
    """Relative to now."""
    return f"in {span_text(at - now)}" if at > now else f"{span_text(now - at)} ago"


def bytes_text(data: bytes, most: int = 64) -> str:
    """Hex, cut with its length."""
    return "0x" + data[:most].hex() + (f"… ({len(data):,} bytes)" if len(data) > most else "")


def duration_text(seconds: float) -> str:
    """Milliseconds below one second."""
    return f"{seconds * 1000:.1f} ms" if seconds < 1 else f"{seconds:.2f} s"
