"""Notices from the record to a real HTTP receiver on this machine."""

from __future__ import annotations

import json
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack
from dataclasses import dataclass, field
from datetime import timedelta

import httpx
import pytest
from fastapi import FastAPI, Request, Response

from gateway.model.notice import ChannelKind, ChannelRule
from gateway.notify.notifier import Notifier
from gateway.notify.webhook import NotGenuine, verify
from gateway.store.cases.record import SqlRecord
from gateway.store.database import Database
from gateway.store.notices import Notices
from tests.cases import Clock, detail, entry
from tests.dashboard.provider import free_port, serving

AT_ONCE = ChannelRule(grouping=timedelta(0))
DESK = "https://desk.example"


@dataclass
class Receiver:
    """What arrived, and what it answers next."""

    url: str
    arrived: list[tuple[httpx.Headers, bytes]] = field(default_factory=list)
    answers: list[int] = field(default_factory=list)


@pytest.fixture
async def receiver() -> AsyncIterator[Receiver]:
    app, port = FastAPI(), free_port()
    made = Receiver(f"http://127.0.0.1:{port}/hook")

    @app.post("/{path:path}")
    async def take(request: Request, path: str) -> Response:
        made.arrived.append((httpx.Headers(request.headers.raw), await request.body()))
        status = made.answers.pop(0) if made.answers else 204
        headers = {"location": f"http://127.0.0.1:{port}/elsewhere"} if status == 307 else {}
        return Response(status_code=status, headers=headers)

    async with serving(app, port):
        yield made


@pytest.fixture
async def stage(database: Database, clock: Clock) -> AsyncIterator[tuple[Notices, Notifier, httpx.AsyncClient]]:
    async with AsyncExitStack() as stack:
        client = await stack.enter_async_context(httpx.AsyncClient(trust_env=False))
        notices = Notices(database, now=clock)
        yield notices, Notifier(notices, DESK, now=clock), client


Stage = tuple[Notices, Notifier, httpx.AsyncClient]


async def test_a_hold_arrives_signed_with_a_link_and_once(
    stage: Stage, receiver: Receiver, record: SqlRecord, clock: Clock
) -> None:
    notices, notifier, client = stage
    _, secret = await notices.add("team", ChannelKind.WEBHOOK, receiver.url, AT_ONCE, actor="otto")
    await record.hold(entry(1), detail(1))
    assert await notifier.once(client) == 1
    assert await notifier.once(client) == 0
    ((headers, body),) = receiver.arrived
    delivery_id = verify(secret, headers, body, clock())
    said = json.loads(body)
    assert (said["delivery"], said["channel"]) == (delivery_id, "team")
    assert said["notices"][0] == {
        "kind": "held", "case_id": "case-1", "at": clock().isoformat(), "actor": "gateway", "severity": "critical",
        "title": said["notices"][0]["title"], "detectors": ["abnormal-outflow"],
        "estimated_loss": entry(1).estimated_loss,
        "audit_sequence": 2, "link": f"{DESK}/cases/case-1",
    }  # fmt: skip


async def test_a_receiver_refuses_what_is_forged_changed_or_old(
    stage: Stage, receiver: Receiver, record: SqlRecord, clock: Clock
) -> None:
    notices, notifier, client = stage
    _, secret = await notices.add("team", ChannelKind.WEBHOOK, receiver.url, AT_ONCE, actor="otto")
    await record.hold(entry(1), detail(1))
    await notifier.once(client)
    ((headers, body),) = receiver.arrived
    for changed in ({"stopgate-timestamp": "1"}, {"stopgate-delivery": "x"}, {"stopgate-signature": "v1=00"}):
        with pytest.raises(NotGenuine, match="signature"):
            verify(secret, httpx.Headers({**headers, **changed}), body, clock())
    with pytest.raises(NotGenuine, match="signature"):
        verify(secret, headers, body + b" ", clock())
    with pytest.raises(NotGenuine, match="signature"):
        verify("another secret", headers, body, clock())
    with pytest.raises(NotGenuine, match="timestamp"):
        verify(secret, headers, body, clock() + timedelta(minutes=6))


async def test_a_receiver_that_fails_gets_the_same_delivery_again(
    stage: Stage, receiver: Receiver, record: SqlRecord, clock: Clock
) -> None:
    notices, notifier, client = stage
    await notices.add("team", ChannelKind.WEBHOOK, receiver.url, AT_ONCE, actor="otto")
    await record.hold(entry(1), detail(1))
    receiver.answers = [500, 307]  # a redirect is not followed
    for seconds in (0, 5, 15):
        clock.forward(seconds=seconds)
        assert await notifier.once(client) == 1
    assert len({headers["stopgate-delivery"] for headers, _ in receiver.arrived}) == 1
    assert len({headers["stopgate-timestamp"] for headers, _ in receiver.arrived}) == 3
    assert len({body for _, body in receiver.arrived}) == 1
    (state,) = await notices.deliveries()
    assert (state.sent, state.attempts) == (True, 3)


async def test_a_process_that_dies_between_sending_and_noting_sends_again_under_the_same_id(
    stage: Stage, receiver: Receiver, record: SqlRecord, clock: Clock
) -> None:
    notices, notifier, client = stage
    await notices.add("team", ChannelKind.WEBHOOK, receiver.url, AT_ONCE, actor="otto")
    await record.hold(entry(1), detail(1))
    await notices.collect()
    (lost,) = await notices.take()  # taken, and never heard of again
    assert await notifier.once(client) == 0
    clock.forward(seconds=61)
    assert await notifier.once(client) == 1
    assert receiver.arrived[0][0]["stopgate-delivery"] == lost.delivery_id


async def test_nobody_there_is_a_problem_with_a_name(stage: Stage, record: SqlRecord) -> None:
    notices, notifier, client = stage
    target = f"http://127.0.0.1:{free_port()}/SECRET"
    await notices.add("team", ChannelKind.WEBHOOK, target, AT_ONCE, actor="otto")
    await record.hold(entry(1), detail(1))
    await notifier.once(client)
    (state,) = await notices.deliveries()
    assert (state.sent, state.problem) == (False, "no answer (ConnectError)")


async def test_apprise_speaks_to_a_service(stage: Stage, receiver: Receiver, record: SqlRecord) -> None:
    notices, notifier, client = stage
    target = receiver.url.replace("http://", "json://")
    channel_id, secret = await notices.add("chat", ChannelKind.APPRISE, target, AT_ONCE, actor="otto")
    assert secret == ""
    await record.hold(entry(1), detail(1))
    await notices.test(channel_id, actor="otto")
    await notifier.once(client)
    said = sorted((json.loads(body) for _, body in receiver.arrived), key=lambda text: text["title"])
    assert [text["title"] for text in said] == ["Stopgate [critical] held case-1", "Stopgate [info] test"]
    assert f"{DESK}/cases/case-1" in said[0]["message"]


async def test_a_service_that_refuses_is_a_problem(stage: Stage, receiver: Receiver, record: SqlRecord) -> None:
    notices, notifier, client = stage
    receiver.answers = [403, 403, 403]
    await notices.add("chat", ChannelKind.APPRISE, receiver.url.replace("http://", "json://"), AT_ONCE, actor="otto")
    await record.hold(entry(1), detail(1))
    await notifier.once(client)
    (state,) = await notices.deliveries()
    assert (state.sent, state.problem) == (False, "the service did not take it")
