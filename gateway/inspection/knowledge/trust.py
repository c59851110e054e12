"""Lowers how sure findings are where people or history vouch for an address; pure, and says what it did."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass, replace
from datetime import datetime

from gateway.model.finding import Confidence, Finding, InspectionReport, Severity
from gateway.model.primitive import Address
from gateway.model.transaction import Transaction
from gateway.model.trust import Reputation, TrustEntry

ENTRY_CEILING = Severity.HIGH
"""findings above this severity are lowered by nobody's word"""
REPUTATION_CEILING = Severity.MEDIUM
"""history is cheap to make on a quiet chain, so it vouches for less"""
EVIDENCE = "confidence lowered"
"""name of the evidence that says what was done to a finding, and why"""

ReputationOf = Callable[[Address], Reputation | None]


@dataclass(frozen=True, slots=True)
class Lowered:
    """A report after trust, and what trust did in one sentence each."""

    report: InspectionReport
    notes: tuple[str, ...]


class Trust:
    """The living lines of the allow list, and the history of addresses; replaced as a whole when either changes."""

    def __init__(self, entries: Iterable[TrustEntry] = (), reputation: ReputationOf = lambda address: None) -> None:
        self._entries = tuple(entries)
        self._addresses = {address for entry in self._entries for address in (entry.sender, entry.contract)} - {None}
        self._reputation = reputation

    def lower(self, report: InspectionReport, transaction: Transaction, now: datetime) -> Lowered:
        """The report with lowered findings. Nothing is removed, and the engine's failures stay what they are.

        A line that names a detector lowers that detector's findings to LOW; any other line, and history, by one step.
        """
        if not report.findings:
            return Lowered(report, ())
        speaking = [entry for entry in self._entries if _covers(entry, transaction) and entry.speaks_at(now)]
        regular = self._history(transaction)
        if not speaking and regular is None:
            return Lowered(report, ())
        findings, notes = [], []
        for finding in report.findings:
            lowered, why = _lowered(finding, speaking, regular)
            if lowered < finding.confidence:
                step = f"from {finding.confidence.name.lower()} to {lowered.name.lower()}"
                notes.append(f"{finding.title}: {step}, for {why}")
                finding = replace(
                    finding, confidence=lowered, evidence={**finding.evidence, EVIDENCE: f"{step}: {why}"}
                )
            findings.append(finding)
        return Lowered(replace(report, findings=tuple(findings)) if notes else report, tuple(notes))

    def is_listed(self, contract: Address) -> bool:
        """True if a line of the allow list names the address."""
        return contract in self._addresses

    def _history(self, transaction: Transaction) -> Reputation | None:
        """Of the called contract if it is a public place or a regular's own; of the sender only for plain sends."""
        called = self._reputation(transaction.to) if transaction.to is not None else None
        if called is not None and (called.public or called.regular):
            return called
        sender = self._reputation(transaction.sender)
        return sender if sender is not None and sender.regular else None


def _covers(entry: TrustEntry, transaction: Transaction) -> bool:
    return (
        (entry.sender is None or entry.sender == transaction.sender)
        and (entry.contract is None or entry.contract == transaction.to)
        and (entry.selector is None or entry.selector == transaction.input[:4])
    )


def _lowered(finding: Finding, speaking: Iterable[TrustEntry], history: Reputation | None) -> tuple[Confidence, str]:
    best, why = finding.confidence, ""
    for entry in speaking:
        if finding.severity > ENTRY_CEILING or entry.detector not in (None, finding.detector_id):
            continue
        reached = Confidence.LOW if entry.detector else _step_down(finding.confidence)
        if reached < best:
            best = reached
            until = f"{entry.expires_at:%Y-%m-%d}"
            why = f'line {entry.id} of the allow list by {entry.author} until {until}: "{entry.reason}"'
    if history is not None and finding.severity <= REPUTATION_CEILING and _step_down(finding.confidence) < best:
        best = _step_down(finding.confidence)
        why = (
            f"{history.address} is {history.standing}: {history.clean} clean transactions "
            f"since {history.first_seen:%Y-%m-%d}"
        )
    return best, why


def _step_down(confidence: Confidence) -> Confidence:
    return Confidence(max(Confidence.LOW, confidence - 1))
