"""What people are told of the rules is what the gateway goes by, and every hit is told once."""

from __future__ import annotations

import asyncio
import os
from collections.abc import Mapping
from pathlib import Path

import pytest

from gateway.errors import RecordUnavailable
from gateway.inspection.registry import load
from gateway.inspection.rules.template import TEMPLATE
from gateway.model.rulebook import RulesInForce
from gateway.store.database import Database
from gateway.store.knowledge.rulebook import PublishedRules
from gateway.tasks.rulebook import RulePublisher
from tests.cases import NOON, Clock


class Failing(PublishedRules):
    """Away while `away` is set."""

    away = False

    async def publish(self, told: RulesInForce, spoke: Mapping[str, int]) -> None:
        if self.away:
            raise RecordUnavailable("the database is away")
        await super().publish(told, spoke)


async def test_news_is_told_at_once_and_the_rest_once_a_minute(
    database: Database, clock: Clock, tmp_path: Path
) -> None:
    path = tmp_path / "vault.yaml"
    path.write_text(TEMPLATE, "utf-8")
    ruleset, rules = load(rules=[tmp_path]), Failing(database, now=clock)
    publisher = RulePublisher(ruleset, rules, "one:7", now=clock)
    assert await publisher.once()
    (told,) = await rules.in_force()
    assert (told.ruleset, told.since, told.problem, told.detectors) == (
        ruleset.hash,
        NOON,
        None,
        len(ruleset.detectors),
    )
    assert [package.split()[0] for package in told.packages] == ["stopgate"]
    ((rule,), (book,)) = told.rules, ruleset.shelf.book.rules
    assert (rule.id, rule.mode, rule.tests) == (book.id, "shadow", len(book.trials))
    assert set(rule.contracts) == book.scope.contracts
    clock.forward(seconds=30)
    assert not await publisher.once()
    clock.forward(seconds=30)
    assert await publisher.once()

    path.write_text("no rule", "utf-8")
    os.utime(path, ns=(10**18, 10**18))
    ruleset.shelf.refresh()
    clock.forward(seconds=2)
    assert await publisher.once()
    (told,) = await rules.in_force()
    assert (len(told.rules), told.since, told.problem_since) == (1, NOON, clock())
    assert "vault.yaml" in (told.problem or "")

    path.write_text(TEMPLATE.replace("share > 1000", "share > 1500"), "utf-8")
    os.utime(path, ns=(2 * 10**18, 2 * 10**18))
    assert ruleset.shelf.refresh()
    clock.forward(seconds=2)
    assert await publisher.once()
    (told,) = await rules.in_force()
    assert (told.problem, told.problem_since, told.since, told.ruleset) == (None, None, clock(), ruleset.hash)


async def test_a_hit_is_counted_once_even_if_the_record_was_away(database: Database, clock: Clock) -> None:
    ruleset, rules = load(), Failing(database, now=clock)
    publisher = RulePublisher(ruleset, rules, "one:7", now=clock)
    ruleset.shelf.fired["vault-exit"] = 2
    rules.away = True
    with pytest.raises(RecordUnavailable):
        await publisher.once()
    ruleset.shelf.fired["vault-exit"] += 1
    rules.away = False
    assert await publisher.once()
    assert not await publisher.once()
    ruleset.shelf.fired["vault-exit"] += 4
    assert await publisher.once()
    assert (await rules.hits())["vault-exit"].hits == 7


async def test_a_process_that_ends_in_order_takes_back_what_it_told(database: Database, clock: Clock) -> None:
    rules = Failing(database, now=clock)
    publisher = RulePublisher(load(), rules, "one:7", now=clock)
    rules.away = True
    async with asyncio.TaskGroup() as group:
        running = group.create_task(publisher.run(interval=0.01))
        await asyncio.sleep(0.05)
        assert await rules.in_force() == []
        rules.away = False
        for _ in range(500):
            if await rules.in_force():
                break
            await asyncio.sleep(0.01)
        assert [told.replica for told in await rules.in_force()] == ["one:7"]
        running.cancel()
    assert await rules.in_force() == []
