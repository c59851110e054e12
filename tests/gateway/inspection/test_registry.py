"""Detectors of other distributions: the documented package works, and a broken one is refused by name."""

from __future__ import annotations

import importlib
import re
import sys
import tomllib
from collections.abc import Iterator
from importlib.metadata import version
from pathlib import Path

import pytest

from gateway.errors import ConfigurationError
from gateway.evaluate.case import read_case
from gateway.evaluate.command import make_simulator
from gateway.evaluate.run import run_case
from gateway.inspection.registry import GROUP, load
from gateway.model.verdict import Action

ROOT = Path(__file__).parent.parent.parent.parent
PAGE = (ROOT / "docs" / "detector-package.md").read_text("utf-8")


def block(language: str) -> str:
    (found,) = re.findall(rf"```{language}\n(.*?)```", PAGE, re.DOTALL)
    return str(found)


def install(folder: Path, text: str, points: dict[str, str]) -> None:
    """What an installer leaves behind in a folder of the path: the module and its metadata."""
    (folder / "acme_detectors.py").write_text(text)
    metadata = folder / "acme_detectors-1.0.0.dist-info"
    metadata.mkdir()
    (metadata / "METADATA").write_text("Metadata-Version: 2.4\nName: acme-detectors\nVersion: 1.0.0\n")
    lines = [f"{name} = {value}" for name, value in points.items()]
    (metadata / "entry_points.txt").write_text("\n".join([f"[{GROUP}]", *lines]))


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    monkeypatch.syspath_prepend(str(tmp_path))
    yield tmp_path
    sys.modules.pop("acme_detectors", None)


async def test_the_package_of_the_page_is_found_and_speaks(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    before = load()
    install(folder, block("python"), tomllib.loads(block("toml"))["project"]["entry-points"][GROUP])
    rules = load()
    assert {detector.id for detector in rules.detectors} - {detector.id for detector in before.detectors} == {
        "acme-payout"
    }
    assert rules.hash != before.hash

    case = read_case(ROOT / "fixtures" / "cases" / "missing-authority.open-sweep.json.zst")
    simulator = make_simulator("auto")
    first = await run_case(simulator, before, case)
    victims = {finding.victim for each in first.judged for finding in each.verdict.report.findings if finding.victim}
    monkeypatch.setattr(importlib.import_module("acme_detectors"), "VAULTS", frozenset(victims))
    alone = await run_case(simulator, load(enabled=frozenset({"acme-payout"})), case)
    await simulator.close()
    assert (Action.HOLD, "critical-finding") in {(each.verdict.action, each.verdict.clause) for each in alone.judged}


@pytest.mark.parametrize(
    ("file", "old", "new"),
    [
        ("acme_detectors.py", "MOST = 0.10", "MOST = 0.20"),
        ("acme_detectors-1.0.0.dist-info/METADATA", "Version: 1.0.0", "Version: 1.0.1"),
    ],
)
def test_the_hash_names_the_code_and_the_version_of_a_package(folder: Path, file: str, old: str, new: str) -> None:
    install(folder, block("python"), {"acme-payout": "acme_detectors:AcmePayout"})
    before = load()
    assert load().hash == before.hash
    assert [(package.name, package.version) for package in before.packages] == [
        ("acme-detectors", "1.0.0"),
        ("stopgate", version("stopgate")),
    ]
    path = folder / file
    path.write_text(path.read_text().replace(old, new))
    importlib.invalidate_caches()
    assert load().hash != before.hash


@pytest.mark.parametrize(
    ("text", "complaint"),
    [
        ("class AcmePayout(", "SyntaxError"),
        ("import nothing_of_that_name", "ModuleNotFoundError"),
        ("raise RuntimeError('no licence')", "RuntimeError: no licence"),
        ("x = 1", "AttributeError"),
        ("AcmePayout = dict", "no subclass of gateway.plugin.Detector"),
        (block("python").replace('"acme-payout"', '"acme-other"'), "has the id 'acme-other'"),
        (block("python").replace("def inspect", "def inspects"), "does not define inspect"),
        (block("python").replace("    family = Family.FLOW\n", ""), "lacks a family"),
        (block("python") + "\n    def __init__(self):\n        raise OSError('no feed')\n", "OSError: no feed"),
    ],
)
def test_a_broken_package_is_named_and_can_be_left_out(folder: Path, text: str, complaint: str) -> None:
    before = load()
    install(folder, text, {"acme-payout": "acme_detectors:AcmePayout"})
    with pytest.raises(ConfigurationError, match=re.escape(complaint)) as refused:
        load()
    assert "installed by acme-detectors 1.0.0" in str(refused.value)
    assert "STOPGATE_INSPECTION__DISABLED_DETECTORS=acme-payout" in str(refused.value)
    assert load(disabled=frozenset({"acme-payout"})).hash == before.hash


def test_an_id_that_is_there_already_is_refused_with_both_owners(folder: Path) -> None:
    install(folder, block("python"), {"takeover": "acme_detectors:AcmePayout"})
    with pytest.raises(ConfigurationError, match=r"takeover by acme-detectors 1\.0\.0 and stopgate \S+; uninstall"):
        load()
