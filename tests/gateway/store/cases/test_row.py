from __future__ import annotations

import dataclasses
from datetime import timedelta

import pytest

from gateway.model.case import CaseOrder, CaseQuery, Decision
from gateway.model.finding import Severity
from gateway.model.primitive import Address
from gateway.model.quarantine import CaseState
from gateway.model.trace import Trace
from gateway.model.transaction import Client
from gateway.store.cases.record import SqlRecord
from gateway.store.cases.row import MAX_TERMS, terms_of
from tests.cases import NOON, POOL, ROUTER, SENDER, TOKEN, detail, entry, finding, frame, raw, simulation, verdict

OTHER = Address(b"\x99" * 20)


@pytest.fixture
async def five(record: SqlRecord) -> SqlRecord:
    """Cases 1 to 5: losses 1000 to 5000, times to live 5 to 1 hours; 4 is of another kind, 5 is rejected."""
    for number in range(1, 6):
        parts = {"sender": OTHER, "verdict": verdict(finding("reentrancy", severity=Severity.LOW), score=0.1)}
        await record.hold(
            entry(
                number,
                estimated_loss=1000.0 * number,
                held_at=NOON + timedelta(minutes=number),
                expires_at=NOON + timedelta(hours=6 - number),
                client=Client(f"192.0.2.{number}", "partner"),
                **(parts if number == 4 else {}),
            ),
            detail(number, simulation=None if number == 4 else simulation()),
        )
    await record.assign("case-2", "ann", "ann", expected=None)
    await record.decide("case-5", Decision(CaseState.REJECTED, "ann", "a drain"))
    return record


async def found(record: SqlRecord, **parts: object) -> list[str]:
    page = await record.cases(CaseQuery(**parts))
    assert page.total >= len(page.entries)
    return [case.case_id.removeprefix("case-") for case in page.entries]


async def test_orders(five: SqlRecord) -> None:
    assert await found(five) == ["5", "3", "2", "1", "4"]
    assert await found(five, order=CaseOrder.EXPIRY) == ["5", "4", "3", "2", "1"]
    assert await found(five, order=CaseOrder.NEWEST) == ["5", "4", "3", "2", "1"]
    assert await found(five, order=CaseOrder.OLDEST) == ["1", "2", "3", "4", "5"]
    assert await found(five, order=CaseOrder.LOSS) == ["5", "4", "3", "2", "1"]


async def test_pages_join_without_gap(five: SqlRecord) -> None:
    pages = [await found(five, offset=offset, limit=2) for offset in (0, 2, 4, 6)]
    assert pages == [["5", "3"], ["2", "1"], ["4"], []]
    assert (await five.cases(CaseQuery(limit=2))).total == 5


FILTERS: list[tuple[dict[str, object], str]] = [
    ({"states": frozenset({CaseState.HELD})}, "3214"),
    ({"states": frozenset({CaseState.REJECTED, CaseState.EXPIRED})}, "5"),
    ({"sender": OTHER}, "4"),
    ({"to": ROUTER}, "53214"),
    ({"to": OTHER}, ""),
    ({"detector": "reentrancy"}, "4"),
    ({"severity": Severity.HIGH}, "5321"),
    ({"assigned_to": "ann"}, "2"),
    ({"assigned_to": ""}, "5314"),
    ({"held_from": NOON + timedelta(minutes=4)}, "54"),
    ({"held_until": NOON + timedelta(minutes=2)}, "1"),
    ({"expires_before": NOON + timedelta(hours=3)}, "54"),
    ({"touching": frozenset({TOKEN})}, "53214"),
    ({"touching": frozenset({OTHER})}, "4"),
    ({"touching": frozenset()}, ""),
]

SEARCHES = {
    str(raw(3).hash): "3",
    str(raw(3).hash).upper()[:20]: "3",
    "case-4": "4",
    str(POOL): "53214",
    "reentrancy": "4",
    "192.0.2.2": "2",
    "partner 192.0.2.2": "2",
    "tkn": "53214",
    "partn": "53214",
    "par": "",
    "%": "",
    "'; --": "",
}


async def test_filters(five: SqlRecord) -> None:
    for parts, wanted in FILTERS:
        assert "".join(await found(five, **parts)) == wanted, parts


async def test_search_by_anything(five: SqlRecord) -> None:
    for search, wanted in SEARCHES.items():
        assert "".join(await found(five, search=search)) == wanted, search


async def test_look_alikes_fold(five: SqlRecord) -> None:
    groups = await five.groups(CaseQuery())
    assert [(group.count, group.newest.case_id) for group in groups] == [(4, "case-5"), (1, "case-4")]
    assert await found(five, group=groups[1].group) == ["4"]
    assert [group.count for group in await five.groups(CaseQuery(states=frozenset({CaseState.HELD})))] == [3, 1]
    assert [group.count for group in await five.groups(CaseQuery(offset=1, limit=1))] == [1]


def test_terms_are_bounded_and_the_victim_comes_first() -> None:
    frames = [frame(index, to=Address(index.to_bytes(20))) for index in range(5_000)]
    many = detail(simulation=dataclasses.replace(simulation(), trace=Trace(frames)))
    terms = terms_of(entry(), many)
    assert len(terms) == MAX_TERMS
    assert {str(SENDER), str(POOL), "abnormal-outflow"} <= set(terms[:20])
