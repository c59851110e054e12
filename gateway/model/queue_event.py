"""What happened to the live queue, step by step."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum

from gateway.model.primitive import Hash32
from gateway.model.quarantine import CaseState


class QueueEventKind(StrEnum):
    """What happened to the live queue."""

    HELD = "held"
    MOVED = "moved"
    REMOVED = "removed"
    CHANGED = "changed"
    """claimed, extended or inspected again, but in the same state"""


@dataclass(frozen=True, slots=True)
class QueueEvent:
    """One step of the live queue, in order; `id` is what SSE sends as the event id."""

    id: str
    kind: QueueEventKind
    case_id: str
    hash: Hash32
    state: CaseState
    at: datetime
