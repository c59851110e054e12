from __future__ import annotations

import json
from pathlib import Path

import pytest

from gateway.errors import ConfigurationError
from gateway.evaluate.command import evaluate
from tests.detectors.acts import FOLDER

HELD, PASSED = FOLDER / "bridge.stolen-validator-keys.json.zst", FOLDER / "bridge.signed-withdrawal.json.zst"


def document(capsys: pytest.CaptureFixture[str], *paths: Path) -> dict[str, object]:
    assert evaluate(paths, json=True) == 0
    printed = capsys.readouterr()
    loaded = json.loads(printed.out.strip())
    assert isinstance(loaded, dict)
    return loaded


def test_the_last_line_is_one_object_with_the_promised_figures(capsys: pytest.CaptureFixture[str]) -> None:
    found = document(capsys, HELD, PASSED)
    assert {"recall", "false_alarms", "benign", "by_class", "missed", "times"} <= set(found)
    assert (found["recall"], found["caught"], found["exploits"]) == (1.0, 1, 1)
    assert (found["false_alarms"], found["benign"], found["missed"]) == (0, 1, [])
    assert found["by_class"] == {"exploit/bridge": [1, 1]}
    assert found["by_detector"] == {"bridge-outflow": 1}
    times = found["times"]
    assert isinstance(times, dict)
    assert times["all"]["n"] == 2


def test_the_page_names_what_was_run(tmp_path: Path) -> None:
    page = tmp_path / "docs" / "scoreboard.md"
    assert evaluate([HELD], write=page) == 0
    text = page.read_text(encoding="utf-8")
    assert text.startswith("# Scoreboard\n")
    assert "| bridge-outflow | 1 |" in text
    assert "## Missed\n\nnone" in text


@pytest.mark.parametrize("path", ["nowhere", "."])
def test_a_path_without_cases_is_refused_by_name(path: str, tmp_path: Path) -> None:
    with pytest.raises(ConfigurationError, match=r"holds no case|does not exist"):
        evaluate([tmp_path / path])


def test_an_unknown_engine_is_refused() -> None:
    with pytest.raises(ConfigurationError, match="unknown engine geth"):
        evaluate([HELD], engine="geth")
