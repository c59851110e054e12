from __future__ import annotations

from datetime import date, timedelta

import pytest

from gateway.model.published import Counted, coarse, publish


@pytest.mark.parametrize(("count", "told"), [(0, None), (1, None), (9, None), (10, 10), (19, 10), (20, 20), (999, 990)])
def test_counts_are_told_in_tens_and_small_ones_not_at_all(count: int, told: int | None) -> None:
    assert coarse(count) == told


@pytest.mark.parametrize(
    ("decisions", "minutes", "within"),
    [(9, 3, None), (10, 3, 5), (10, 5, 5), (50, 6, 15), (50, 700, 720), (50, 10**6, 10080)]
)  # fmt: skip
def test_the_median_is_told_as_the_next_step_and_only_of_enough(
    decisions: int, minutes: int, within: int | None
) -> None:
    day = date(2026, 3, 1)
    counted = Counted(day, day, 0, 0, 0, 0, 0, decisions, timedelta(minutes=minutes))
    expected = None if within is None else timedelta(minutes=within)
    assert publish(counted).median_within == expected
