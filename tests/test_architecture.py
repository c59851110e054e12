"""The house keeps its rules: import arrows, one name for each thing, packaging, and plain data that must agree."""

from __future__ import annotations

import re
import subprocess
import sys
import tomllib
from pathlib import Path

import pytest
import yaml

from gateway.telemetry import Metrics

ROOT = Path(__file__).parent.parent
PRODUCT = [path for room in ("gateway", "detectors", "dashboard") for path in sorted((ROOT / room).rglob("*.py"))]
FORBIDDEN_NAMES = {"utils", "helpers", "common", "manager", "base", "core", "misc"}


def pyproject() -> dict[str, object]:
    return tomllib.loads((ROOT / "pyproject.toml").read_text("utf-8"))


def test_import_arrows_hold() -> None:
    command = [str(Path(sys.executable).parent / "lint-imports"), "--no-cache"]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, timeout=300)
    assert done.returncode == 0, done.stdout[-3000:]


def test_no_module_hides_behind_an_empty_name() -> None:
    assert [path for path in PRODUCT if path.stem in FORBIDDEN_NAMES] == []


@pytest.mark.parametrize("path", PRODUCT, ids=lambda path: str(path.relative_to(ROOT)))
def test_every_module_says_what_it_is(path: Path) -> None:
    text = path.read_text("utf-8")
    if text.strip():
        assert text.startswith('"""'), f"{path} has no docstring"


def test_metrics_are_named_once_and_alike() -> None:
    names = [metric.name for metric in Metrics().registry.collect()]
    assert len(names) == len(set(names))
    assert all(name.startswith(("stopgate_", "process_")) for name in names)


def test_the_wheel_holds_exactly_the_three_packages() -> None:
    document = pyproject()
    tool = document["tool"]
    assert isinstance(tool, dict)
    assert tool["hatch"]["build"]["targets"]["wheel"]["packages"] == ["gateway", "detectors", "dashboard"]


def test_compose_is_hardened() -> None:
    compose = yaml.safe_load((ROOT / "docker-compose.yml").read_text("utf-8"))
    for name, service in compose["services"].items():
        assert service["read_only"] is True, name
        assert service["cap_drop"] == ["ALL"], name
        assert "no-new-privileges:true" in service["security_opt"], name
        assert {"pids_limit", "mem_limit", "cpus"} <= service.keys(), name
        if name != "devnet":
            assert "healthcheck" in service, name
    assert compose["networks"]["internal"]["internal"] is True
    for name in ("redis", "postgres"):
        assert "ports" not in compose["services"][name]
        assert compose["services"][name]["networks"] == ["internal"]
    for port in compose["services"]["dashboard"]["ports"]:
        assert port.startswith("127.0.0.1:")
    assert "public" not in compose["services"]["dashboard"]["networks"]


def test_the_ci_runs_what_the_makefile_offers() -> None:
    script = (ROOT / ".ci" / "run").read_text("utf-8")
    targets = set(re.findall(r"^([a-z-]+):", (ROOT / "Makefile").read_text("utf-8"), re.MULTILINE))
    for target in re.findall(r"^make ([a-z ]+)", script, re.MULTILINE):
        assert set(target.split()) <= targets


def test_the_scenarios_of_live_state_name_tests_that_exist() -> None:
    named = re.findall(
        r"`(tests/[a-z0-9_/]+\.py)::(test_[a-z0-9_]+)`", (ROOT / "docs" / "live-state.md").read_text("utf-8")
    )
    assert len(named) > 20
    for path, name in named:
        assert f"def {name}(" in (ROOT / path).read_text("utf-8"), f"{path} has no {name}"
