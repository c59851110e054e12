"""Why a case is held, in two sentences."""

from __future__ import annotations

from gateway.model.finding import Confidence, OutcomeStatus, Severity
from gateway.model.quarantine import QuarantineEntry
from gateway.model.verdict import Action


def why_held(entry: QuarantineEntry) -> tuple[str, str]:
    """What was seen, and how sure and how complete that is."""
    report = entry.verdict.report
    findings = sorted(report.findings, key=lambda found: (-found.severity, -found.confidence, found.detector_id))
    if findings:
        first = findings[0].summary or findings[0].title
    elif report.error:
        first = f"It could not be simulated: {report.error}"
    else:
        first = entry.verdict.reason or "No detector spoke; the policy holds it all the same"
    first = first.rstrip(". ") + "."
    unfinished = sum(1 for outcome in report.outcomes if outcome.status is not OutcomeStatus.COMPLETED)
    clause = f"the policy clause “{entry.verdict.clause}”"
    verb = {Action.DEFER: "kept it waiting", Action.REJECT: "rejected it"}.get(entry.verdict.action, "held it")
    if findings:
        worst, sure = Severity(findings[0].severity).name.lower(), Confidence(findings[0].confidence).name.lower()
        detectors = len({found.detector_id for found in findings})
        who = "one detector" if detectors == 1 else f"{detectors} detectors"
        second = f"{_upper(clause)} {verb} on the word of {who}: gravest finding {worst}, confidence {sure}"
    else:
        second = f"{_upper(clause)} {verb}"
    if unfinished:
        many = f"{unfinished} detectors" if unfinished > 1 else "one detector"
        second += f"; {many} did not finish, so more may be wrong than is shown"
    return first, second + "."


def _upper(text: str) -> str:
    return text[:1].upper() + text[1:]
