from __future__ import annotations

import json
from pathlib import Path

import pytest

from bench import detectors, figure, recollection

pytest.importorskip("gateway.evm.revm", reason="the native engine is not installed (no cargo)")


def test_it_measures_the_fixtures_where_nothing_else_is_and_says_so(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], tmp_path: Path
) -> None:
    monkeypatch.setattr(recollection, "LOOKS", 20)
    monkeypatch.setattr(detectors, "SIZES", (100, 400))
    away = tmp_path / "away"
    detectors.main(["--json", "--cases", "3", "--corpus", str(away), "--benign", str(away)])
    said = capsys.readouterr()
    assert f"no attack corpus at {away}" in said.err.replace("\n", "")
    report = json.loads(said.out.splitlines()[-1])
    every, fixtures = report["inspection"]
    assert (every["transactions"], fixtures["transactions"]) == ("all", "fixtures")
    assert 0 < every["cpu_p50_ms"] <= every["cpu_p99_ms"] <= every["cpu_max_ms"]
    assert every["to_simulation"] > 0
    assert [row["frames"] for row in report["growth"]] == [101, 401]
    assert {row["look into"] for row in report["memory"]} == {
        "stream, nothing new",
        "stream, one new message",
        "this process, 10000 senders",
    }
    assert len(report["detectors"]) > 30
    assert sum(row["n"] for row in report["by_frames"]) == every["n"]


@pytest.mark.parametrize(("share", "expected"), [(0.0, 1.0), (0.5, 3.0), (0.99, 5.0), (1.0, 5.0)])
def test_shares_of_a_sorted_row(share: float, expected: float) -> None:
    assert figure.at([5.0, 1.0, 3.0, 4.0, 2.0], share) == expected
