"""The collector of a serving process."""

from __future__ import annotations

import gc
from collections.abc import Iterator

import pytest

from gateway.app.heap import settle


@pytest.fixture(autouse=True)
def as_before() -> Iterator[None]:
    usual = gc.get_threshold()
    yield
    gc.unfreeze()
    gc.set_threshold(*usual)


def test_an_inspection_of_many_frames_is_not_walked_over() -> None:
    settle()
    assert gc.get_freeze_count() > 10_000, "what is loaded by now stays out of every collection"
    before = [generation["collections"] for generation in gc.get_stats()]
    made = [(number,) for number in range(20_000)]
    assert [generation["collections"] for generation in gc.get_stats()] == before
    assert len(made) == 20_000


def test_cycles_are_still_found() -> None:
    settle()
    before = gc.get_stats()[0]["collections"]
    kept = [[number] for number in range(120_000)]
    assert gc.get_stats()[0]["collections"] > before
    assert kept
