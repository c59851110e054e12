from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from gateway.inspection.knowledge.trust import EVIDENCE, Trust
from gateway.inspection.policy import decide
from gateway.model.finding import Confidence, Finding, InspectionReport, Severity
from gateway.model.primitive import Address
from gateway.model.trust import Reputation, TrustEntry
from gateway.model.verdict import Action
from tests.makers import ENTRY, SENDER, TRANSACTION, account

NOW = datetime(2026, 1, 1, tzinfo=UTC)
CALL = replace(TRANSACTION, input=bytes.fromhex("12345678") + bytes(32))


def line(**parts: Any) -> TrustEntry:
    given: dict[str, Any] = {"sender": None, "contract": None, "selector": None, "detector": None, **parts}
    rest = {"id": 7, "reason": "our keeper", "author": "lead", "created_at": NOW, "expires_at": NOW + timedelta(days=1)}
    return TrustEntry(**{**rest, **given})


def report(severity: Severity = Severity.HIGH, confidence: Confidence = Confidence.MEDIUM) -> InspectionReport:
    finding = Finding("mass-drain", "Many wallets were emptied", severity, confidence, "It happened.")
    return InspectionReport((finding,), (), simulated=True)


def confidence(trust: Trust, before: InspectionReport, now: datetime = NOW) -> Confidence:
    return trust.lower(before, CALL, now).report.findings[0].confidence


def test_a_trusted_sender_lowers_by_one_step_and_the_verdict_says_why() -> None:
    lowered = Trust([line(sender=SENDER)]).lower(report(), CALL, NOW)
    (finding,) = lowered.report.findings
    assert finding.confidence is Confidence.LOW
    assert "line 7 of the allow list by lead" in finding.evidence[EVIDENCE]
    assert "from medium to low" in lowered.notes[0]
    assert decide(report()).action is Action.HOLD
    assert decide(lowered.report).action is Action.FORWARD
    assert confidence(Trust([line(sender=SENDER)]), report(confidence=Confidence.HIGH)) is Confidence.MEDIUM


def test_a_line_for_one_detector_makes_its_findings_low() -> None:
    named = Trust([line(sender=SENDER, detector="mass-drain")])
    assert confidence(named, report(confidence=Confidence.HIGH)) is Confidence.LOW
    other = Trust([line(sender=SENDER, detector="takeover")])
    assert confidence(other, report()) is Confidence.MEDIUM


@pytest.mark.parametrize(
    "entry",
    [
        line(sender=account(77)),
        line(contract=account(77)),
        line(sender=SENDER, contract=account(77)),
        line(contract=ENTRY, selector=bytes(4)),
        line(sender=SENDER, expires_at=NOW),
        line(sender=SENDER, ended_at=NOW),
    ],
    ids=["another sender", "another contract", "both must fit", "another function", "expired", "withdrawn"],
)
def test_a_line_counts_only_where_everything_fits(entry: TrustEntry) -> None:
    before = report()
    assert Trust([entry]).lower(before, CALL, NOW).report is before


def test_a_function_of_a_contract_can_be_trusted() -> None:
    assert confidence(Trust([line(contract=ENTRY, selector=CALL.input[:4])]), report()) is Confidence.LOW


def test_nobody_s_word_lowers_a_critical_finding() -> None:
    trust = Trust([line(sender=SENDER), line(sender=SENDER, detector="mass-drain")])
    assert confidence(trust, report(Severity.CRITICAL, Confidence.HIGH)) is Confidence.HIGH


def known(address: Address, **parts: Any) -> Trust:
    old = {"clean": 500, "senders": 20, "first_seen": NOW - timedelta(days=30), "last_seen": NOW}
    history = Reputation(**{"address": address, **old, **parts})
    return Trust((), {address: history}.get)


@pytest.mark.parametrize("address", [ENTRY, SENDER], ids=["a public contract", "a regular sender"])
def test_history_lowers_a_medium_finding_and_no_graver_one(address: Address) -> None:
    trust = known(address)
    lowered = trust.lower(report(Severity.MEDIUM), CALL, NOW)
    assert lowered.report.findings[0].confidence is Confidence.LOW
    assert "500 clean transactions" in lowered.notes[0]
    assert confidence(trust, report(Severity.HIGH)) is Confidence.MEDIUM


@pytest.mark.parametrize("parts", [{"confirmed": 1}, {"clean": 10}, {"first_seen": NOW}])
def test_a_burnt_or_a_young_history_vouches_for_nothing(parts: dict[str, Any]) -> None:
    assert confidence(known(ENTRY, **parts), report(Severity.MEDIUM)) is Confidence.MEDIUM
