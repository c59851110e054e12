from __future__ import annotations

from datetime import timedelta

from gateway.model.account import Permission
from tests.dashboard.conftest import Desk
from tests.dashboard.seed import seed_rules


async def answer_for(desk: Desk, name: str, *scopes: Permission) -> dict[str, list[dict[str, object]]]:
    account = (await desk.room.people.credentials(name)).account  # type: ignore[union-attr]
    text = await desk.room.sign_in.issue_api_token(account, "t", set(scopes), lasts=timedelta(days=1), actor="otto")
    answer = await desk.visitor().client.get("/api/v1/rules", headers={"authorization": f"Bearer {text}"})
    assert answer.status_code == 200, answer.text
    found: dict[str, list[dict[str, object]]] = answer.json()
    return found


async def test_rules_and_gateways_by_scope(desk: Desk) -> None:
    await seed_rules(desk.room)
    whole = await answer_for(desk, "anna", Permission.READ, Permission.OVERSEE)
    by_id = {rule["id"]: rule for rule in whole["rules"]}
    assert by_id["harbour-pool-skew"]["hits"] == 1204
    assert by_id["harbour-pool-skew"]["source"] == "rules/harbour.yaml:1"
    assert by_id["old-campaign"]["expired"] is True
    (gateway,) = whole["gateways"]
    assert (gateway["name"], gateway["rules"]) == ("harbour-gw:7", len(by_id))
    assert "no such word" in str(gateway["problem"])
    read_only = await answer_for(desk, "anna", Permission.READ)
    assert {rule["id"] for rule in read_only["rules"]} == set(by_id)
    assert read_only["gateways"] == []
    assert {rule["source"] for rule in read_only["rules"]} == {""}
    own = await answer_for(desk, "petra", Permission.READ)
    assert [rule["id"] for rule in own["rules"]] == ["petras-vault-exit"]
