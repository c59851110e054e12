"""How far acts are from every limit, measured on recorded acts and leaving no detector changed."""

from __future__ import annotations

import asyncio

import pytest

import detectors.unauthorised_outflow as outflow
from gateway.evaluate.case import read_case
from gateway.evaluate.command import make_simulator
from gateway.evaluate.margin import Leaning, leanings, moved, thresholds
from gateway.evaluate.margin_board import MarginBoard
from gateway.evaluate.run import look_case
from gateway.inspection.registry import load
from tests.detectors.acts import FOLDER


def lean(name: str) -> list[Leaning]:
    async def run() -> list[Leaning]:
        simulator, ruleset = make_simulator("auto"), load()
        case = read_case(FOLDER / f"{name}.json.zst")
        try:
            return [
                leaning
                async for judged, subject in look_case(simulator, ruleset, case)
                if subject is not None and judged.held is not case.honest
                for leaning in leanings(ruleset, name, subject, honest=case.honest)
            ]
        finally:
            await simulator.close()

    return asyncio.run(run())


def test_a_small_payment_to_strangers_is_found_below_its_limit() -> None:
    found = [one for one in lean("slices.faucet") if one.knob == "GRAVE_SHARE"]
    assert {(one.detector, one.limit, one.honest) for one in found} == {("unauthorised-outflow", 0.02, True)}
    assert all(0.005 < (one.value or 0.0) < 0.02 for one in found)
    assert outflow.GRAVE_SHARE == 0.02, "the detector is as it was"


def test_a_limit_found_is_the_limit_that_turns_the_answer(monkeypatch: pytest.MonkeyPatch) -> None:
    lowest = min(one.value or 0.0 for one in lean("slices.faucet") if one.knob == "GRAVE_SHARE")
    monkeypatch.setattr(outflow, "GRAVE_SHARE", lowest)
    assert not [one for one in lean("slices.faucet") if one.knob == "GRAVE_SHARE"], "held, so it leans no more"


def test_a_claim_by_proof_hangs_on_what_was_agreed() -> None:
    conditions = {(one.detector, one.knob) for one in lean("everyday-savings.proved-claim") if one.limit is None}
    assert ("unauthorised-outflow", "agreed") in conditions


def test_an_upgrade_hangs_on_who_was_known() -> None:
    conditions = {(one.detector, one.knob) for one in lean("everyday-estates.upgraded-by-admin")}
    assert ("takeover", "known") in conditions


def test_an_exploit_leans_where_one_detector_alone_holds_it() -> None:
    found = lean("slices.three-thieves")
    assert {one.detector for one in found} == {"sliced-drain"}
    assert all(one.honest is False and one.limit is not None for one in found)
    assert lean("open-hands.wrung-allowance") == [], "two detectors hold it"


def test_limits_near_the_whole_move_by_what_is_missing() -> None:
    assert moved(0.02, 2.0) == pytest.approx(0.04)
    assert moved(0.97, 2.0) == pytest.approx(0.94)
    assert moved(3, 0.5) == 2


def test_thresholds_are_numbers_not_masks() -> None:
    (detector,) = [one for one in load().detectors if one.id == "takeover"]
    assert thresholds(detector) == {"OFFICES": 2}


def test_the_board_says_the_same_in_every_form() -> None:
    rows = (
        Leaning("a", True, "d", "LIMIT", 0.02, 0.5),
        Leaning("b", True, "d", "LIMIT", 0.02, 0.75),
        Leaning("c", False, "d", "LIMIT", 0.02, 3.0),
        Leaning("e", True, "d", "agreed", None, 0.0),
    )
    board = MarginBoard(rows, 10, 5, "revm", "0123")
    document = board.document()
    assert document["thresholds"][0]["honest"] == [["b", pytest.approx(0.015)], ["a", pytest.approx(0.01)]]
    assert document["thresholds"][0]["exploits"] == [["c", pytest.approx(0.06)]]
    assert document["conditions"] == [{"detector": "d", "condition": "agreed", "honest": ["e"]}]
    page = board.page()
    assert "| d | LIMIT | 0.02 | 2 | b (0.015), a (0.01) |" in page
    assert "| d | LIMIT | 0.02 | 1 | c (0.06) |" in page
    assert "| d | agreed | 1 | e |" in page
