"""The Grafana dashboard: every expression on metrics that exist, every panel in its own place."""

from __future__ import annotations

import json
import shutil
import subprocess
from pathlib import Path
from typing import Any

import pytest
import yaml

from gateway.telemetry import READINGS
from tests.deploy.metric_names import exported, unknown_in

ROOT = Path(__file__).parent.parent.parent
DASHBOARD: dict[str, Any] = json.loads((ROOT / "deploy" / "grafana" / "stopgate.json").read_text("utf-8"))
PANELS: list[dict[str, Any]] = DASHBOARD["panels"]
EXPRESSIONS = [target["expr"] for panel in PANELS for target in panel.get("targets", [])]
PROMTOOL = shutil.which("promtool")


@pytest.mark.parametrize("expression", EXPRESSIONS)
def test_an_expression_names_what_exists(expression: str) -> None:
    assert unknown_in(expression) == []


def test_every_metric_has_its_place() -> None:
    shown = " ".join(EXPRESSIONS)
    hidden = {"stopgate_admissions", "stopgate_head_carried", "stopgate_head_number", "stopgate_reorg_deepest_blocks",
              "stopgate_upstream_head_age_seconds"}  # fmt: skip
    missing = {
        name.removesuffix("_total")
        for name in exported()
        if name not in shown and not name.endswith(("_sum", "_count"))
    }
    assert missing == hidden
    assert hidden <= READINGS.keys()


def test_panels_neither_overlap_nor_share_a_number() -> None:
    assert len({panel["id"] for panel in PANELS}) == len(PANELS)
    taken: set[tuple[int, int]] = set()
    for panel in PANELS:
        place = panel["gridPos"]
        assert place["x"] + place["w"] <= 24
        cells = {
            (x, y)
            for x in range(place["x"], place["x"] + place["w"])
            for y in range(place["y"], place["y"] + place["h"])
        }
        assert not cells & taken, panel["title"]
        taken |= cells


def test_the_source_of_the_figures_is_the_readers_choice() -> None:
    sources = {panel["datasource"]["uid"] for panel in PANELS if "datasource" in panel}
    assert sources == {"${datasource}"}
    assert [variable["name"] for variable in DASHBOARD["templating"]["list"]] == ["datasource", "instance"]


@pytest.mark.skipif(PROMTOOL is None, reason="promtool (Debian package prometheus) is not on the PATH")
def test_promtool_takes_every_expression(tmp_path: Path) -> None:
    filled = [text.replace("$__rate_interval", "1m").replace("$instance", ".*") for text in EXPRESSIONS]
    rules = [{"record": f"panel:{number}", "expr": text} for number, text in enumerate(filled)]
    file = tmp_path / "panels.yaml"
    file.write_text(yaml.safe_dump({"groups": [{"name": "panels", "rules": rules}]}))
    done = subprocess.run([str(PROMTOOL), "check", "rules", str(file)], capture_output=True, text=True)
    assert done.returncode == 0, done.stdout + done.stderr
