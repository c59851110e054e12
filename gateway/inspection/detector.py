"""What a detector is: a complete document with one function in it, refused at class creation when incomplete."""

from __future__ import annotations

import inspect as introspection
import re
from abc import ABC, abstractmethod
from collections.abc import Iterable, Mapping
from enum import StrEnum
from typing import Any, ClassVar

from gateway.errors import ConfigurationError
from gateway.inspection.need import Need
from gateway.inspection.subject import Inspection
from gateway.model.finding import Confidence, Finding, Severity
from gateway.model.primitive import Address

_ID = re.compile(r"[a-z][a-z0-9]*(-[a-z0-9]+)*")


class Family(StrEnum):
    """The kinds of attack that recall is counted by."""

    ACCESS = "missing access control"
    PRICE = "price and reserve manipulation"
    SHARE = "share price and rounding"
    DEPUTY = "confused deputy and allowance drain"
    REENTRANCY = "re-entrancy"
    SOLVENCY = "solvency"
    GOVERNANCE = "governance"
    TAKEOVER = "proxy, owner and role takeover"
    MINT = "unbacked mint and burn"
    BRIDGE = "bridge and message forgery"
    COUNTERFEIT = "counterfeit token, market or collateral"
    SIGNATURE = "signature replay and no-op permit"
    DELEGATION = "delegation sweep"
    REWARD = "reward and staking accounting"
    CODE = "injected and changing code"
    DRAINER = "drainer"
    RESOURCE = "resource exhaustion"
    FLOW = "abnormal flow of value"


class Detector(ABC):
    """Looks at one inspected transaction and says what it sees.

    The docstring is the help text: its first line is the title of every finding, the rest tells the attack story.
    `inspect` is synchronous, deterministic and read-only: no clock, no network, no randomness, and its work is
    linear in the size of the trace. Raising is allowed: the run is then recorded as failed, and the policy
    decides what follows. State kept on `self` is shared between threads and must not change after construction.
    """

    id: ClassVar[str]
    """kebab-case, equal to the entry point's name, never reused"""
    family: ClassVar[Family]
    severity: ClassVar[Severity]
    """how bad it is if true; a finding may say otherwise"""
    confidence: ClassVar[Confidence]
    """how sure a finding is unless it says otherwise"""
    references: ClassVar[tuple[str, ...]]
    """incidents, advisories or standards that describe the attack"""
    false_positives: ClassVar[tuple[str, ...]]
    """honest behaviour that looks alike"""
    cost: ClassVar[int] = 10
    """rough microseconds per frame; cheap detectors run first"""
    needs_accesses: ClassVar[bool] = False
    """True: useless on an engine that supplies no storage accesses; the run is then recorded as unsupported"""
    needs: ClassVar[frozenset[Need]] = frozenset()
    """what must hold for `inspect` to find anything; where one does not, the detector counts as completed unasked"""
    title: ClassVar[str]

    def __init_subclass__(cls, **kwargs: Any) -> None:
        """Refuse a detector whose document is incomplete.

        Raises:
            ConfigurationError: naming the class and what is missing.
        """
        super().__init_subclass__(**kwargs)
        if introspection.isabstract(cls):
            return
        document = introspection.cleandoc(cls.__doc__ or "")
        checks: Mapping[str, bool] = {
            "a docstring of at least two paragraphs": len(document.split("\n\n")) >= 2,
            "a kebab-case id": isinstance(getattr(cls, "id", None), str) and bool(_ID.fullmatch(cls.id)),
            "a family": isinstance(getattr(cls, "family", None), Family),
            "a severity": isinstance(getattr(cls, "severity", None), Severity),
            "a confidence": isinstance(getattr(cls, "confidence", None), Confidence),
            "references": _is_filled(getattr(cls, "references", None)),
            "false_positives": _is_filled(getattr(cls, "false_positives", None)),
        }
        missing = [name for name, good in checks.items() if not good]
        if missing:
            raise ConfigurationError(f"detector {cls.__module__}.{cls.__qualname__} lacks {', '.join(missing)}")
        cls.title = document.split("\n", 1)[0].rstrip(".")

    @abstractmethod
    def inspect(self, subject: Inspection) -> Iterable[Finding]:
        """Yield one finding per thing seen, the gravest first; nothing if all is well."""

    def finding(
        self,
        summary: str,
        *,
        victim: Address | None = None,
        attacker: Address | None = None,
        instrument: Address | None = None,
        frames: tuple[int, ...] = (),
        evidence: Mapping[str, str] | None = None,
        severity: Severity | None = None,
        confidence: Confidence | None = None,
    ) -> Finding:
        """A finding of this detector; the class's values stand where nothing else is said."""
        return Finding(
            detector_id=self.id,
            title=self.title,
            severity=self.severity if severity is None else severity,
            confidence=self.confidence if confidence is None else confidence,
            summary=summary,
            victim=victim,
            attacker=attacker,
            instrument=instrument,
            frames=frames[:64],
            evidence=dict(evidence or {}),
            references=self.references,
        )


def _is_filled(value: object) -> bool:
    return isinstance(value, tuple) and bool(value) and all(isinstance(entry, str) and entry for entry in value)
