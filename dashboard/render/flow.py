"""The flow of assets as a picture: who paid on the left, who passed on in the middle, who gained on the right.

Only numbers and positions are made here; the template prints them as SVG, so that all text is escaped in one place.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from dashboard.render.changes import address_roles
from dashboard.render.quantity import amount_text, asset_of
from dashboard.render.text import clean, shorten
from gateway.model.case import CaseDetail
from gateway.model.facts import TokenStandard, Transfer
from gateway.model.primitive import ZERO_ADDRESS, Address

MOST_ADDRESSES = 18
MOST_EDGES = 36
_WIDTH, _BOX, _HEIGHT, _GAP, _TOP = 1040, 190, 46, 64, 30
_LANE = 22
"""between two edges that join the same boxes"""


@dataclass(frozen=True, slots=True)
class FlowBox:
    """One address."""

    x: int
    y: int
    title: str
    subtitle: str
    role: str
    address: Address


@dataclass(frozen=True, slots=True)
class FlowEdge:
    """All movements of one asset from one address to another."""

    path: str
    """SVG path data, numbers only"""
    x: int
    y: int
    label: str
    count: int


@dataclass(frozen=True, slots=True)
class Flow:
    """The whole picture, in SVG units."""

    width: int
    height: int
    boxes: tuple[FlowBox, ...]
    edges: tuple[FlowEdge, ...]
    left_out: int
    """edges that found no room"""
    box_width: int = _BOX
    box_height: int = _HEIGHT


_Key = tuple[Address, Address, TokenStandard, Address]


def flow_of(detail: CaseDetail, native: str) -> Flow | None:
    """The picture, or None if nothing moved."""
    sums: dict[_Key, list[Transfer]] = {}
    for transfer in detail.facts.transfers:
        if transfer.amount and transfer.from_ != transfer.to:
            key = (transfer.from_, transfer.to, transfer.standard, transfer.token)
            sums.setdefault(key, []).append(transfer)
    if not sums:
        return None
    weight: dict[Address, int] = {}
    for from_, to, *_ in sums:
        weight[from_] = weight.get(from_, 0) + 1
        weight[to] = weight.get(to, 0) + 1
    roles = address_roles(detail)
    kept = sorted(weight, key=lambda who: (roles.get(who, "") == "", -weight[who]))[:MOST_ADDRESSES]
    edges = [key for key in sums if key[0] in kept and key[1] in kept][:MOST_EDGES]
    used = [who for who in kept if any(who in key[:2] for key in edges)]
    places = _places(used, edges, roles)
    height = max((y for _, y in places.values()), default=0) + _HEIGHT + _TOP
    drawn = _edges(edges, sums, places, detail, native)
    boxes = tuple(_box(who, places[who], roles, detail.labels) for who in used)
    return Flow(_WIDTH, height, boxes, drawn, len(sums) - len(edges))


def _places(used: list[Address], edges: list[_Key], roles: Mapping[Address, str]) -> dict[Address, tuple[int, int]]:
    columns: tuple[list[Address], list[Address], list[Address]] = ([], [], [])
    for who in used:
        paid = sum(1 for key in edges if key[0] == who)
        got = sum(1 for key in edges if key[1] == who)
        if roles.get(who) in ("victim",) or (got == 0 and paid):
            columns[0].append(who)
        elif roles.get(who) in ("attacker", "sender") or paid == 0:
            columns[2].append(who)
        else:
            columns[1].append(who)
    filled = [column for column in columns if column]
    tallest = max(len(column) for column in filled)
    step = (_WIDTH - _BOX) // max(len(filled) - 1, 1)
    places = {}
    for number, column in enumerate(filled):
        x = number * step if len(filled) > 1 else (_WIDTH - _BOX) // 2
        space = (tallest * (_HEIGHT + _GAP)) / len(column)
        for row, who in enumerate(column):
            places[who] = (x, round(_TOP + row * space + (space - _HEIGHT - _GAP) / 2))
    return places


def _edges(
    edges: list[_Key],
    sums: Mapping[_Key, list[Transfer]],
    places: Mapping[Address, tuple[int, int]],
    detail: CaseDetail,
    native: str,
) -> tuple[FlowEdge, ...]:
    drawn = []
    between: dict[frozenset[Address], int] = {}
    for key in edges:
        from_, to, standard, token = key
        pair = frozenset((from_, to))
        lane = between[pair] = between.get(pair, -1) + 1
        (x1, y1), (x2, y2) = places[from_], places[to]
        shift = (lane + 1) // 2 * _LANE * (1 if lane % 2 else -1)
        if x1 == x2:  # same column: straight, side by side
            down = y1 < y2
            x1 = x2 = x1 + _BOX // 2 + shift * 5
            y1, y2 = (y1 + _HEIGHT, y2 - 7) if down else (y1, y2 + _HEIGHT + 7)
            path = f"M{x1} {y1} L{x2} {y2}"
            middle = (x1, (y1 + y2) // 2 + 4 + shift // 2)
        else:
            ends = max(min(shift, _HEIGHT // 2 - 4), 4 - _HEIGHT // 2)
            y1, y2 = y1 + _HEIGHT // 2 + ends, y2 + _HEIGHT // 2 + ends
            forward = x1 < x2
            x1, x2 = (x1 + _BOX, x2 - 7) if forward else (x1, x2 + _BOX + 7)
            bend = (x2 - x1) // 2
            bow = (shift - ends) * 4 // 3
            path = f"M{x1} {y1} C{x1 + bend} {y1 + bow} {x2 - bend} {y2 + bow} {x2} {y2}"
            middle = ((x1 + x2) // 2, (y1 + y2) // 2 + shift - ends - 4)
        moved = sums[key]
        asset = asset_of(token, standard, detail.tokens, native)
        label = amount_text(sum(transfer.amount for transfer in moved), asset)
        drawn.append(FlowEdge(path, *middle, label, len(moved)))
    return tuple(drawn)


def _box(who: Address, place: tuple[int, int], roles: Mapping[Address, str], labels: Mapping[Address, str]) -> FlowBox:
    label = "created or destroyed" if who == ZERO_ADDRESS else clean(labels.get(who, ""), 22)
    role = roles.get(who, "")
    short = shorten(str(who))
    return FlowBox(
        *place,
        title=label or short,
        subtitle=" · ".join(filter(None, (role, short if label else ""))),
        role=role,
        address=who,
    )
