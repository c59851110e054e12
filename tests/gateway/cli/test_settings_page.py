from __future__ import annotations

import re
from pathlib import Path

from dashboard.settings import DashboardSettings
from gateway.cli.settings_page import Tree, example, groups, load, page
from gateway.settings import Settings

ROOT = Path(__file__).parent.parent.parent.parent
TREES = (
    Tree("Gateway", Settings),
    Tree("Dashboard", DashboardSettings, frozenset({"store", "data_dir"})),
)


def test_the_page_and_the_example_are_fresh() -> None:
    for path, made in ((ROOT / "docs" / "settings.md", page(*TREES)), (ROOT / ".env.example", example(*TREES))):
        assert path.read_text("utf-8") == made, f"{path.name} is stale: run `make settings`"


def test_make_names_the_same_trees() -> None:
    line = next(line for line in (ROOT / "Makefile").read_text("utf-8").splitlines() if "settings_page" in line)
    assert tuple(map(load, line.split(" . ")[1].split())) == TREES


def test_every_setting_is_there_with_bounds_and_words() -> None:
    found = {setting.name: setting for tree in TREES for group in groups(tree) for setting in group.settings}
    assert found["STOPGATE_RPC__DEPTH"].takes == "number, at least 4, at most 500"
    assert found["STOPGATE_POLICY__MODE"].takes == "`observe` or `enforce`"
    assert found["STOPGATE_STORE__REDIS_URL"].takes == "secret"
    assert found["STOPGATE_DATA_DIR"].default == ".stopgate"
    assert "stand-in is preferred" in found["STOPGATE_UPSTREAM__MAX_HEAD_AGE"].says
    assert "STOPGATE_DASHBOARD__LISTEN" in found
    fields = sum(len(group.settings) for tree in TREES for group in groups(tree))
    assert fields == len(found), "no name twice"


def test_the_example_changes_nothing_until_a_line_is_uncommented() -> None:
    lines = example(*TREES).splitlines()
    assert all(line.startswith("#") or not line for line in lines)
    assert any(re.fullmatch(r"#STOPGATE_RPC__LISTEN=127\.0\.0\.1:8080", line) for line in lines)
