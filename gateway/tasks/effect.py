"""Whether a transaction would do something else now than what people decided on."""

from __future__ import annotations

from collections.abc import Mapping

from gateway.model.case import CaseDetail, asset_changes
from gateway.model.facts import TokenStandard
from gateway.model.primitive import ZERO_ADDRESS, Address

TOLERANCE = 0.1
"""part by which an amount may differ: prices move between a look and a release"""
DUST = 10**14
"""wei; a movement of the coin below it is no change of effect"""

_Key = tuple[Address, TokenStandard, Address, int | None]


def changed_effects(seen: CaseDetail | None, now: CaseDetail) -> tuple[str, ...]:
    """Net asset changes that were not there, are gone, turned round, or differ by more than the tolerance; as text.

    Empty if they agree, or if one of the two was not simulated and there is nothing to compare. Less for the same
    address is told like more: the question is whether this is still what was read, not whom it hurts.
    """
    if seen is None or seen.simulation is None or now.simulation is None:
        return ()
    if seen.simulation.status != now.simulation.status:
        return (f"its run ended as {seen.simulation.status}, now as {now.simulation.status}",)
    before, after = _net(seen), _net(now)
    return tuple(
        _sentence(key, before.get(key, 0), after.get(key, 0))
        for key in {**before, **after}
        if _differs(before.get(key, 0), after.get(key, 0), coin=key[1] is TokenStandard.NATIVE)
    )


def _net(detail: CaseDetail) -> Mapping[_Key, int]:
    return {
        (change.address, change.standard, change.token, change.token_id): change.amount
        for change in asset_changes(detail.facts.transfers)
        if change.address != ZERO_ADDRESS
    }


def _differs(before: int, after: int, *, coin: bool) -> bool:
    difference = abs(before - after)
    if coin and difference < DUST:
        return False
    return difference > TOLERANCE * max(abs(before), abs(after))


def _sentence(key: _Key, before: int, after: int) -> str:
    address, standard, token, token_id = key
    what = "the chain's own coin" if standard is TokenStandard.NATIVE else str(token)
    item = "" if token_id is None else f", item {token_id},"
    return f"{address} would have {_signed(after)} units of {what}{item} instead of {_signed(before)}"


def _signed(amount: int) -> str:
    return f"{amount:+d}" if amount else "no"
