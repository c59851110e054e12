"""What the API takes and gives of the work on a case, as OpenAPI schemas."""

from __future__ import annotations

from datetime import datetime
from typing import Any

from pydantic import Field

from dashboard.api.bodies import Body, FindingBody
from gateway.model.account import CaseMark
from gateway.model.casework import Appeal, Attachment, BlockChanges, CaseRun
from gateway.model.primitive import Address, Hash32


class BlockChangesBody(Body):
    """What is different in the block's environment; what is left out stays as in the next block."""

    timestamp: int | None = Field(default=None, strict=True, ge=0, le=2**40, description="seconds since 1970")
    number: int | None = Field(default=None, strict=True, ge=0, le=2**40)
    base_fee: str | None = Field(default=None, pattern="^[0-9]{1,38}$", description="wei, decimal")
    coinbase: str | None = Field(default=None, pattern="^0x[0-9a-fA-F]{40}$")
    prev_randao: str | None = Field(default=None, pattern="^0x[0-9a-fA-F]{64}$")

    def changes(self) -> BlockChanges:
        """The model's value."""
        return BlockChanges(
            timestamp=self.timestamp,
            number=self.number,
            base_fee=None if self.base_fee is None else int(self.base_fee),
            coinbase=None if self.coinbase is None else Address.from_hex(self.coinbase),
            prev_randao=None if self.prev_randao is None else Hash32.from_hex(self.prev_randao),
        )

    @classmethod
    def of(cls, changes: BlockChanges) -> BlockChangesBody:
        """From the model's value."""
        return cls(
            timestamp=changes.timestamp,
            number=changes.number,
            base_fee=None if changes.base_fee is None else str(changes.base_fee),
            coinbase=None if changes.coinbase is None else str(changes.coinbase),
            prev_randao=None if changes.prev_randao is None else str(changes.prev_randao),
        )


class RunBody(Body):
    """One simulation that was asked for. Nothing follows from a run."""

    id: int
    asked_by: str
    asked_at: datetime
    changes: BlockChangesBody
    finished_at: datetime | None
    problem: str | None
    findings: list[FindingBody] | None = Field(description="null while it waits, or if there is no result")

    @classmethod
    def of(cls, run: CaseRun) -> RunBody:
        """From the model's value."""
        return cls(**run_fields(run))


class BalanceBody(Body):
    """One asset of one address: what it would have gained or lost then, and now."""

    address: str
    label: str
    role: str
    before: str
    after: str
    same: bool


class RunResultBody(RunBody):
    """A run beside the verdict that holds the case."""

    new: list[str] = Field(description="detectors that speak now and did not")
    gone: list[str] = Field(description="detectors that spoke and do not now")
    balances: list[BalanceBody]


class AskedBody(Body):
    """The number of a new run."""

    id: int


class AppealBody(Body):
    """What the sender says, proved by a signature of the sender's key."""

    id: int
    sender: str
    at: datetime
    text: str
    message: str
    signature: str
    answer: str | None
    answered_by: str | None
    answered_at: datetime | None

    @classmethod
    def of(cls, appeal: Appeal) -> AppealBody:
        """From the model's value."""
        return cls(
            id=appeal.id,
            sender=str(appeal.sender),
            at=appeal.at,
            text=appeal.text,
            message=appeal.message,
            signature=appeal.signature,
            answer=appeal.answer,
            answered_by=appeal.answered_by,
            answered_at=appeal.answered_at,
        )


class AnswerBody(Body):
    """What the sender reads on the public page."""

    text: str = Field(min_length=1, max_length=1000, description="never name a detector, a limit or what gave it away")


class AttachmentBody(Body):
    """A file beside a case."""

    id: int
    author: str
    at: datetime
    name: str
    media_type: str
    size: int
    sha256: str
    removed_by: str | None

    @classmethod
    def of(cls, kept: Attachment) -> AttachmentBody:
        """From the model's value."""
        return cls(
            id=kept.id,
            author=kept.author,
            at=kept.at,
            name=kept.name,
            media_type=kept.media_type,
            size=kept.size,
            sha256=kept.digest,
            removed_by=kept.removed_by,
        )


class KeptNoteBody(Body):
    """A remark that was made."""

    id: int
    author: str
    at: datetime
    text: str


class KeptMarkBody(Body):
    """A mark that stands."""

    id: int
    mark: str
    actor: str
    reason: str
    at: datetime

    @classmethod
    def of(cls, mark: CaseMark) -> KeptMarkBody:
        """From the model's value."""
        return cls(id=mark.id, mark=mark.mark.value, actor=mark.actor, reason=mark.reason, at=mark.at)


def run_fields(run: CaseRun) -> dict[str, Any]:
    """What every body of a run has."""
    return {
        "id": run.id,
        "asked_by": run.asked_by,
        "asked_at": run.asked_at,
        "changes": BlockChangesBody.of(run.changes),
        "finished_at": run.finished_at,
        "problem": run.problem,
        "findings": None
        if run.verdict is None
        else [FindingBody.of(finding) for finding in run.verdict.report.findings],
    }
