from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime, timedelta

import pytest

from fixtures.artifact import artifact
from gateway.inspection.knowledge.deployment import deployments_of, prepared
from gateway.inspection.knowledge.provenance import (
    created_address,
    embedded_addresses,
    is_made_by,
    is_standard,
    selectors,
)
from gateway.inspection.policy import decide
from gateway.model.deployment import Deployment
from gateway.model.finding import Confidence, Finding, InspectionReport, Severity
from gateway.model.primitive import Address
from gateway.model.trace import FrameKind
from gateway.model.verdict import Action
from tests.makers import ENTRY, SENDER, TRANSACTION, Tape, account

NOW = datetime(2026, 1, 1, tzinfo=UTC)
VICTIM = Address(bytes(range(1, 21)))


def runtime(name: str) -> bytes:
    return artifact(name).runtime


def seen(at: datetime = NOW, embedded: tuple[Address, ...] = (VICTIM,)) -> Deployment:
    effects = ("called 1 other contract",)
    return Deployment(ENTRY, SENDER, TRANSACTION.hash, at, 900, 5, ("onFlashLoan",), embedded, effects)


def report(victim: Address | None = VICTIM, severity: Severity = Severity.MEDIUM) -> InspectionReport:
    finding = Finding("a-detector", "Something", severity, Confidence.MEDIUM, "It happened.", victim=victim)
    return InspectionReport((finding,), (), simulated=True)


def found(before: InspectionReport, deployment: Deployment | None = seen(), now: datetime = NOW) -> Finding | None:
    return prepared(TRANSACTION, before, lambda address: deployment if address == ENTRY else None, now)


def test_a_fresh_contract_that_names_the_victim_is_a_voice_and_shows_its_evidence() -> None:
    finding = found(report(), now=NOW + timedelta(minutes=7))
    assert finding is not None
    assert finding.severity is Severity.MEDIUM
    assert "deployed 7 minutes ago" in finding.summary
    assert str(VICTIM) in finding.summary
    assert finding.evidence["callbacks"] == "onFlashLoan"
    assert finding.evidence["constructor"] == "called 1 other contract"


def test_it_holds_nobody_by_itself_nor_beside_one_weak_finding() -> None:
    assert found(InspectionReport((), (), simulated=True)) is None, "an honest call of a fresh contract"
    finding = found(report())
    assert finding is not None
    weak = report()
    assert decide(replace(weak, findings=(*weak.findings, finding))).action is Action.FORWARD


@pytest.mark.parametrize(
    ("before", "deployment", "now"),
    [
        (report(victim=account(9)), seen(), NOW),
        (report(severity=Severity.LOW), seen(), NOW),
        (report(), seen(embedded=()), NOW),
        (report(), seen(), NOW + timedelta(days=2)),
    ],
    ids=["another victim", "a weak finding", "names nobody", "an old contract"],
)
def test_otherwise_what_is_known_is_for_the_analyst_only(
    before: InspectionReport, deployment: Deployment, now: datetime
) -> None:
    finding = found(before, deployment, now)
    assert finding is not None
    assert finding.severity is Severity.INFO


def test_a_contract_nobody_saw_being_deployed_adds_nothing() -> None:
    assert found(report(), None) is None


def test_what_a_deployment_shows_is_read_from_code_and_constructor() -> None:
    code = b"\x73" + VICTIM + b"\x73" + bytes(20) + b"\x73" + b"\xff" * 20 + b"\x50" * 100
    tape = Tape()
    with tape.call(account(50), kind=FrameKind.CREATE, output=code, value=5), tape.call(account(51)):
        tape.log(account(51), (b"\x01" * 32,), b"")
    (one,) = deployments_of(TRANSACTION, tape.result(), NOW)
    assert (one.address, one.creator, one.code_size) == (account(50), SENDER, len(code))
    assert one.embedded == (VICTIM,), "neither zero nor a mask is an address"
    assert one.effects == ("called 1 other contract", "caused 1 event", "was given 5 wei")


def test_a_sender_s_own_contract_is_proved_by_its_nonces() -> None:
    made = created_address(SENDER, 41)
    assert is_made_by(made, SENDER, 50)
    assert not is_made_by(made, account(77), 50)
    assert not is_made_by(created_address(SENDER, 1), SENDER, 5_000), "too long ago to be looked for"


@pytest.mark.parametrize("name", ["Token", "Pair", "WalletProxy", "UpgradeableProxy", "Weth"])
def test_what_everybody_uses_is_standard(name: str) -> None:
    assert is_standard(runtime(name))


@pytest.mark.parametrize("name", ["SpotOracleAttack", "BankReentry", "HookReentry"])
def test_an_attack_contract_is_not(name: str) -> None:
    assert not is_standard(runtime(name))
    assert selectors(runtime(name))
    assert len(embedded_addresses(runtime(name))) <= 32
