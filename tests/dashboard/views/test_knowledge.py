"""The pages of signatures and of trust."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

from gateway.model.account import Mark
from gateway.model.primitive import Hash32
from gateway.model.signature import Signature, SignatureKind, SignatureState
from gateway.store.knowledge.trust import Clean
from tests.cases import ROUTER, SENDER, detail, entry
from tests.dashboard.conftest import Desk

NOW = datetime.now(UTC)


async def signed_case(desk: Desk) -> int:
    """A confirmed case with one signature; its number."""
    await desk.room.record.hold(entry(1), detail(1))
    await desk.room.desk.mark("case-1", Mark.CONFIRMED, "ann", "it drains the pool")
    (confirmed,) = await desk.room.signatures.unsigned()
    made = Signature(
        SignatureKind.CODE, Hash32(b"\x01" * 32), "case-1", "ann", NOW, NOW + timedelta(days=90),
        SignatureState.ENFORCED, ROUTER, 300,
    )  # fmt: skip
    await desk.room.signatures.add(confirmed, [made])
    (kept,) = await desk.room.signatures.listed()
    return kept.signature.id


async def test_a_signature_shows_its_origin_and_hits_and_is_withdrawn_with_a_reason(desk: Desk) -> None:
    number = await signed_case(desk)
    await desk.room.signatures.add_hits({number: 4})
    analyst = await desk.signed_in("anna")
    shown = (await analyst.get("/signatures")).text
    assert "/cases/case-1" in shown
    assert f"Withdraw {number}" in shown
    refused = await analyst.post(f"/signatures/{number}/withdraw", reason=" ")
    assert refused.status_code == 422
    done = await analyst.post(f"/signatures/{number}/withdraw", reason="it stops a keeper")
    assert done.status_code == 303
    assert "it stops a keeper" in (await analyst.get("/signatures")).text
    again = await analyst.post(f"/signatures/{number}/withdraw", reason="once more")
    assert again.status_code == 409
    assert await desk.room.signatures.speaking() == []


async def test_a_lead_writes_the_allow_list_and_others_only_read_it(desk: Desk) -> None:
    analyst = await desk.signed_in("anna")
    assert "Add a line" not in (await analyst.get("/trust")).text
    fields = {"sender": str(SENDER), "contract": "", "selector": "", "detector": "", "days": "30"}
    fields["reason"] = "our keeper"
    assert (await analyst.post("/trust", **fields)).status_code == 403
    lead = await desk.signed_in("lena")
    await desk.room.trust.count_clean({ROUTER: Clean(70, {SENDER})})
    assert "Add a line" in (await lead.get("/trust")).text
    assert (await lead.post("/trust", **fields)).status_code == 303
    shown = (await lead.get("/trust")).text
    assert "our keeper" in shown
    assert "unproven" in shown
    for wrong in ({"sender": ""}, {"days": "0"}, {"selector": "0x12"}, {"sender": "0x12"}, {"reason": ""}):
        answer = await lead.post("/trust", **{**fields, **wrong})
        assert answer.status_code == 422, wrong
        assert "Nothing was added" in answer.text
    (line,) = await desk.room.trust.entries()
    assert (await lead.post(f"/trust/{line.id}/withdraw", reason="")).status_code == 422
    assert (await lead.post(f"/trust/{line.id}/withdraw", reason="the keeper moved")).status_code == 303
    assert (await lead.post(f"/trust/{line.id}/withdraw", reason="again")).status_code == 409
    assert "withdrawn" in (await lead.get("/trust")).text
