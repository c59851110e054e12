from __future__ import annotations

import pytest

from gateway.evaluate.guise import GuiseBoard
from gateway.evaluate.vary import Comparison

STRIKE = Comparison("theft", "wrapped", "", True, False, frozenset({"round-trip"}), frozenset())
VISIT = Comparison("visit", "wrapped", "", False, False, frozenset(), frozenset())


@pytest.mark.parametrize(
    ("honest", "command"),
    [
        ((), "evaluate ../shared/corpus --vary --write"),
        ((VISIT,), "evaluate ../shared/corpus --benign ../shared/benign --vary --write"),
    ],
)
def test_the_page_says_how_it_was_made_and_what_changed(honest: tuple[Comparison, ...], command: str) -> None:
    page = GuiseBoard((STRIKE,), honest, engine="revm", ruleset_hash="abc").page()
    assert command in page
    assert "- theft, wrapped: held no more; fell silent: round-trip; newly spoke: nobody" in page
