from __future__ import annotations

import pytest

from gateway.devnet.chain import DevChain
from gateway.devnet.methods import Methods


class Clock:
    """Seconds that move only when told."""

    def __init__(self) -> None:
        self.now = 1_767_225_600.0

    def __call__(self) -> float:
        return self.now


@pytest.fixture
def clock() -> Clock:
    return Clock()


@pytest.fixture
def chain(clock: Clock) -> DevChain:
    return DevChain(clock)


@pytest.fixture
def methods(chain: DevChain) -> Methods:
    return Methods(chain)
