"""Rules follow their files while the gateway runs."""

from __future__ import annotations

import asyncio
import os
from collections.abc import Callable
from pathlib import Path

from gateway.inspection.rules.shelf import RuleShelf
from gateway.inspection.rules.template import TEMPLATE
from gateway.tasks.rules import RuleKeeper


async def until(condition: Callable[[], bool]) -> None:
    for _ in range(2000):
        if condition():
            return
        await asyncio.sleep(0.01)
    raise AssertionError("it did not come to pass")


async def test_a_change_is_in_force_soon_and_a_wrong_one_is_told(tmp_path: Path) -> None:
    path = tmp_path / "vault.yaml"
    path.write_text(TEMPLATE, "utf-8")
    shelf = RuleShelf([tmp_path])
    keeper = RuleKeeper(shelf, interval=0.01)
    assert {reading.name: reading.value for reading in keeper.readings()} == {
        "stopgate_rules": 1,
        "stopgate_rules_refused": 0,
    }

    async def change(text: str, moment: int) -> None:
        path.write_text(text, "utf-8")
        os.utime(path, ns=(moment, moment))

    async with asyncio.TaskGroup() as group:
        running = group.create_task(keeper.run())
        first = shelf.book
        await change(TEMPLATE.replace("share > 1000", "share > 1500"), 10**18)
        await until(lambda: shelf.book is not first)
        second = shelf.book
        await change("no rule", 2 * 10**18)
        await until(lambda: shelf.problem is not None)
        assert shelf.book is second
        assert ("stopgate_rules_refused", 1.0) in {(reading.name, reading.value) for reading in keeper.readings()}
        running.cancel()
