from __future__ import annotations

import json
from datetime import timedelta

from gateway.model.health import GatewayHealth, HealthItem
from gateway.model.primitive import Hash32
from tests.dashboard.conftest import Desk
from tests.dashboard.scene import case, hold, utc_now
from tests.dashboard.seed import seed_cases


async def test_the_overview_counts_what_happened(desk: Desk) -> None:
    await seed_cases(desk.room, utc_now())
    anna = await desk.signed_in("anna")
    text = (await anna.get("/overview")).text
    assert "<dt>held</dt><dd>10</dd>" in text
    assert "abnormal-outflow" in text


async def test_health_says_what_works(desk: Desk) -> None:
    vera = await desk.signed_in("vera")
    without = (await vera.get("/health")).text
    assert without.count("state-bad") == without.count("none has left a sign of life") == 1
    assert desk.room.heartbeats is not None
    await desk.room.heartbeats.beat(GatewayHealth("one:7", utc_now(), ()))
    text = (await vera.get("/health")).text
    assert text.count("state-ok") == 5
    assert "state-bad" not in text
    assert (await desk.visitor().get("/healthz")).text == "ok"


async def test_health_shows_every_gateway_and_which_is_silent(desk: Desk) -> None:
    beats = desk.room.heartbeats
    assert beats is not None
    for replica, age, item in (
        ("one:7", 1, HealthItem("upstreams agree", False, "<b>b contradicts block 9</b>")),
        ("two:8", 60, HealthItem("chain head", True, "block 9, 1.0 s old")),
    ):
        await beats.beat(GatewayHealth(replica, utc_now() - timedelta(seconds=age), (item,)))
    text = (await (await desk.signed_in("vera")).get("/health")).text
    assert "one:7" in text
    assert "&lt;b&gt;b contradicts block 9" in text
    assert text.count(">does not work<") == 1
    assert text.count(">silent<") == text.count(">unknown<") == 1


async def test_the_audit_is_shown_exported_and_verified(desk: Desk) -> None:
    await hold(desk.room, case(1, utc_now()))
    anna = await desk.signed_in("anna")
    assert "c-000001" in (await anna.get("/audit?kind=submission")).text
    lines = (await anna.get("/audit.jsonl")).text.splitlines()
    assert [json.loads(line)["sequence"] for line in lines] == list(range(1, len(lines) + 1))
    assert "Audit chain" in (await anna.get("/audit/verify")).text


async def test_the_public_status_tells_the_state_and_never_the_rule(desk: Desk) -> None:
    entry = await hold(desk.room, case(1, utc_now()))
    nobody = desk.visitor()
    text = (await nobody.get(f"/status/{entry.hash}")).text
    assert "held" in text
    assert "security review" in text
    assert entry.case_id in text
    for secret in ("price-manipulation", "critical-finding", "Harbour", "USDC", "0.93"):
        assert secret not in text
    assert "unknown" in (await nobody.get(f"/status/{Hash32(b'1' * 32)}")).text
    assert (await nobody.get("/status/0x12")).status_code == 404
