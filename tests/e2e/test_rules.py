"""A protocol's rule in a running gateway: held by it, watched in shadow, changed without a restart."""

from __future__ import annotations

import asyncio
import os
import time
from collections.abc import Callable
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from gateway.model.rulebook import RulesInForce
from gateway.store.database import Database, sqlite_url
from gateway.store.knowledge.rulebook import PublishedRules
from tests.anvil import needs_anvil, running_anvil
from tests.edge import Wallet, hash_of
from tests.gatewayprocess import GatewayProcess, running_gateway

pytestmark = needs_anvil

TREASURY = "0x" + "71" * 20
PAYER = "0x" + "d1" * 20
RULE = """\
id: treasury-inflow
title: Somebody pays the treasury more than two coins at once
status: stable
mode: {mode}
severity: high
confidence: high
owner: Treasury
scope:
  contracts: [{treasury}]
detection:
  paid: sum(transfers, amount, token == coin and to in contracts)
  condition: paid > units(2, 18)
summary: "{{paid}} wei arrive at once."
tests:
  - name: three coins
    expect: fires
    transfers: [{{token: coin, from: {payer}, to: {treasury}, amount: 3_000_000_000_000_000_000}}]
  - name: one coin
    expect: silent
    transfers: [{{token: coin, from: {payer}, to: {treasury}, amount: 1_000_000_000_000_000_000}}]
"""


def until(condition: Callable[[], Any], what: str) -> Any:
    deadline = time.monotonic() + 60
    while time.monotonic() < deadline:
        found = condition()
        if found:
            return found
        time.sleep(0.05)
    raise AssertionError(what)


def published(folder: Path) -> tuple[list[RulesInForce], int]:
    """What people are told of the rules, and how often the one above spoke."""

    async def read() -> tuple[list[RulesInForce], int]:
        database = Database(sqlite_url(folder))
        try:
            rules = PublishedRules(database, now=lambda: datetime.now(UTC))
            hits = (await rules.hits()).get("treasury-inflow")
            return list(await rules.in_force()), hits.hits if hits else 0
        finally:
            await database.close()

    return asyncio.run(read())


def test_a_rule_holds_watches_and_changes_while_the_gateway_runs(tmp_path: Path) -> None:
    folder = tmp_path / "rules"
    folder.mkdir()
    path = folder / "treasury.yaml"
    moments = iter(range(10**9, 10**12, 10**9))

    def write(text: str) -> None:
        path.write_text(text, "utf-8")
        moment = next(moments)
        os.utime(path, ns=(moment, moment))

    write(RULE.format(mode="shadow", treasury=TREASURY, payer=PAYER))
    environment = {"STOPGATE_INSPECTION__RULES": str(folder)}
    with running_anvil() as chain, running_gateway(chain.url, tmp_path / "gateway", environment) as gateway:
        wallet = Wallet(chain)
        chain.mine()
        time.sleep(1.0)

        def metric(name: str) -> float:
            text = gateway.text("/metrics")
            return next((float(line.rsplit(" ", 1)[1]) for line in text.splitlines() if line.startswith(name)), 0.0)

        watched = wallet.sign(to=TREASURY, value=3 * 10**18)
        assert gateway.call("eth_sendRawTransaction", watched)["result"] == hash_of(watched)
        until(lambda: metric('stopgate_rule_findings_total{rule="treasury-inflow"}') == 1, "the rule in shadow spoke")
        until(lambda: published(tmp_path / "gateway")[1] == 1, "people are told that it spoke")
        ((told,), _) = published(tmp_path / "gateway")
        assert [(rule.id, rule.mode, rule.owner) for rule in told.rules] == [("treasury-inflow", "shadow", "Treasury")]

        write(RULE.format(mode="enforce", treasury=TREASURY, payer=PAYER))
        until(lambda: metric('stopgate_rules{mode="enforce"}') == 1, "the changed rule is in force")
        small = wallet.sign(to=TREASURY, value=10**18)
        assert gateway.call("eth_sendRawTransaction", small)["result"] == hash_of(small)
        large = wallet.sign(to=TREASURY, value=3 * 10**18)
        held = gateway.call("eth_sendRawTransaction", large)["error"]
        assert held["data"]["status"] == "HELD"
        assert "treasury" not in str(held).replace(TREASURY, ""), "the public answer never names the rule"
        shown = gateway.cli("quarantine", "show", held["data"]["caseId"]).stdout
        assert "Somebody pays the treasury" in shown
        assert "3,000,000,000,000,000,000 wei arrive" in " ".join(shown.split())

        write(RULE.format(mode="enforce", treasury=TREASURY, payer=PAYER).replace("paid > units", "payed > units"))
        until(lambda: metric("stopgate_rules_refused") == 1, "a wrong file is told")
        assert "`payed` is not known" in gateway.log
        assert metric('stopgate_rules{mode="enforce"}') == 1
        until(lambda: published(tmp_path / "gateway")[0][0].problem, "people are told that the file is wrong")
        ((told,), hits) = published(tmp_path / "gateway")
        assert [rule.mode for rule in told.rules] == ["enforce"]
        assert hits >= 2
    assert published(tmp_path / "gateway")[0] == [], "a gateway that ended in order goes by nothing"


def test_a_gateway_does_not_start_with_a_wrong_rule(tmp_path: Path) -> None:
    path = tmp_path / "treasury.yaml"
    path.write_text(
        RULE.format(mode="enforce", treasury=TREASURY, payer=PAYER).replace("severity: high", "severity: huge"), "utf-8"
    )
    with running_anvil() as chain:
        process = GatewayProcess(chain.url, tmp_path / "gateway", {"STOPGATE_INSPECTION__RULES": str(path)})
        process.start(wait=False)
        assert process.wait() != 0
    assert f"{path}:5: severity: is 'huge'" in " ".join(process.log.split())
    assert "Traceback" not in process.log
