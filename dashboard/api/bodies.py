"""What the API takes and gives, as OpenAPI schemas. Amounts in wei are decimal text: JSON has no 256 bits."""

from __future__ import annotations

from datetime import datetime
from typing import Literal

from pydantic import BaseModel, ConfigDict, Field, field_validator

from gateway.model.account import Mark
from gateway.model.finding import Confidence, Finding, Severity
from gateway.model.quarantine import CaseState, QuarantineEntry


class Body(BaseModel):
    """What every body has in common: nothing unknown is taken."""

    model_config = ConfigDict(extra="forbid", str_strip_whitespace=True, from_attributes=True)

    @field_validator("*")
    @classmethod
    def _is_storable(cls, value: object) -> object:
        if isinstance(value, str) and "\x00" in value:
            raise ValueError("no text may contain the character NUL")  # Postgres stores none
        return value


class Problem(Body):
    """Why a request was refused."""

    error: str


class FindingBody(Body):
    """One finding of a detector."""

    detector: str
    title: str
    severity: str
    confidence: str
    summary: str
    victim: str | None
    attacker: str | None
    instrument: str | None
    frames: list[int]
    evidence: dict[str, str]
    references: list[str]

    @classmethod
    def of(cls, finding: Finding) -> FindingBody:
        """From the model's value."""
        return cls(
            detector=finding.detector_id,
            title=finding.title,
            severity=Severity(finding.severity).name.lower(),
            confidence=Confidence(finding.confidence).name.lower(),
            summary=finding.summary,
            victim=_text(finding.victim),
            attacker=_text(finding.attacker),
            instrument=_text(finding.instrument),
            frames=list(finding.frames),
            evidence=dict(finding.evidence),
            references=list(finding.references),
        )


class CaseBody(Body):
    """One case."""

    case_id: str
    hash: str
    state: CaseState
    sender: str
    nonce: int
    to: str | None
    value: str = Field(description="wei, decimal")
    held_at: datetime
    expires_at: datetime
    estimated_loss: float | None
    clause: str
    reason: str
    score: float
    findings: list[FindingBody]
    assigned_to: str | None
    decided_by: str | None
    decided_at: datetime | None
    decision_reason: str | None
    group: str
    version: int

    @classmethod
    def of(cls, entry: QuarantineEntry) -> CaseBody:
        """From the model's value."""
        return cls(
            case_id=entry.case_id,
            hash=str(entry.hash),
            state=entry.state,
            sender=str(entry.sender),
            nonce=entry.nonce,
            to=_text(entry.to),
            value=str(entry.value),
            held_at=entry.held_at,
            expires_at=entry.expires_at,
            estimated_loss=entry.estimated_loss,
            clause=entry.verdict.clause,
            reason=entry.verdict.reason,
            score=entry.verdict.score,
            findings=[FindingBody.of(finding) for finding in entry.verdict.report.findings],
            assigned_to=entry.assigned_to,
            decided_by=entry.decided_by,
            decided_at=entry.decided_at,
            decision_reason=entry.decision_reason,
            group=entry.group,
            version=entry.version,
        )


class CasesBody(Body):
    """One page of cases."""

    total: int
    offset: int
    cases: list[CaseBody]


class StepBody(Body):
    """One step that a case took; read from the model's value."""

    from_state: CaseState | None
    to_state: CaseState
    actor: str
    second_actor: str | None
    reason: str
    at: datetime


class DecisionBody(Body):
    """Release or reject."""

    target: Literal["RELEASED", "REJECTED"]
    reason: str = Field(min_length=1, max_length=2000)


class ExtensionBody(Body):
    """More time."""

    hours: int = Field(strict=True, ge=1, le=168)
    reason: str = Field(min_length=1, max_length=2000)


class AssignmentBody(Body):
    """Claim, hand over (a name) or give back (null)."""

    to: str | None = Field(max_length=64)


class NoteBody(Body):
    """A remark."""

    text: str = Field(min_length=1, max_length=4000)


class MarkBody(Body):
    """What a case turned out to be."""

    mark: Mark
    reason: str = Field(min_length=1, max_length=2000)


class DoneBody(Body):
    """What became of a request that changes something."""

    done: str
    case: CaseBody


class MeBody(Body):
    """Whose token this is."""

    name: str
    role: str
    scopes: list[str]
    expires_at: datetime


def _text(value: object) -> str | None:
    return None if value is None else str(value)
