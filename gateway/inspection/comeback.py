"""Edges of re-entrancy: frames on an account that was open already, whoever led the way back."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Iterator

from gateway.model.facts import Comeback
from gateway.model.primitive import Address
from gateway.model.trace import CallFrame


def comebacks(frames: Iterable[CallFrame]) -> Iterator[Comeback]:
    """Every return into an open account with another account in between, in the order of entry; linear."""
    stack: list[tuple[int, Address | None, int]] = []
    """(frame, account, position where its unbroken run of frames begins)"""
    open_at: dict[Address, list[int]] = defaultdict(list)
    for frame in frames:
        while stack and stack[-1][0] != frame.parent:
            left = stack.pop()[1]
            if left is not None:
                open_at[left].pop()
        account, position = frame.context, len(stack)
        run = stack[-1][2] if stack and stack[-1][1] == account else position
        if account is not None:
            entered = open_at[account]
            if entered and entered[0] < run:
                yield Comeback(account, stack[entered[0]][0], frame.index)
            entered.append(position)
        stack.append((frame.index, account, run))
