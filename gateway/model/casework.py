"""What people do on a case beside deciding it: runs on demand, appeals, evidence, mentions."""

from __future__ import annotations

from dataclasses import dataclass, fields, replace
from datetime import datetime

from gateway.model.block import BlockContext
from gateway.model.case import CaseDetail
from gateway.model.primitive import Address, Hash32
from gateway.model.verdict import Verdict


@dataclass(frozen=True, slots=True)
class BlockChanges:
    """What is different in the block's environment; None leaves a part as it would be in the next block."""

    timestamp: int | None = None
    """seconds since 1970"""
    number: int | None = None
    coinbase: Address | None = None
    base_fee: int | None = None
    """wei"""
    prev_randao: Hash32 | None = None

    @property
    def any(self) -> bool:
        """False: the next block as it is expected."""
        return any(getattr(self, part.name) is not None for part in fields(self))

    def applied(self, context: BlockContext) -> BlockContext:
        """The environment with these changes. The fork stays: a changed time does not bring other rules."""
        given = {part.name: getattr(self, part.name) for part in fields(self)}
        return replace(context, **{name: value for name, value in given.items() if value is not None})


@dataclass(frozen=True, slots=True)
class CaseRun:
    """One simulation that was asked for."""

    id: int
    case_id: str
    asked_by: str
    asked_at: datetime
    changes: BlockChanges
    finished_at: datetime | None
    """None while it waits or runs"""
    problem: str | None
    """why there is no result"""
    verdict: Verdict | None
    detail: CaseDetail | None
    """None if it is not there, or was not asked for"""


@dataclass(frozen=True, slots=True)
class Appeal:
    """What the sender says, proved by a signature."""

    id: int
    case_id: str
    sender: Address
    at: datetime
    text: str
    message: str
    signature: str
    answer: str | None
    answered_by: str | None
    answered_at: datetime | None


@dataclass(frozen=True, slots=True)
class Attachment:
    """A file beside a case."""

    id: int
    case_id: str
    author: str
    at: datetime
    name: str
    media_type: str
    size: int
    digest: str
    removed_by: str | None


@dataclass(frozen=True, slots=True)
class Mention:
    """Somebody was named in a note."""

    id: int
    case_id: str
    name: str
    author: str
    at: datetime
    text: str
    """of the note"""
