"""The alert rules: valid, on metrics that exist, and each of them seen to fire and to stay quiet."""

from __future__ import annotations

import re
import shutil
import subprocess
from pathlib import Path
from typing import Any

import pytest
import yaml

from gateway.jsonrpc.methods import Route
from gateway.telemetry import FAILURE_PARTS, ROUTES, VERIFICATION_OUTCOMES
from tests.deploy.metric_names import unknown_in

ROOT = Path(__file__).parent.parent.parent
RULES = sorted((ROOT / "deploy" / "alerts").glob("*.yaml"))
SCENARIOS = sorted((ROOT / "deploy" / "alerts" / "tests").glob("*.yaml"))
PROMTOOL = shutil.which("promtool")
needs_promtool = pytest.mark.skipif(PROMTOOL is None, reason="promtool (Debian package prometheus) is not on the PATH")


def alerts() -> list[dict[str, Any]]:
    documents = [yaml.safe_load(path.read_text("utf-8")) for path in RULES]
    return [rule for document in documents for group in document["groups"] for rule in group["rules"]]


@pytest.mark.parametrize("alert", alerts(), ids=lambda alert: alert["alert"])
def test_an_alert_names_what_exists_and_says_what_to_do(alert: dict[str, Any]) -> None:
    assert unknown_in(alert["expr"]) == []
    assert alert["labels"]["severity"] in ("critical", "warning")
    assert alert["annotations"].keys() == {"summary", "action"}


def test_the_check_of_names_finds_what_is_wrong() -> None:
    assert unknown_in("rate(stopgate_submissions_total[5m])") == []
    assert unknown_in("stopgate_submissions") == ["no metric stopgate_submissions"]
    assert unknown_in('stopgate_cases{outcome="HELD"}') == ["stopgate_cases has no label outcome"]
    assert unknown_in("sum by (part) (stopgate_audit_lag_seconds)") == ["no label part"]


def test_every_alert_has_a_scenario_in_which_it_fires() -> None:
    told = "".join(path.read_text("utf-8") for path in SCENARIOS)
    assert {alert["alert"] for alert in alerts()} == set(re.findall(r'alertname="(\w+)"', told))


def test_every_scenario_is_quiet_first() -> None:
    for path in SCENARIOS:
        for scenario in yaml.safe_load(path.read_text("utf-8"))["tests"]:
            first = scenario["promql_expr_test"][0]
            assert (first["expr"], first["exp_samples"]) == ('ALERTS{alertstate="firing"}', []), scenario["name"]


@needs_promtool
def test_promtool_takes_the_rules() -> None:
    done = subprocess.run([str(PROMTOOL), "check", "rules", *map(str, RULES)], capture_output=True, text=True)
    assert done.returncode == 0, done.stdout + done.stderr


@needs_promtool
def test_promtool_sees_each_alert_fire_and_stay_quiet() -> None:
    done = subprocess.run([str(PROMTOOL), "test", "rules", *map(str, SCENARIOS)], capture_output=True, text=True)
    assert done.returncode == 0, done.stdout + done.stderr


def source(path: str) -> str:
    return (ROOT / "gateway" / path).read_text("utf-8")


def test_what_alerts_wait_for_is_shown_at_zero_from_the_start() -> None:
    counted = "".join(path.read_text("utf-8") for path in sorted((ROOT / "gateway" / "proxy").glob("*.py")))
    assert set(re.findall(r'failure_answers\.labels\("(\w+)"\)', counted)) == set(FAILURE_PARTS)
    assert set(re.findall(r'self\._count\("(\w+)"\)', source("tasks/verifier.py"))) == set(VERIFICATION_OUTCOMES)
    assert set(ROUTES) == {route.value for route in Route} - {Route.OPTIONAL.value}
