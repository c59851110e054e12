from __future__ import annotations

import asyncio
from dataclasses import replace
from datetime import date, timedelta

from gateway.model.finding import Confidence, Severity
from gateway.model.rulebook import PublishedRule, RuleHits, RulesInForce
from gateway.store.database import Database
from gateway.store.knowledge.rulebook import PublishedRules
from tests.cases import NOON, ROUTER, Clock

RULE = PublishedRule(
    id="vault-exit", title="More than a tenth leaves", owner="Vault <team@vault.example>", mode="enforce",
    status="stable", severity=Severity.HIGH, confidence=Confidence.MEDIUM, contracts=(ROUTER,),
    selectors=("0x2e1a7d4d",), chains=(8453,), expires=date(2027, 6, 30), tests=2, source="rules/vault.yaml:1",
)  # fmt: skip
TOLD = RulesInForce(
    "one:7", NOON, "cd1ed9b19a0fba7e", ("stopgate 0.1.0", "acme 1.2"), 34,
    (RULE, replace(RULE, id="mint-cap", contracts=(), selectors=(), chains=(), expires=None)), NOON,
)  # fmt: skip


async def test_what_a_process_says_takes_the_place_of_what_it_said(database: Database, clock: Clock) -> None:
    rules = PublishedRules(database, now=clock)
    await rules.publish(TOLD, {})
    await rules.publish(replace(TOLD, replica="two:8"), {})
    wrong = replace(TOLD, rules=(RULE,), problem="rules/vault.yaml:3: no such word", problem_since=NOON)
    await rules.publish(wrong, {})
    assert await rules.in_force() == [wrong, replace(TOLD, replica="two:8")]
    await rules.leave("one:7")
    assert [told.replica for told in await rules.in_force()] == ["two:8"]


async def test_who_is_silent_long_is_dropped_by_the_next_that_speaks(database: Database, clock: Clock) -> None:
    rules = PublishedRules(database, now=clock)
    await rules.publish(TOLD, {})
    clock.forward(minutes=11)
    assert len(await rules.in_force()) == 1, "while nobody speaks, what was in force last is still shown"
    await rules.publish(replace(TOLD, replica="two:8", at=clock()), {})
    await rules.forget()
    assert [told.replica for told in await rules.in_force()] == ["two:8"]


async def test_hits_of_all_gateways_add_up_over_a_day(database: Database, clock: Clock) -> None:
    rules = PublishedRules(database, now=clock)
    await rules.publish(TOLD, {"vault-exit": 3})
    clock.forward(hours=20)
    two = replace(TOLD, replica="two:8")
    await asyncio.gather(rules.publish(TOLD, {"vault-exit": 2, "mint-cap": 1}), rules.publish(two, {"vault-exit": 40}))
    assert await rules.hits() == {
        "vault-exit": RuleHits("vault-exit", 45, clock()),
        "mint-cap": RuleHits("mint-cap", 1, clock()),
    }
    clock.forward(hours=5)
    assert (await rules.hits())["vault-exit"].hits == 42
    clock.forward(hours=20)
    assert await rules.hits() == {}
    assert (await rules.hits(timedelta(days=30)))["vault-exit"].hits == 45
    clock.forward(days=31)
    await rules.forget()
    assert await rules.hits(timedelta(days=90)) == {}
