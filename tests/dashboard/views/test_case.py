from __future__ import annotations

import json
from dataclasses import replace
from datetime import timedelta
from typing import Any

import pytest

from dashboard.decisions import why_two
from gateway.model.case import Decision, OutboxOutcome
from gateway.model.primitive import Address
from gateway.model.quarantine import CaseState
from tests.dashboard.conftest import Desk
from tests.dashboard.scene import ATTACKER, case, finding, hold, many_frames, utc_now
from tests.dashboard.seed import seed_cases

OWNED = Address(b"\x42" * 20)


async def test_the_page_answers_the_five_questions(desk: Desk) -> None:
    await hold(desk.room, case(1, utc_now()))
    text = (await (await desk.signed_in("anna")).get("/cases/c-000001")).text
    for words in (
        "The price of USDC/WETH moved by 63 % and Harbour Lending lent 1,250,000 USDC",
        "confidence high; one detector did not finish",
        "+1,250,000 USDC",
        "−1,250,000 USDC",
        "Harbour Lending",
        "onFlashLoan",
        "failed: execution reverted",
        "implementation behind the proxy (ERC-1967)",
        "11 minutes ago",
        "A release needs two people",
    ):
        assert words in text, words


async def test_a_reject_needs_a_reason_and_is_recorded(desk: Desk) -> None:
    await hold(desk.room, case(1, utc_now()))
    visitor = await desk.signed_in("anna")
    refused = await visitor.post("/cases/c-000001/decide", target="REJECTED", reason="  ", seen=await _seen(desk))
    assert refused.status_code == 422
    done = await visitor.post("/cases/c-000001/decide", target="REJECTED", reason="a drain", seen=await _seen(desk))
    assert done.status_code == 303
    entry = await desk.room.record.case("c-000001")
    assert entry is not None
    assert (entry.state, entry.decided_by, entry.decision_reason) == (CaseState.REJECTED, "anna", "a drain")
    assert await desk.room.queue.case("c-000001") is None


async def test_the_second_analyst_is_told_that_the_first_was_faster(desk: Desk) -> None:
    await hold(desk.room, case(1, utc_now(), loss=5.0))
    anna, bela = await desk.signed_in("anna"), await desk.signed_in("bela")
    seen = await _seen(desk)
    assert (await anna.post("/cases/c-000001/decide", target="RELEASED", reason="ours", seen=seen)).status_code == 303
    late = await bela.post("/cases/c-000001/decide", target="REJECTED", reason="theirs", seen=seen)
    assert late.status_code == 409
    assert "already RELEASED by anna" in late.text


async def test_a_large_release_needs_two_people_and_a_fresh_confirmation(desk: Desk) -> None:
    await hold(desk.room, case(1, utc_now(), loss=250_000.0))
    anna, bela, seen = await desk.signed_in("anna"), await desk.signed_in("bela"), await _seen(desk)
    fields = {"target": "RELEASED", "reason": "the team confirmed it", "seen": seen}
    assert (await anna.post("/cases/c-000001/decide", **fields)).headers["location"].startswith("/step-up")
    await anna.step_up()
    assert (await anna.post("/cases/c-000001/decide", **fields)).status_code == 303
    assert await _state(desk) is CaseState.HELD
    assert (await anna.post("/cases/c-000001/decide", **fields)).status_code == 422  # her own second voice
    assert await _state(desk) is CaseState.HELD
    assert "Yours would be the second voice" in (await bela.get("/cases/c-000001")).text
    await bela.step_up()
    assert (await bela.post("/cases/c-000001/decide", **fields)).status_code == 303
    entry = await desk.room.record.case("c-000001")
    assert entry is not None
    assert (entry.state, entry.decided_by) == (CaseState.RELEASED, "anna")
    step = (await desk.room.record.history("c-000001"))[-1]
    assert (step.actor, step.second_actor) == ("anna", "bela")


@pytest.mark.parametrize("parts", [{"loss": None}, {"loss": 5.0, "unpriced": 1}])
async def test_a_release_of_what_has_no_price_needs_two_people(desk: Desk, parts: dict[str, Any]) -> None:
    await hold(desk.room, case(1, utc_now(), **parts))
    anna, seen = await desk.signed_in("anna"), await _seen(desk)
    fields = {"target": "RELEASED", "reason": "it is ours", "seen": seen}
    assert "has no price here" in (await anna.get("/cases/c-000001")).text
    await anna.step_up()
    assert (await anna.post("/cases/c-000001/decide", **fields)).status_code == 303
    assert await _state(desk) is CaseState.HELD
    entry = await desk.room.record.case("c-000001")
    assert entry is not None
    lenient = replace(desk.room, settings=desk.room.settings.model_copy(update={"two_person_unpriced": False}))
    assert await why_two(lenient, entry, CaseState.RELEASED) == ""
    assert await why_two(desk.room, entry, CaseState.REJECTED) == ""


async def test_a_release_on_findings_that_changed_is_refused(desk: Desk) -> None:
    await hold(desk.room, case(1, utc_now(), loss=1.0))
    anna = await desk.signed_in("anna")
    answer = await anna.post("/cases/c-000001/decide", target="RELEASED", reason="fine", seen="0" * 16)
    assert answer.status_code == 422
    assert "The findings changed" in answer.text
    assert await _state(desk) is CaseState.HELD


async def test_a_case_that_came_back_says_why_on_top(desk: Desk) -> None:
    entry = await hold(desk.room, case(1, utc_now()))
    anna = await desk.signed_in("anna")
    told = "It was released and came back"
    assert told not in (await anna.get("/cases/c-000001")).text
    await desk.room.record.decide(entry.case_id, Decision(CaseState.RELEASED, "anna", "x"))
    assert told not in (await anna.get("/cases/c-000001")).text
    (item,) = await desk.room.record.outbox_take()
    await desk.room.record.outbox_settle(
        item, OutboxOutcome.REOPENED, "the price was moved", expires_at=utc_now() + timedelta(hours=6)
    )
    text = (await anna.get("/cases/c-000001")).text
    assert told in text
    assert "the price was moved. Nothing was sent." in text


@pytest.mark.parametrize("name", ["vera", "petra"])
async def test_readers_cannot_decide_claim_or_mark(desk: Desk, name: str) -> None:
    await hold(desk.room, case(1, utc_now(), finding(victim=OWNED), to=OWNED))
    reader = await desk.signed_in(name)
    assert (await reader.get("/cases/c-000001")).status_code == 200
    for path, fields in (
        ("decide", {"target": "RELEASED", "reason": "x"}),
        ("assign", {"to": name}),
        ("extend", {"hours": "1", "reason": "x"}),
        ("marks", {"mark": "false-alarm", "reason": "x"}),
        ("withdraw", {}),
    ):
        assert (await reader.post(f"/cases/c-000001/{path}", **fields)).status_code == 403
    assert await _state(desk) is CaseState.HELD


async def test_a_protocols_account_reaches_nothing_but_its_own_cases(desk: Desk) -> None:
    entries = await seed_cases(desk.room, utc_now())
    own = await hold(desk.room, case(50, utc_now(), finding(victim=OWNED), to=OWNED))
    petra = await desk.signed_in("petra")
    assert (await petra.get(f"/cases/{own.case_id}")).status_code == 200
    for entry in entries:
        for part in ("", "/trace", "/trace.json"):
            assert (await petra.get(f"/cases/{entry.case_id}{part}")).status_code == 404
        assert (await petra.post(f"/cases/{entry.case_id}/notes", text="mine now")).status_code == 404
        assert (await petra.get(f"/queue?tab=all&q={entry.hash}")).text.count("data-row") == 0
    listed = (await petra.get("/queue?tab=all")).text
    assert listed.count("data-row") == 1
    grouped = (await petra.get("/queue?tab=all&view=groups")).text
    assert grouped.count('href="/queue?group=') == 1
    assert (await petra.get(f"/queue?group={entries[0].group}")).text.count("data-row") == 0
    for path in ("/overview", "/detectors", "/health", "/audit", "/audit.jsonl", "/users"):
        assert (await petra.get(path)).status_code == 403, path
    page = (await petra.get(f"/cases/{own.case_id}")).text
    assert "192.0.2.17" not in page  # who submitted it is not theirs to know
    assert not any(other.case_id in page for other in entries)


async def test_hostile_words_cannot_act_or_hide(desk: Desk) -> None:
    await seed_cases(desk.room, utc_now())
    visitor = await desk.signed_in("anna")
    for path in ("/cases/c-000010", "/queue?tab=all", "/queue?q=%3Cscript%3Ealert(1)%3C/script%3E", "/audit"):
        answer = await visitor.get(path)
        assert "<script>alert" not in answer.text
        assert "<img src=x" not in answer.text
        assert "<b>token" not in answer.text
        assert not set(answer.text) & set("\u202e\u200b\u2066"), path
        assert len(answer.content) < 500_000
    page = (await visitor.get("/cases/c-000010")).text
    assert "&lt;script&gt;" in page
    assert "U+202E" in page
    assert "A" * 5_000 not in page


async def test_claim_hand_over_and_give_back(desk: Desk) -> None:
    await hold(desk.room, case(1, utc_now()))
    anna = await desk.signed_in("anna")
    await anna.post("/cases/c-000001/assign", to="anna")
    assert (await desk.room.record.case("c-000001")).assigned_to == "anna"  # type: ignore[union-attr]
    assert "c-000001" in (await anna.get("/queue?who=me")).text
    assert (await anna.post("/cases/c-000001/assign", to="vera")).status_code == 422
    await anna.post("/cases/c-000001/assign", to="bela")
    await anna.post("/cases/c-000001/assign", to="")
    assert (await desk.room.record.case("c-000001")).assigned_to is None  # type: ignore[union-attr]


async def test_more_time_is_given_up_to_the_longest_hold(desk: Desk) -> None:
    before = await hold(desk.room, case(1, utc_now()))
    anna = await desk.signed_in("anna")
    assert (await anna.post("/cases/c-000001/extend", hours="2", reason="waiting for the team")).status_code == 303
    entry = await desk.room.record.case("c-000001")
    assert entry is not None
    assert (entry.expires_at - before.expires_at).total_seconds() == 7200
    await anna.post("/cases/c-000001/extend", hours="160", reason="more")
    entry = await desk.room.record.case("c-000001")
    assert entry is not None
    assert (entry.expires_at - entry.held_at).total_seconds() == 24 * 3600
    assert (await anna.post("/cases/c-000001/extend", hours="1", reason="more")).status_code == 422


async def test_marks_are_shown_counted_and_undone(desk: Desk) -> None:
    await hold(desk.room, case(1, utc_now()))
    anna = await desk.signed_in("anna")
    await anna.post("/cases/c-000001/marks", mark="confirmed-attack", reason="same as last week")
    await anna.post("/cases/c-000001/marks", mark="false-alarm", reason="it was a migration")
    (mark,) = (await desk.room.desk.marks(["c-000001"]))["c-000001"]
    assert mark.mark == "false-alarm"
    figures = {row.detector_id: row for row in await desk.room.detectors.get()}
    assert figures["price-manipulation"].false_alarms == 1
    await anna.post(f"/cases/c-000001/marks/{mark.id}/undo")
    assert await desk.room.desk.marks(["c-000001"]) == {}


async def test_notes_keep_their_lines_and_their_author(desk: Desk) -> None:
    await hold(desk.room, case(1, utc_now()))
    anna = await desk.signed_in("anna")
    await anna.post("/cases/c-000001/notes", text="first line\nsecond <b>line</b>")
    text = (await anna.get("/cases/c-000001")).text
    assert "first line\nsecond &lt;b&gt;line&lt;/b&gt;" in text


async def test_the_trace_downloads_as_geth_prints_it_and_is_searched(desk: Desk) -> None:
    await hold(desk.room, case(1, utc_now()))
    anna = await desk.signed_in("anna")
    root = json.loads((await anna.get("/cases/c-000001/trace.json")).content)
    assert root["type"] == "CALL"
    assert root["from"] == str(ATTACKER)
    assert root["calls"][0]["calls"][1]["calls"][0]["input"].startswith("0x022c0d9f")
    found = (await anna.get("/cases/c-000001/trace?q=borrow")).text
    assert "1 match" in found
    assert "frame=7#f7" in found
    assert (await anna.get("/cases/c-000001/trace?frame=99")).status_code == 404


async def test_ten_thousand_frames_are_a_small_page(desk: Desk) -> None:
    await hold(desk.room, case(1, utc_now(), trace=many_frames(10_000)))
    anna = await desk.signed_in("anna")
    page = await anna.get("/cases/c-000001")
    assert page.status_code == 200
    assert len(page.content) < 500_000
    assert "more calls under" in page.text
    tree = await anna.get("/cases/c-000001/trace")
    assert len(tree.content) < 500_000


async def _seen(desk: Desk) -> str:
    from dashboard.decisions import findings_seen

    entry = await desk.room.record.case("c-000001")
    assert entry is not None
    return findings_seen(entry)


async def _state(desk: Desk) -> CaseState:
    entry = await desk.room.record.case("c-000001")
    assert entry is not None
    return entry.state
