"""Which rules whom: all for those who oversee, a protocol's own for the protocol."""

from __future__ import annotations

from dataclasses import replace
from datetime import timedelta

from dashboard.rulebook import rules_of
from tests.dashboard.conftest import Desk
from tests.dashboard.scene import case, finding, hold, utc_now
from tests.dashboard.seed import rules_told, seed_rules


async def test_gateways_that_differ_are_named_and_silent_ones_do_not_speak(desk: Desk) -> None:
    room, now = desk.room, utc_now()
    anna = (await room.people.credentials("anna")).account  # type: ignore[union-attr]
    told = rules_told(now)
    await room.rulebook.publish(told, {})
    await room.rulebook.publish(replace(told, replica="two:8"), {})
    assert (await rules_of(room, anna)).agree
    gone = replace(told, replica="old:1", at=now - timedelta(minutes=5), ruleset="0" * 16, rules=())
    await room.rulebook.publish(gone, {})
    found = await rules_of(room, anna)
    assert found.agree
    assert [(each.told.replica, each.silent) for each in found.gateways] == [
        ("harbour-gw:7", False), ("old:1", True), ("two:8", False),
    ]  # fmt: skip
    first, *others = told.rules
    newer = replace(told, replica="two:8", ruleset="1" * 16, since=now, rules=(replace(first, mode="off"), *others))
    await room.rulebook.publish(newer, {})
    found = await rules_of(room, anna)
    assert not found.agree
    assert {row.rule.id: row.missing_at for row in found.rows if row.missing_at} == {first.id: ("harbour-gw:7",)}
    assert next(row.rule.mode for row in found.rows if row.rule.id == first.id) == "off"


async def test_a_protocol_sees_the_rules_of_its_own_contracts_and_no_figures(desk: Desk) -> None:
    await seed_rules(desk.room)
    petra = (await desk.room.people.credentials("petra")).account  # type: ignore[union-attr]
    found = await rules_of(desk.room, petra)
    assert [row.rule.id for row in found.rows] == ["petras-vault-exit"]
    assert found.gateways == ()
    text = (await (await desk.signed_in("petra")).get("/rules")).text
    assert "petras-vault-exit" in text
    for foreign in ("harbour-pool-skew", "rules/", "harbour-gw", "no such word"):
        assert foreign not in text


async def test_the_page_tells_what_holds_what_is_wrong_and_what_came_of_it(desk: Desk) -> None:
    await hold(desk.room, case(1, utc_now(), finding("harbour-pool-skew")))
    empty = (await (await desk.signed_in("vera")).get("/rules")).text
    assert "No gateway has told of its rules" in empty
    await seed_rules(desk.room)
    text = (await (await desk.signed_in("anna")).get("/rules")).text
    assert "no such word" in text
    assert ">expired<" in text
    assert "/queue?tab=all&amp;detector=harbour-pool-skew" in text
    assert '<td class="number">1,204<br>' in text
    assert "&lt;script&gt;" in text
    assert "<script>alert" not in text
