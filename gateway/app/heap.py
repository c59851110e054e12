"""The garbage collector of a process that serves: when it may walk over the heap."""

from __future__ import annotations

import gc

YOUNG = 50_000
"""objects made, less those freed, before young ones are looked at. An inspection of ten thousand frames makes some
hundred thousand tuples and no cycles, and all go when its last reference goes. At the usual 700 the collector walked
over them again and again: a quarter of the time of the longest inspections, a fortieth of common ones"""
MIDDLE, OLD = 20, 20


def settle() -> None:
    """Leave what is loaded by now out of every collection to come, and collect seldom."""
    gc.collect()
    gc.freeze()
    gc.set_threshold(YOUNG, MIDDLE, OLD)
