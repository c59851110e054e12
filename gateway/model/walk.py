"""Ways through the call tree: who acts in a stretch of it, out of which call of a side it grew, what a door hides.

The functions are the reference for engines that answer these questions themselves.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence, Set

from gateway.model.facts import Transfer
from gateway.model.frame import CallFrame, FrameKind
from gateway.model.primitive import Address

SELECTOR = 4
"""bytes of a question that names nobody"""
WORD = 32
"""bytes of the shortest answer that says something"""


def contexts(frames: Iterable[CallFrame]) -> tuple[Address, ...]:
    """The accounts that act in `frames`, each once, in order."""
    return tuple(dict.fromkeys(frame.context for frame in frames if frame.context is not None))


def path(frames: Sequence[CallFrame], index: int) -> list[tuple[Address, int]]:
    """(account, first frame) of each account that acts between the transaction and frame `index`, outermost first."""
    chain: list[tuple[Address, int]] = []
    while index >= 0:
        frame = frames[index]
        account = frame.context
        if account is not None:
            if chain and chain[-1][0] == account:
                chain[-1] = (account, index)
            else:
                chain.append((account, index))
        index = frame.parent
    chain.reverse()
    return chain


def asker(frames: Sequence[CallFrame], index: int, token: Address) -> Address:
    """Who called `token` when it acted in frame `index`; its own delegations are left out."""
    frame = frames[index]
    while frame.parent >= 0 and frames[frame.parent].context == token:
        frame = frames[frame.parent]
    return frame.from_


def recanted(asked: Iterable[CallFrame], besides: Set[bytes], but: Set[Address], longest: int) -> list[tuple[int, int]]:
    """(first, later) frames of `asked`, by index, where the same plain question was answered otherwise later.

    A plain question is a selector only, none of `besides`, answered by at least a word and at most `longest` bytes; the
    later one is not asked by one of `but`.
    """
    first: dict[tuple[Address, bytes], CallFrame] = {}
    found = []
    for frame in asked:
        plain = len(frame.input) == SELECTOR and frame.input not in besides
        if not plain or frame.to is None or frame.error or not WORD <= len(frame.output) <= longest:
            continue
        earlier = first.setdefault((frame.to, frame.input), frame)
        if earlier.output != frame.output and frame.from_ not in but:
            found.append((earlier.index, frame.index))
    return found


def is_blank(data: bytes, part: int) -> bool:
    """True if `part` in a thousand of its bytes, or more, are the same as the last."""
    return 1000 * data.count(data[-1:]) >= part * len(data)


def orders(
    frames: Iterable[CallFrame], cluster: Set[Address], told: Set[Address], least: int, most: int
) -> list[tuple[int, int]]:
    """(call that brought an order, later call that carries it out) as indices of frames, in the order of the latter.

    A call of at least `least` bytes repeats what stood in the data of one that one of `cluster` made to its caller, one
    of `told`, before. Of each, the first `most` longer calls are orders.
    """
    calls = [frame for frame in frames if frame.kind is FrameKind.CALL and not frame.reverted]
    brought: dict[Address, list[CallFrame]] = {}
    for frame in calls:
        if frame.from_ in cluster and frame.to is not None and frame.to in told and len(frame.input) >= least + 4:
            kept = brought.setdefault(frame.to, [])
            if len(kept) < most:
                kept.append(frame)
    naming: dict[tuple[Address, bytes], list[CallFrame]] = {}  # a loop makes the same call again and again
    found = []
    for frame in calls:
        if frame.from_ in brought and len(frame.input) >= least:
            key = (frame.from_, frame.input)
            if key not in naming:
                naming[key] = [order for order in brought[frame.from_] if frame.input in order.input]
            order = next((order for order in naming[key] if order.left < frame.entered), None)
            if order is not None:
                found.append((order.index, frame.index))
    return found


def told(frames: Sequence[CallFrame], index: int, party: Address, cluster: Set[Address], most: int) -> bool:
    """True if a call out of `cluster` that led to frame `index` names `party` in the first `most` bytes of data."""
    while index >= 0:
        frame = frames[index]
        if frame.from_ in cluster and frame.input[:most].find(party) >= 0:
            return True
        index = frame.parent
    return False


def visits(frames: Iterable[CallFrame], cluster: Set[Address]) -> list[int]:
    """For each frame the call out of `cluster` under which it ran; -1 for frames of the cluster itself. Linear."""
    found: list[int] = []
    for frame in frames:
        if frame.context in cluster:
            found.append(-1)
            continue
        above = found[frame.parent] if frame.parent >= 0 else -1
        found.append(above if above >= 0 else frame.index)
    return found


def acting(frames: Sequence[CallFrame], cluster: Set[Address]) -> Mapping[int, Set[Address]]:
    """Call out of `cluster` -> the accounts that act under it. Linear."""
    found: dict[int, set[Address]] = {}
    for frame, top in zip(frames, visits(frames, cluster), strict=True):
        if top >= 0 and frame.context is not None:
            found.setdefault(top, set()).add(frame.context)
    return found


def sole_room(
    frames: Iterable[CallFrame], entry: Address, cluster: Set[Address], moves: Sequence[Transfer]
) -> Address | None:
    """The one contract for which `entry` is but a door: it does all that moves value and never calls back.

    What `entry` itself gives away or asks of a token on the way is no part of it.
    """
    rooms: list[Address | None] = []
    visited: set[Address] = set()
    for frame in frames:
        room = rooms[frame.parent] if frame.parent >= 0 else None
        if room is None:
            calls = frame.from_ == entry and frame.kind is FrameKind.CALL and frame.code_hash is not None
            room = frame.to if calls and frame.to not in cluster else None
            if room is not None:
                visited.add(room)
        elif _comes_back(frame, cluster):
            visited.discard(room)
        rooms.append(room)
    moving = {
        rooms[move.frame]
        for move in moves
        if move.from_ != entry and rooms[move.frame] != move.token  # of a token it asked itself
    }
    found = {room for room in moving if room is not None} if moving else visited
    if len(found) != 1 or None in moving:
        return None
    (room,) = found
    return room if room in visited else None


def _comes_back(frame: CallFrame, cluster: Set[Address]) -> bool:
    """True if a frame below a room is a call of, or by, the side in front of the door; a plain payment to it is not."""
    if frame.from_ in cluster:
        return True
    return frame.context in cluster and frame.code_hash is not None and bool(frame.input or not frame.value)
