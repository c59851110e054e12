from __future__ import annotations

import io
from collections.abc import AsyncIterator

from rich.console import Console

from gateway.demo.playbill import Act, Line
from gateway.demo.player import Answered, Event, Finished, Outcome, Prepared, Sending
from gateway.demo.screen import Summary, show

LINE = Line("alice calls Bank.withdraw", "0x02", "0x" + "ab" * 32)
HONEST = Act("withdrawal", "everyday", "Alice takes her money.", True, (LINE,))
EXPLOIT = Act("re-entry", "reentrancy", "A thief takes all the money.", False, (LINE,))


def answered(act: Act, outcome: Outcome) -> Answered:
    held = outcome is Outcome.HELD
    return Answered(act, LINE, outcome, "suspicious" if held else "", "case-7" if held else "", "", 0.0123)


async def shown(*acts: tuple[Act, Outcome]) -> tuple[Summary, str]:
    async def events() -> AsyncIterator[Event]:
        yield Prepared(3)
        for act, outcome in acts:
            yield Sending(act, LINE)
            yield answered(act, outcome)
            yield Finished(act, (answered(act, outcome),))

    output = io.StringIO()
    summary = await show(events(), Console(file=output, width=120), len(acts))
    return summary, output.getvalue()


async def test_a_good_play_says_what_happened_and_why() -> None:
    summary, text = await shown((HONEST, Outcome.MINED), (EXPLOIT, Outcome.HELD))
    assert summary.ok
    for words in ("3 deployments", "withdrawal", "A thief takes all the money.", "held", "suspicious", "case case-7"):
        assert words in text
    assert "1 of 1 honest acts mined" in text
    assert "1 of 1 exploits held" in text
    assert "all as it should be" in text


async def test_a_missed_exploit_is_shouted() -> None:
    summary, text = await shown((HONEST, Outcome.MINED), (EXPLOIT, Outcome.MINED))
    assert not summary.ok
    assert "not as it should be" in text
    assert "0 of 1 exploits held" in text


async def test_the_summary_for_machines() -> None:
    summary, _ = await shown((HONEST, Outcome.HELD), (EXPLOIT, Outcome.HELD))
    told = summary.json()
    counts = {key: told[key] for key in ("ok", "honest", "honest_mined", "exploits", "exploits_held")}
    assert counts == {"ok": False, "honest": 1, "honest_mined": 0, "exploits": 1, "exploits_held": 1}
    assert told["acts"][1]["transactions"][0] == {
        "hash": LINE.hash,
        "note": LINE.note,
        "outcome": "held",
        "reason": "suspicious",
        "case_id": "case-7",
        "status_url": "",
        "milliseconds": 12.3,
    }


def test_nothing_played_is_no_success() -> None:
    assert not Summary().ok
