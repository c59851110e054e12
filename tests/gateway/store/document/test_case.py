from __future__ import annotations

import dataclasses

import pytest
import zstandard

from gateway.model.trace import Trace
from gateway.store.document.case import DocumentError, decode_detail, decode_entry, encode_detail, encode_entry
from gateway.store.document.trace import Bounds
from tests.cases import NOON, detail, entry, finding, simulation, verdict


def test_a_detail_comes_back_as_it_went_in() -> None:
    before = detail()
    after = decode_detail(encode_detail(before))
    assert before.simulation is not None
    assert after.simulation is not None
    assert after.truncated == ()
    assert dataclasses.replace(after, simulation=None) == dataclasses.replace(before, simulation=None)
    trace = Trace([])
    assert dataclasses.replace(after.simulation, trace=trace) == dataclasses.replace(before.simulation, trace=trace)
    assert after.simulation.trace.frames == before.simulation.trace.frames
    assert after.simulation.trace.logs == before.simulation.trace.logs
    assert after.simulation.trace.environment == before.simulation.trace.environment


def test_only_the_preimages_of_changed_slots_are_kept() -> None:
    stored = decode_detail(encode_detail(detail())).simulation
    assert stored is not None
    assert set(stored.trace.preimages or ()) == {7, 8}, "slot 7 changed, its preimage names slot 8, nobody names 9"


def test_a_case_without_simulation() -> None:
    assert decode_detail(encode_detail(detail(simulation=None))).simulation is None


def test_every_cut_is_told() -> None:
    bounds = Bounds(frames=2, items=1, field_bytes=8, text_characters=10)
    after = decode_detail(encode_detail(detail(), bounds))
    assert after.simulation is not None
    assert len(after.simulation.trace.frames) == 2
    assert after.simulation.trace.frames[0].input == b"\x12\x34\x56\x78" + bytes(4)
    told = " ".join(after.truncated)
    assert "3 call frames, the first 2 are kept" in told
    assert "2 approvals, the first 1 are kept" in told
    assert "is cut" in told
    assert "texts are cut to 10 characters" in told


def test_a_cut_detail_stored_again_keeps_its_marks() -> None:
    once = decode_detail(encode_detail(detail(), Bounds(frames=2)))
    assert decode_detail(encode_detail(once)).truncated == once.truncated != ()


def test_the_whole_document_is_bounded() -> None:
    huge = dataclasses.replace(simulation(400))
    frames = tuple(frame._replace(input=bytes(100_000)) for frame in huge.trace.frames)
    data = encode_detail(detail(simulation=dataclasses.replace(huge, trace=Trace(frames))), Bounds(total_bytes=10_000))
    kept = decode_detail(data).simulation
    assert kept is not None
    assert sum(len(frame.input) for frame in kept.trace.frames) <= 10_000
    assert len(kept.trace.frames) == 400


def test_hostile_text_survives() -> None:
    nasty = "\ud800<script>\u202e\x00"
    stored = decode_detail(encode_detail(detail(report=verdict(finding(summary=nasty)).report)))
    assert stored.report.findings[0].summary == "?<script>\u202e\x00"


@pytest.mark.parametrize("damage", [b"", b"nonsense", zstandard.compress(b"[]"), zstandard.compress(b'{"v":1}')])
def test_a_damaged_detail_is_named(damage: bytes) -> None:
    with pytest.raises(DocumentError):
        decode_detail(damage)


def test_a_newer_version_is_refused() -> None:
    with pytest.raises(DocumentError, match="version 2"):
        decode_detail(zstandard.compress(b'{"v":2}'))


def test_an_entry_comes_back_as_it_went_in() -> None:
    for before in (entry(), entry(to=None, decided_by="ann", decision_reason="fine", decided_at=NOON, version=4)):
        assert decode_entry(encode_entry(before)) == before


def test_a_damaged_entry_is_named() -> None:
    with pytest.raises(DocumentError):
        decode_entry(b"{}")
