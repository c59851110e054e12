"""What follows from a report: one action and the clause that chose it."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum

from gateway.model.finding import InspectionReport


class Action(StrEnum):
    """What happens to the transaction now."""

    FORWARD = "forward"
    HOLD = "hold"
    DEFER = "defer"
    """hold, finish the inspection in the background, forward by itself when clean"""
    REJECT = "reject"


class ReasonClass(StrEnum):
    """All that the public ever learns of the reason."""

    SECURITY_REVIEW = "security-review"
    STILL_INSPECTING = "still-inspecting"
    WAITING_FOR_NONCE = "waiting-for-nonce"
    POLICY = "policy"
    UNAVAILABLE = "unavailable"
    INVALID = "invalid"


@dataclass(frozen=True, slots=True)
class Verdict:
    """The decision on one transaction."""

    action: Action
    clause: str
    """name of the policy clause that spoke"""
    reason: str
    """for the analyst; never for the client"""
    reason_class: ReasonClass
    report: InspectionReport
    score: float = 0.0
    """calibrated 0 to 1, what the clause compared"""
    observed: bool = False
    """True if observe mode turned another action into FORWARD; `clause` still names what would have acted"""
