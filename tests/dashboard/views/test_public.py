from __future__ import annotations

import html
import re
from datetime import timedelta

from gateway.model.primitive import Address
from gateway.model.quarantine import CaseState, QuarantineEntry
from gateway.store.casework.appeals import MOST_FOR_A_CASE
from tests.dashboard.conftest import Desk, Visitor
from tests.dashboard.scene import case, hold, utc_now
from tests.dashboard.signing import address_of, personal_sign

KEY = "59c6995e998f97a5a0044966f0945389dc9e86dae88c7a8412f4603b6b78690d"
OTHER = "5de4111afa1a4b94908f83103eb1f1706367c2e68ca870fc3fb9a804cdab365a"
SENDER = Address.from_hex(address_of(KEY))


async def _held(desk: Desk, number: int = 1) -> QuarantineEntry:
    return await hold(desk.room, case(number, utc_now(), sender=SENDER))


async def _sign(visitor: Visitor, entry: QuarantineEntry, text: str, key: str = KEY) -> tuple[int, str]:
    shown = (await visitor.post(f"/status/{entry.hash}/appeal", text=text)).text
    message = html.unescape(re.search(r'<pre class="message"[^>]*>(.*?)</pre>', shown, re.S)[1])  # type: ignore[index]
    issued = re.search(r'name="issued" value="([^"]+)"', shown)[1]  # type: ignore[index]
    answer = await visitor.post(
        f"/status/{entry.hash}/appeal/signed", text=text, issued=issued, signature=personal_sign(key, message)
    )
    return answer.status_code, answer.text


async def test_the_sender_is_heard_and_reads_the_answer(desk: Desk) -> None:
    entry, stranger = await _held(desk), desk.visitor()
    assert (await _sign(stranger, entry, "We rebalance our own vault.\r\nAsk us <b>there</b>."))[0] == 303
    anna = await desk.signed_in("anna")
    assert "the sender appeals" in (await anna.get("/queue")).text
    assert "c-000001" in (await anna.get("/queue?tab=appeals")).text
    page = (await anna.get("/cases/c-000001")).text
    assert "We rebalance our own vault.\nAsk us &lt;b&gt;there&lt;/b&gt;." in page
    number = re.search(r"/appeals/(\d+)/answer", page)[1]  # type: ignore[index]
    assert (await anna.post(f"/cases/c-000001/appeals/{number}/answer", text="We called you.")).status_code == 303
    assert (await anna.post(f"/cases/c-000001/appeals/{number}/answer", text="Twice.")).status_code == 409
    public = (await stranger.get(f"/status/{entry.hash}")).text
    assert "We called you." in public
    assert "anna" not in public
    assert "We rebalance" not in public  # the words are for the desk, not for whoever knows the hash
    told = [record.detail["step"] for record in await desk.room.audit.records(subject="c-000001")]
    assert told == ["hold", "appeal", "appeal answered"]


async def test_only_the_senders_key_is_heard(desk: Desk) -> None:
    entry, stranger = await _held(desk), desk.visitor()
    status, text = await _sign(stranger, entry, "let it go", OTHER)
    assert status == 422
    assert "not of the account that sent" in text
    assert not await desk.room.appeals.of_case("c-000001")


async def test_another_text_another_time_and_another_transaction_do_not_pass(desk: Desk) -> None:
    first, second, stranger = await _held(desk, 1), await _held(desk, 2), desk.visitor()
    shown = (await stranger.post(f"/status/{first.hash}/appeal", text="ours")).text
    message = html.unescape(re.search(r'<pre class="message"[^>]*>(.*?)</pre>', shown, re.S)[1])  # type: ignore[index]
    issued = re.search(r'name="issued" value="([^"]+)"', shown)[1]  # type: ignore[index]
    good = {"text": "ours", "issued": issued, "signature": personal_sign(KEY, message)}
    for entry, fields in (
        (second, good),
        (first, {**good, "text": "theirs"}),
        (first, {**good, "issued": (utc_now() - timedelta(hours=2)).strftime("%Y-%m-%dT%H:%M:%SZ")}),
        (first, {**good, "signature": "0x" + "00" * 65}),
    ):
        answer = await stranger.post(f"/status/{entry.hash}/appeal/signed", **fields)
        assert answer.status_code == 422, answer.text
    assert (await stranger.post(f"/status/{first.hash}/appeal/signed", **good)).status_code == 303


async def test_one_appeal_at_a_time_and_three_in_all(desk: Desk) -> None:
    entry = await _held(desk)
    for number in range(MOST_FOR_A_CASE):
        assert (await _sign(desk.visitor(f"10.0.0.{number}"), entry, f"words {number}"))[0] == 303
        again = await desk.visitor(f"10.0.1.{number}").post(f"/status/{entry.hash}/appeal", text="more")
        assert "message" not in again.text.split("appeal-title")[1]  # no second one while one is open
        made = (await desk.room.appeals.of_case("c-000001"))[-1]
        assert await desk.room.appeals.answer("c-000001", made.id, "anna", "no")
    assert "Your words" not in (await desk.visitor().get(f"/status/{entry.hash}")).text


async def test_tries_are_counted_by_address(desk: Desk) -> None:
    entry, stranger = await _held(desk), desk.visitor("192.0.2.1")
    fields = {"text": "x", "issued": utc_now().strftime("%Y-%m-%dT%H:%M:%SZ"), "signature": "0x" + "11" * 65}
    path = f"/status/{entry.hash}/appeal/signed"
    codes = [(await stranger.post(path, **fields)).status_code for _ in range(12)]
    assert codes == [422] * 10 + [429] * 2
    assert (await desk.visitor("192.0.2.2").post(path, **fields)).status_code == 422


async def test_what_is_sent_or_unknown_cannot_be_appealed(desk: Desk) -> None:
    sent = await hold(desk.room, case(1, utc_now(), sender=SENDER, state=CaseState.EXPIRED))
    stranger = desk.visitor()
    for hash in (sent.hash, "0x" + "ab" * 32):
        assert (await stranger.post(f"/status/{hash}/appeal", text="hello")).status_code == 409
        assert "Your words" not in (await stranger.get(f"/status/{hash}")).text
    assert (await stranger.post("/status/0x12/appeal", text="hello")).status_code == 404


async def test_the_public_page_never_names_the_rule(desk: Desk) -> None:
    entry, stranger = await _held(desk), desk.visitor()
    pages = [
        (await stranger.get(f"/status/{entry.hash}")).text,
        (await stranger.post(f"/status/{entry.hash}/appeal", text="why?")).text,
        (await _sign(stranger, entry, "why?", OTHER))[1],
    ]
    for text in pages:
        for word in ("price-manipulation", "critical", "Harbour", "USDC", "score", "detector"):
            assert word not in text, word
