from __future__ import annotations

import re
from dataclasses import replace

import httpx
import pytest

from gateway.model.facts import Facts, TokenStandard, Transfer
from gateway.model.finding import Severity
from gateway.model.quarantine import QuarantineEntry
from gateway.store.casework.evidence import MOST_BYTES, MOST_FILES
from tests.dashboard.conftest import ORIGIN, Desk, Visitor
from tests.dashboard.scene import ATTACKER, HELPER, LENDER, USDC, case, finding, hold, utc_now

PNG = b"\x89PNG\r\n\x1a\n" + bytes(40)


async def _ask(visitor: Visitor, **fields: str) -> str:
    await visitor.get("/cases/c-000001")
    answer = await visitor.post("/cases/c-000001/runs", **fields)
    assert answer.status_code == 303, answer.text
    return str(answer.headers["location"])


async def _carry_out(desk: Desk, entry: QuarantineEntry) -> None:
    """As the gateway does: another finding, and the lender loses less."""
    made, detail = case(1, utc_now(), finding(), finding("takeover", title="It takes over", severity=Severity.HIGH))
    facts = Facts((Transfer(4, 9, TokenStandard.ERC20, USDC, LENDER, ATTACKER, 400_000 * 10**6),))
    (run,) = await desk.room.runs.take()
    await desk.room.runs.finish(run, made.verdict, replace(detail, facts=facts))


async def test_a_run_at_the_head_is_shown_beside_the_first_verdict(desk: Desk) -> None:
    entry = await hold(desk.room, case(1, utc_now(), loss=5.0))
    anna = await desk.signed_in("anna")
    where = await _ask(anna)
    waiting = (await anna.get(where)).text
    assert 'http-equiv="refresh"' in waiting
    await _carry_out(desk, entry)
    shown = (await anna.get(where)).text
    assert 'http-equiv="refresh"' not in shown
    assert "1 finding that the case does not have" in shown
    assert "It takes over" in shown
    assert "−1,250,000 USDC" in shown
    assert "−400,000 USDC" in shown
    case_page = (await anna.get("/cases/c-000001")).text
    assert "The head has moved on" in case_page
    assert "1 new" in case_page


async def test_a_changed_block_reaches_the_gateway_as_it_was_written(desk: Desk) -> None:
    await hold(desk.room, case(1, utc_now()))
    anna = await desk.signed_in("anna")
    where = await _ask(anna, timestamp="1800000000", number="12", base_fee="7", coinbase=str(HELPER), prev_randao="")
    (run,) = await desk.room.runs.take()
    assert (run.changes.timestamp, run.changes.number, run.changes.base_fee) == (1_800_000_000, 12, 7)
    assert (run.changes.coinbase, run.changes.prev_randao) == (HELPER, None)
    assert not await desk.room.runs.take()  # leased
    await desk.room.runs.fail(run, "nothing is <known>")
    shown = (await anna.get(where)).text
    assert "nothing is &lt;known&gt;" in shown
    assert "1800000000" in shown


@pytest.mark.parametrize(
    "fields",
    [{"timestamp": "-1"}, {"number": "1e9"}, {"coinbase": "0x12"}, {"prev_randao": "x"}, {"base_fee": "9" * 40}],
)
async def test_a_block_that_cannot_be_is_refused(desk: Desk, fields: dict[str, str]) -> None:
    await hold(desk.room, case(1, utc_now()))
    anna = await desk.signed_in("anna")
    assert (await anna.post("/cases/c-000001/runs", **fields)).status_code == 422


async def test_runs_are_for_those_who_decide_and_a_few_at_a_time(desk: Desk) -> None:
    await hold(desk.room, case(1, utc_now()))
    vera, anna = await desk.signed_in("vera"), await desk.signed_in("anna")
    assert (await vera.post("/cases/c-000001/runs")).status_code == 403
    codes = [(await anna.post("/cases/c-000001/runs")).status_code for _ in range(4)]
    assert codes == [303, 303, 303, 429]


async def _upload(visitor: Visitor, name: str, data: bytes, case_id: str = "c-000001") -> httpx.Response:
    headers = {"sec-fetch-site": "same-origin", "origin": ORIGIN}
    return await visitor.client.post(
        f"/cases/{case_id}/attachments", data={"csrf": visitor.token}, files={"file": (name, data)}, headers=headers
    )


async def test_a_file_is_kept_sent_as_a_download_and_taken_away(desk: Desk) -> None:
    await hold(desk.room, case(1, utc_now()))
    anna = await desk.signed_in("anna")
    assert (await _upload(anna, "../../pro\u202eof <1>.png", PNG)).status_code == 303
    page = (await anna.get("/cases/c-000001")).text
    path = re.search(r'href="(/cases/c-000001/attachments/\d+)"', page)[1]  # type: ignore[index]
    sent = await anna.get(path)
    assert sent.content == PNG
    assert sent.headers["content-type"] == "application/octet-stream"
    assert sent.headers["content-disposition"] == "attachment; filename*=UTF-8''proof%20_1_.png"
    assert "sandbox" in sent.headers["content-security-policy"]
    assert sent.headers["x-content-type-options"] == "nosniff"
    vera, petra = await desk.signed_in("vera"), await desk.signed_in("petra")
    assert (await vera.post(path + "/remove")).status_code == 403
    assert (await petra.get(path)).status_code == 404
    assert (await anna.post(path + "/remove")).status_code == 303
    assert (await anna.get(path)).status_code == 404
    steps = [record.detail for record in await desk.room.audit.records(subject="c-000001")][1:]
    assert [step["step"] for step in steps] == ["attachment", "attachment removed"]
    assert steps[0]["sha256"] == steps[1]["sha256"]


@pytest.mark.parametrize(
    ("name", "data"),
    [
        ("page.html", b"<script>1</script>"),
        ("picture.svg", b"<svg/>"),
        ("picture.png", b"<html>"),
        ("text.txt", b"\xff\xfe"),
        ("empty.txt", b""),
        ("png", PNG),
        (".png", PNG),
    ],
)
async def test_other_files_are_refused(desk: Desk, name: str, data: bytes) -> None:
    await hold(desk.room, case(1, utc_now()))
    assert (await _upload(await desk.signed_in("anna"), name, data)).status_code == 422
    assert not await desk.room.evidence.attachments("c-000001")


async def test_files_are_bounded_in_size_and_number(desk: Desk) -> None:
    await hold(desk.room, case(1, utc_now()))
    anna = await desk.signed_in("anna")
    assert (await _upload(anna, "large.txt", b"x" * (MOST_BYTES + 1))).status_code in (413, 422)
    assert (await _upload(anna, "larger.txt", b"x" * (MOST_BYTES + 100_000))).status_code == 413
    codes = [(await _upload(anna, f"{number}.txt", b"x")).status_code for number in range(MOST_FILES + 1)]
    assert codes == [303] * MOST_FILES + [422]


async def test_a_file_needs_the_sessions_own_token(desk: Desk) -> None:
    await hold(desk.room, case(1, utc_now()))
    anna = await desk.signed_in("anna")
    anna.token = "0" * 32
    assert (await _upload(anna, "a.txt", b"x")).status_code == 403


async def test_who_is_named_in_a_note_sees_it_until_he_opens_the_case(desk: Desk) -> None:
    await hold(desk.room, case(1, utc_now()))
    anna, bela = await desk.signed_in("anna"), await desk.signed_in("bela")
    await anna.post("/cases/c-000001/notes", text="@bela, @nobody and @anna: mail me@lena.example <i>now</i>")
    assert "You are named" not in (await anna.get("/queue")).text
    shown = (await bela.get("/queue")).text
    assert "You are named" in shown
    assert "&lt;i&gt;now" in shown
    assert "You are named" not in (await (await desk.signed_in("lena")).get("/queue")).text
    await bela.get("/cases/c-000001")
    assert "You are named" not in (await bela.get("/queue")).text
