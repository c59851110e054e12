"""Verdicts and reports as plain JSON values, and back."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from gateway.model.finding import Confidence, DetectorOutcome, Finding, InspectionReport, OutcomeStatus, Severity
from gateway.model.verdict import Action, ReasonClass, Verdict
from gateway.store.document.trace import Bounds, Budget, address_or_none, text_or_none


def verdict_to(verdict: Verdict) -> dict[str, Any]:
    """A verdict as plain JSON values, its report within the default bounds."""
    return {
        "action": verdict.action.value,
        "clause": verdict.clause,
        "reason": verdict.reason,
        "reason_class": verdict.reason_class.value,
        "score": verdict.score,
        "observed": verdict.observed,
        "report": report_to(verdict.report, Budget(Bounds())),
    }


def verdict_from(document: Mapping[str, Any]) -> Verdict:
    """The verdict that `verdict_to` wrote."""
    return Verdict(
        action=Action(document["action"]),
        clause=document["clause"],
        reason=document["reason"],
        reason_class=ReasonClass(document["reason_class"]),
        report=report_from(document["report"]),
        score=document["score"],
        observed=document["observed"],
    )


def report_to(report: InspectionReport, budget: Budget) -> dict[str, Any]:
    """A report as plain JSON values."""
    return {
        "findings": [_finding_to(finding, budget) for finding in budget.items("findings", report.findings)],
        "outcomes": [
            [
                o.detector_id,
                o.status.value,
                o.duration,
                budget.text(o.error) if o.error is not None else None,
                o.binding,
            ]
            for o in report.outcomes
        ],
        "simulated": report.simulated,
        "reverted": report.reverted,
        "truncated": report.truncated,
        "error": budget.text(report.error) if report.error is not None else None,
        "ruleset_hash": report.ruleset_hash,
    }


def report_from(document: Mapping[str, Any]) -> InspectionReport:
    """The report that `report_to` wrote."""
    return InspectionReport(
        findings=tuple(_finding_from(finding) for finding in document["findings"]),
        outcomes=tuple(
            DetectorOutcome(detector_id, OutcomeStatus(status), duration, error, *binding)
            for detector_id, status, duration, error, *binding in document["outcomes"]
        ),
        simulated=document["simulated"],
        reverted=document["reverted"],
        truncated=document["truncated"],
        error=document["error"],
        ruleset_hash=document["ruleset_hash"],
    )


def _finding_to(finding: Finding, budget: Budget) -> dict[str, Any]:
    return {
        "detector_id": finding.detector_id,
        "title": finding.title,
        "severity": finding.severity.name,
        "confidence": finding.confidence.name,
        "summary": budget.text(finding.summary),
        "victim": text_or_none(finding.victim),
        "attacker": text_or_none(finding.attacker),
        "instrument": text_or_none(finding.instrument),
        "frames": list(finding.frames[: budget.bounds.frames]),
        "evidence": {budget.text(key): budget.text(value) for key, value in finding.evidence.items()},
        "references": list(finding.references),
    }


def _finding_from(document: Mapping[str, Any]) -> Finding:
    return Finding(
        detector_id=document["detector_id"],
        title=document["title"],
        severity=Severity[document["severity"]],
        confidence=Confidence[document["confidence"]],
        summary=document["summary"],
        victim=address_or_none(document["victim"]),
        attacker=address_or_none(document["attacker"]),
        instrument=address_or_none(document["instrument"]),
        frames=tuple(document["frames"]),
        evidence=document["evidence"],
        references=tuple(document["references"]),
    )
