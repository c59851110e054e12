from __future__ import annotations

import re
from datetime import timedelta

from dashboard.decisions import findings_seen
from gateway.model.quarantine import CaseState
from tests.dashboard.conftest import Desk
from tests.dashboard.scene import ATTACKER, LENDER, TOKENS, USDC, WETH, case, finding, hold, utc_now
from tests.dashboard.seed import seed_cases


def _order(text: str) -> list[str]:
    return re.findall(r'class="title" href="/cases/(c-\d+)"', text)


async def test_most_at_stake_comes_first_and_other_orders_are_links(desk: Desk) -> None:
    await seed_cases(desk.room, utc_now())
    visitor = await desk.signed_in("vera")
    first = _order((await visitor.get("/queue")).text)
    assert first[:2] == ["c-000001", "c-000002"]
    assert len(first) == 9
    assert _order((await visitor.get("/queue?order=expiry")).text)[0] == "c-000002"
    assert _order((await visitor.get("/queue?tab=deferred")).text) == ["c-000011"]


async def test_filters_search_and_folding(desk: Desk) -> None:
    entries = await seed_cases(desk.room, utc_now())
    visitor = await desk.signed_in("vera")
    assert _order((await visitor.get(f"/queue?q={entries[3].hash}")).text) == [entries[3].case_id]
    assert len(_order((await visitor.get(f"/queue?q={ATTACKER}&tab=all")).text)) == 10
    assert _order((await visitor.get("/queue?severity=critical")).text) == ["c-000001"]
    assert len(_order((await visitor.get("/queue?q=allowance-drain")).text)) == 4
    assert "<strong>4</strong> look-alikes" in (await visitor.get("/queue?view=groups")).text
    assert "Nothing matches this search" in (await visitor.get("/queue?q=0xdoesnotexist")).text


async def test_pages_follow_each_other_without_gaps(desk: Desk) -> None:
    now = utc_now()
    for number in range(1, 62):
        await hold(desk.room, case(number, now, loss=float(number)))
    visitor = await desk.signed_in("vera")
    first = (await visitor.get("/queue")).text
    following = re.search(r'rel="next" href="([^"]+)"', first)
    assert following
    assert "1 to 50 of 61" in first
    second = (await visitor.get(following[1].replace("&amp;", "&"))).text
    assert sorted(_order(first) + _order(second)) == [f"c-{number:06d}" for number in range(1, 62)]


async def test_odd_parameters_do_no_harm(desk: Desk) -> None:
    await hold(desk.room, case(1, utc_now()))
    visitor = await desk.signed_in("vera")
    for query in (
        "offset=-1",
        "offset=99999999999999999999",
        "tab=%00",
        "order=x",
        "severity=../..",
        "q=%27%20OR%201=1",
    ):
        assert (await visitor.get(f"/queue?{query}")).status_code == 200, query


async def test_a_mass_rejection_is_previewed_confirmed_and_done(desk: Desk) -> None:
    await seed_cases(desk.room, utc_now())
    lena = await desk.signed_in("lena")
    preview = await lena.post("/queue/preview", target="REJECTED", case=["c-000003", "c-000004"])
    assert "Reject 2 cases?" in preview.text
    assert "42 k USD" in preview.text
    assert (await desk.room.record.case("c-000003")).state is CaseState.HELD  # type: ignore[union-attr]
    fields = {"target": "REJECTED", "case": ["c-000003", "c-000004"], "reason": "one drainer"}
    assert (await lena.post("/queue/decide", **fields)).headers["location"].startswith("/step-up")
    await lena.step_up()
    assert (await lena.post("/queue/decide", **fields)).status_code == 200
    for case_id in ("c-000003", "c-000004"):
        assert (await desk.room.record.case(case_id)).state is CaseState.REJECTED  # type: ignore[union-attr]
    assert (await desk.room.record.case("c-000005")).state is CaseState.HELD  # type: ignore[union-attr]


async def test_a_mass_release_needs_two_people_even_for_small_ones(desk: Desk) -> None:
    await seed_cases(desk.room, utc_now())
    lena, otto = await desk.signed_in("lena"), await desk.signed_in("otto")
    fields = {"target": "RELEASED", "case": ["c-000003", "c-000004"], "reason": "an airdrop"}
    await lena.step_up()
    await lena.post("/queue/decide", **fields)
    assert (await desk.room.record.case("c-000003")).state is CaseState.HELD  # type: ignore[union-attr]
    assert len(_order((await otto.get("/queue?tab=voice")).text)) == 2
    await otto.step_up()
    await otto.post("/queue/decide", **fields)
    assert (await desk.room.record.case("c-000003")).state is CaseState.RELEASED  # type: ignore[union-attr]


async def test_analysts_cannot_decide_many_at_once(desk: Desk) -> None:
    await seed_cases(desk.room, utc_now())
    anna = await desk.signed_in("anna")
    assert (await anna.post("/queue/preview", target="REJECTED", case=["c-000003"])).status_code == 403
    assert (await anna.post("/queue/decide", target="REJECTED", case=["c-000003"], reason="x")).status_code == 403


async def test_a_view_is_kept_used_and_forgotten_by_its_owner_alone(desk: Desk) -> None:
    anna, bela = await desk.signed_in("anna"), await desk.signed_in("bela")
    await anna.post("/queue/views", name="grave ones", query="severity=critical")
    text = (await anna.get("/queue")).text
    assert 'href="/queue?severity=critical"' in text
    (view,) = await desk.room.desk.views((await desk.room.people.credentials("anna")).account)  # type: ignore[union-attr]
    await bela.post(f"/queue/views/{view.id}/drop")
    assert "grave ones" in (await anna.get("/queue")).text
    await anna.post(f"/queue/views/{view.id}/drop")
    assert "grave ones" not in (await anna.get("/queue")).text


async def test_what_ends_soon_is_said_above_the_list_to_those_who_decide(desk: Desk) -> None:
    entry = await hold(desk.room, case(1, utc_now(), left=timedelta(minutes=11)))
    await hold(desk.room, case(2, utc_now(), left=timedelta(hours=4)))
    anna, vera = await desk.signed_in("anna"), await desk.signed_in("vera")
    said = "1 held case ends within 30 minutes"
    assert said in (await anna.get("/queue")).text
    assert said not in (await anna.get("/queue?order=expiry")).text
    assert said not in (await vera.get("/queue")).text
    fields = {"target": "REJECTED", "reason": "a drain", "seen": findings_seen(entry)}
    assert (await anna.post("/cases/c-000001/decide", **fields)).status_code == 303
    page = (await anna.get("/queue")).text
    assert said not in page
    assert 'Held <span class="count">1</span>' in page  # counted again at once, not from what was remembered


async def test_the_list_tells_amounts_in_the_tokens_own_unit(desk: Desk) -> None:
    told = finding(summary=f"{LENDER} lost 1250000000000 units of {USDC}; {WETH} is not known.")
    await hold(desk.room, case(1, utc_now(), told))
    anna = await desk.signed_in("anna")
    assert "1250000000000 units of" in (await anna.get("/queue")).text
    await desk.room.tokens.learn("c-000001", {USDC: TOKENS[USDC]})
    text = (await anna.get("/queue")).text
    assert "lost 1,250,000 USDC;" in text
    assert "lost 1,250,000 USDC;" in (await anna.get("/queue/rows")).text
