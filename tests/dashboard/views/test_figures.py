from __future__ import annotations

from datetime import timedelta

from fastapi import FastAPI

from dashboard.room import Room
from gateway.model.case import Decision
from gateway.model.quarantine import CaseState
from tests.dashboard.conftest import Desk
from tests.dashboard.scene import case, hold, utc_now


def _switch_on(desk: Desk) -> None:
    app: FastAPI = desk.app  # type: ignore[assignment]
    room: Room = desk.room
    object.__setattr__(room, "settings", room.settings.model_copy(update={"public_figures": True}))
    assert app.state.room is room


async def test_they_are_off_until_the_operator_switches_them_on(desk: Desk) -> None:
    for path in ("/figures", "/figures.json"):
        assert (await desk.visitor().get(path)).status_code == 404
    _switch_on(desk)
    for path in ("/figures", "/figures.json"):
        assert (await desk.visitor().get(path)).status_code == 200


async def test_few_cases_are_told_as_none_and_more_in_tens_and_never_todays(desk: Desk) -> None:
    _switch_on(desk)
    yesterday = utc_now() - timedelta(days=1)
    for number in range(1, 14):
        await hold(desk.room, case(number, yesterday))
    await hold(desk.room, case(90, utc_now()))
    for number in range(1, 4):
        await desk.room.record.decide(f"c-{number:06d}", Decision(CaseState.REJECTED, "anna", "a drain"))
    said = (await desk.visitor().get("/figures.json")).json()
    assert (said["held"], said["rejected"], said["appeals"]) == (10, None, None)
    text = (await desk.visitor().get("/figures")).text
    assert "10+" in text
    assert "13" not in text.split("<main", 1)[1].split("</main>")[0].replace(said["since"], "").replace(
        said["until"], ""
    ).replace(str(utc_now().date() - timedelta(days=1)), "")
    for secret in ("anna", "c-0000", "price-manipulation"):
        assert secret not in text
