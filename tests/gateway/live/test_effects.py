from __future__ import annotations

from collections import Counter
from dataclasses import replace

from gateway.live.effects import Outline, difference
from gateway.model.primitive import ZERO_ADDRESS, Address
from gateway.model.trace import FrameKind, SimulationStatus

POOL, USER, TOKEN = (Address(bytes([number]) * 20) for number in (1, 2, 3))
PLAIN = Outline(
    status=SimulationStatus.SUCCESS,
    flows=frozenset({(TOKEN, USER, POOL)}),
    events=Counter({(TOKEN, b"transfer"): 1}),
    calls=Counter({(FrameKind.CALL, POOL, b"swap"): 1}),
    created=0,
)


def test_the_same_structure_is_no_difference() -> None:
    assert difference(PLAIN, replace(PLAIN)) is None


def test_value_that_newly_moves_comes_first_and_is_named() -> None:
    second = replace(
        PLAIN, status=SimulationStatus.HALTED, flows=PLAIN.flows | {(ZERO_ADDRESS, POOL, USER), (TOKEN, POOL, USER)}
    )
    found = difference(PLAIN, second)
    assert found is not None
    assert found.flows
    assert found.text == f"coins move from {POOL} to {USER} and 1 more, which they do not otherwise"


def test_other_structure_is_a_difference_without_flows() -> None:
    others = [
        replace(PLAIN, status=SimulationStatus.REVERTED),
        replace(PLAIN, created=1),
        replace(PLAIN, calls=Counter({(FrameKind.CALL, POOL, b"swap"): 2})),
        replace(PLAIN, events=Counter()),
        replace(PLAIN, flows=frozenset()),
    ]
    texts = set()
    for other in others:
        found = difference(PLAIN, other)
        assert found is not None
        assert not found.flows
        texts.add(found.text)
    assert len(texts) == len(others)
