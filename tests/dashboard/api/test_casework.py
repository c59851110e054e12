from __future__ import annotations

from gateway.model.account import Mark, Permission
from gateway.model.quarantine import CaseState
from tests.dashboard.api.test_routes import token_client
from tests.dashboard.conftest import Desk
from tests.dashboard.scene import case, hold, utc_now
from tests.dashboard.seed import seed_work

BASE = "/api/v1/cases/c-000001"


async def test_a_run_is_asked_for_and_read_beside_the_verdict(desk: Desk) -> None:
    entry = await hold(desk.room, case(1, utc_now()))
    await seed_work(desk.room, entry)
    judge = await token_client(desk, "anna", Permission.READ, Permission.DECIDE)
    done = (await judge.get(f"{BASE}/runs/1")).json()
    assert done["new"] == ["abnormal-outflow"]
    assert done["gone"] == []
    assert any(not row["same"] for row in done["balances"])
    asked = await judge.post(f"{BASE}/runs", json={"timestamp": 1_800_000_000, "base_fee": "7"})
    assert asked.status_code == 202
    waiting = (await judge.get(f"{BASE}/runs/{asked.json()['id']}")).json()
    assert (waiting["changes"]["base_fee"], waiting["finished_at"], waiting["findings"]) == ("7", None, None)
    assert [run["id"] for run in (await judge.get(f"{BASE}/runs")).json()] == [asked.json()["id"], 1]
    assert (await judge.get(f"{BASE}/runs/99")).status_code == 404
    for _ in range(2):
        assert (await judge.post(f"{BASE}/runs", json={})).status_code == 202
    assert (await judge.post(f"{BASE}/runs", json={})).status_code == 429
    assert (await judge.post(f"{BASE}/runs", json={"base_fee": "0x7"})).status_code == 422
    reader = await token_client(desk, "anna", Permission.READ)
    assert (await reader.post(f"{BASE}/runs", json={})).status_code == 403


async def test_an_appeal_is_read_and_answered_once(desk: Desk) -> None:
    entry = await hold(desk.room, case(1, utc_now()))
    await desk.room.appeals.add(entry, "let me through", "message", "0x00")
    judge = await token_client(desk, "anna", Permission.READ, Permission.DECIDE)
    (appeal,) = (await judge.get(f"{BASE}/appeals")).json()
    assert (appeal["text"], appeal["sender"], appeal["answer"]) == ("let me through", str(entry.sender), None)
    where = f"{BASE}/appeals/{appeal['id']}/answer"
    assert (await judge.post(where, json={"text": ""})).status_code == 422
    assert (await judge.post(where, json={"text": "we called you"})).status_code == 204
    assert (await judge.post(where, json={"text": "again"})).status_code == 409
    assert (await judge.post(f"{BASE}/appeals/99/answer", json={"text": "x"})).status_code == 404
    (answered,) = (await judge.get(f"{BASE}/appeals")).json()
    assert (answered["answer"], answered["answered_by"]) == ("we called you", "anna")


async def test_a_file_is_put_beside_a_case_sent_and_taken_away(desk: Desk) -> None:
    await hold(desk.room, case(1, utc_now()))
    writer = await token_client(desk, "petra", Permission.READ, Permission.NOTE)
    assert (await writer.post(f"{BASE}/attachments?name=a.txt", content=b"x")).status_code == 404
    anna = await token_client(desk, "anna", Permission.READ, Permission.NOTE)
    assert (await anna.post(f"{BASE}/attachments?name=call.txt", content=b"They know.")).status_code == 204
    assert (await anna.post(f"{BASE}/attachments?name=page.html", content=b"<p>")).status_code == 422
    assert (await anna.post(f"{BASE}/attachments?name=a.txt", content=b"x" * (5 * 2**20 + 1))).status_code == 413
    (kept,) = (await anna.get(f"{BASE}/attachments")).json()
    assert (kept["name"], kept["size"], kept["author"]) == ("call.txt", 10, "anna")
    sent = await anna.get(f"{BASE}/attachments/{kept['id']}")
    assert sent.content == b"They know."
    assert sent.headers["content-disposition"].startswith("attachment")
    assert "sandbox" in sent.headers["content-security-policy"]
    assert (await anna.delete(f"{BASE}/attachments/{kept['id']}")).status_code == 204
    assert (await anna.get(f"{BASE}/attachments/{kept['id']}")).status_code == 404
    assert (await anna.delete(f"{BASE}/attachments/{kept['id']}")).status_code == 409


async def test_notes_marks_and_a_first_voice_are_read_and_taken_back(desk: Desk) -> None:
    await hold(desk.room, case(1, utc_now()))
    await desk.room.desk.ask("c-000001", CaseState.RELEASED, "bela", "ours")
    await desk.room.desk.mark("c-000001", Mark.CONFIRMED, "bela", "a drain")
    judge = await token_client(desk, "anna", Permission.READ, Permission.NOTE, Permission.DECIDE)
    assert (await judge.post(f"{BASE}/notes", json={"text": "called them"})).status_code == 204
    (note,) = (await judge.get(f"{BASE}/notes")).json()
    assert (note["author"], note["text"]) == ("anna", "called them")
    (mark,) = (await judge.get(f"{BASE}/marks")).json()
    assert (mark["mark"], mark["actor"]) == ("confirmed-attack", "bela")
    assert (await judge.delete(f"{BASE}/marks/{mark['id']}")).status_code == 204
    assert (await judge.delete(f"{BASE}/marks/{mark['id']}")).status_code == 404
    assert (await judge.get(f"{BASE}/marks")).json() == []
    assert (await judge.delete(f"{BASE}/first-voice")).status_code == 204
    assert (await judge.delete(f"{BASE}/first-voice")).status_code == 404
