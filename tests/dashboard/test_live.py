from __future__ import annotations

import asyncio

from dashboard.live import News
from tests.dashboard.conftest import Desk
from tests.dashboard.scene import case, hold, utc_now


async def _alive(news: News) -> None:
    while not news.alive:  # noqa: ASYNC110 - nothing tells when it is
        await asyncio.sleep(0.01)


async def test_a_hold_reaches_a_listener_within_a_second(desk: Desk) -> None:
    news: News = desk.app.state.news  # type: ignore[attr-defined]
    await asyncio.wait_for(_alive(news), 5)
    listening = aiter(news.listen(None))
    waiting = asyncio.ensure_future(anext(listening))
    await asyncio.sleep(0.05)
    await hold(desk.room, case(1, utc_now()))
    event = await asyncio.wait_for(waiting, 1)
    assert event is not None
    assert (event.kind, event.case_id) == ("held", "c-000001")
    await hold(desk.room, case(2, utc_now()))
    missed = await asyncio.wait_for(anext(aiter(news.listen(event.id))), 1)
    assert missed is not None
    assert missed.case_id == "c-000002"


async def test_the_stream_is_for_the_signed_in_alone(desk: Desk) -> None:
    answer = await desk.visitor().get("/events")
    assert answer.status_code == 303
    assert answer.headers["location"].startswith("/login")


async def test_without_redis_lists_come_from_the_record_and_say_so(desk: Desk) -> None:
    await hold(desk.room, case(1, utc_now()))
    news: News = desk.app.state.news  # type: ignore[attr-defined]
    await asyncio.wait_for(_alive(news), 5)
    news.alive = False
    text = (await (await desk.signed_in("vera")).get("/queue")).text
    assert "c-000001" in text
    assert "not live: reload for news" in text
