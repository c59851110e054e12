"""The append-only record of what came in and what was decided."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum


class AuditKind(StrEnum):
    """What kind of event a record tells."""

    SUBMISSION = "submission"
    DECISION = "decision"
    FORWARD = "forward"
    SIGN_IN = "sign-in"
    CONFIGURATION = "configuration"


@dataclass(frozen=True, slots=True)
class AuditRecord:
    """One line of the hash-chained log."""

    sequence: int
    kind: AuditKind
    at: datetime
    actor: str
    """"gateway", a user name, or a service account"""
    subject: str
    """transaction hash, case id or account the record is about"""
    detail: Mapping[str, object]
    """plain JSON values"""
    previous_hash: bytes
    """32 bytes; zero for the first record"""
    hash: bytes
    """sha256 over previous_hash and the canonical JSON of the rest"""
