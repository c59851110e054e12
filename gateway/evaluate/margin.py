"""How near honest acts come to each detector, and how near caught exploits come to escaping it.

No detector is changed for it. Its thresholds are the numbers that its module names in capitals; each is scaled in
turn while the detector looks at the same subject again, and where its answer changes, the factor is narrowed down: a
loss of 1.4 % against a limit of 2 % shows as 0.7 times the limit. Then the answers that detectors get about consent
and payment are turned against the sender, one kind after the other. Two conditions that fail together are not seen.
"""

from __future__ import annotations

import math
import sys
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from copy import copy
from dataclasses import dataclass, replace
from types import ModuleType
from typing import Any

from gateway.inspection.detector import Detector
from gateway.inspection.harm.loss import Loss
from gateway.inspection.harm.terms import NO_TERMS
from gateway.inspection.policy import DEFAULT_POLICY, decide
from gateway.inspection.registry import Ruleset
from gateway.inspection.subject import Inspection
from gateway.model.finding import Finding, InspectionReport
from gateway.model.primitive import Address
from gateway.model.verdict import Action

FACTORS = (0.5, 2.0, 0.25, 4.0)
"""what a threshold is multiplied by, in this order"""
NEARLY = 0.9
"""from here on, up to 1, a threshold says what may be missing from the whole: the missing part is multiplied"""
MASK = 1 << 128
"""from here on a number is no threshold but a mask or a flag"""
HALVINGS = 6
"""how often a factor is narrowed down; within a factor of two that is about one per cent"""


@dataclass(frozen=True, slots=True)
class Leaning:
    """One change after which a detector answers otherwise about one act."""

    act: str
    honest: bool
    """True: it would speak; False: an exploit that no other detector holds would escape it"""
    detector: str
    knob: str
    """the threshold's or the condition's name"""
    limit: float | None
    """the threshold as it is; None for a condition"""
    factor: float
    """what the threshold must be multiplied by at least, see `moved`; 0 for a condition"""

    @property
    def value(self) -> float | None:
        """The threshold at which the answer changes; None for a condition."""
        return None if self.limit is None else moved(self.limit, self.factor)

    @property
    def distance(self) -> float:
        """How far the limit must move: 0 is at the limit, 1 half or twice of it; endless for a condition."""
        return abs(math.log2(self.factor)) if self.factor else math.inf


def moved(limit: float, factor: float) -> float:
    """A threshold moved by a factor: 0.02 by two is 0.04, and 0.97 by two is 0.94. Whole numbers stay whole."""
    if isinstance(limit, int):
        return round(limit * factor)
    return 1.0 - (1.0 - limit) * factor if NEARLY <= limit < 1.0 else limit * factor


def _unpaid(subject: Inspection) -> Mapping[str, Any]:
    """The ordering side gave nothing."""
    return {"consideration": 0.0}


def _unagreed(subject: Inspection) -> Mapping[str, Any]:
    """Nobody agreed: no bond, signature or fixed receiver counts."""

    def alone(losses: tuple[Loss, ...]) -> tuple[Loss, ...]:
        return tuple(replace(loss, read_terms=lambda: NO_TERMS) for loss in losses)

    return {
        "losses": alone(subject.losses),
        "losses_to_newcomer": alone(subject.losses_to_newcomer),
        "issues": alone(subject.issues),
        "unexplained": lambda loss: True,
    }


def _uncompensated(subject: Inspection) -> Mapping[str, Any]:
    """Nothing came back to those who lost."""

    def poorer(losses: tuple[Loss, ...]) -> tuple[Loss, ...]:
        return tuple(replace(loss, compensated=False) for loss in losses)

    return {
        "losses": poorer(subject.losses),
        "losses_to_newcomer": poorer(subject.losses_to_newcomer),
        "issues": poorer(subject.issues),
    }


def _unknown(subject: Inspection) -> Mapping[str, Any]:
    """No contract knew who made it act."""
    roles, called, own = subject.roles, subject.transaction.to, subject.memory.created

    def stranger(contract: Address, frame: int, before: int, *, door: bool = False) -> Address | None:
        if contract in roles.cluster and not (door and contract == called and contract not in own):
            return None
        return roles.origin

    return {"stranger": stranger}


def _kept(subject: Inspection) -> Mapping[str, Any]:
    """The ordering side kept what was lost."""
    return {"gain_covers": lambda loss: True}


CONDITIONS: Mapping[str, Callable[[Inspection], Mapping[str, Any]]] = {
    "paid": _unpaid,
    "agreed": _unagreed,
    "compensated": _uncompensated,
    "known": _unknown,
    "passed on": _kept,
}
"""what speaks for a sender, by name, and how to take it away"""


def leanings(ruleset: Ruleset, act: str, subject: Inspection, *, honest: bool) -> Iterator[Leaning]:
    """Every single change that would turn a detector's answer about one transaction.

    Of an honest act the changes that make a silent detector speak; of an exploit those that silence the only
    detector that holds it. A detector that is not asked because of its `needs` leans nowhere.
    """
    asked = [detector for detector in ruleset.detectors if _is_asked(detector, subject)]
    spoke = [detector for detector in asked if _holds(detector, subject)]
    if honest:
        silent = [detector for detector in asked if detector not in spoke]
        for name, take_away in CONDITIONS.items() if silent else ():
            tilted = copy(subject)
            vars(tilted).update(take_away(subject))  # what is kept there is found before what would be derived
            for detector in silent:
                if _holds(detector, tilted):
                    yield Leaning(act, True, detector.id, name, None, 0.0)
        asked = silent
    elif len(spoke) == 1:
        asked = spoke
    else:
        return
    for detector in asked:
        for name, limit in thresholds(detector).items():
            factor = _turning(detector, subject, name, limit)
            if factor is not None:
                yield Leaning(act, honest, detector.id, name, limit, factor)


def thresholds(detector: Detector) -> Mapping[str, float]:
    """The numbers that the detector's module names in capitals."""
    return {
        name: value
        for name, value in vars(_module(detector)).items()
        if name.isupper() and not name.startswith("_") and type(value) in (int, float) and 0 < value < MASK
    }


def _turning(detector: Detector, subject: Inspection, name: str, limit: float) -> float | None:
    """The factor nearest to 1 found at which the detector's answer changes; None if it does not within four times."""
    spoke = _holds(detector, subject)

    def turned(factor: float) -> bool:
        with _scaled(detector, name, limit, factor):
            return _holds(detector, subject) is not spoke

    far = next((factor for factor in FACTORS if turned(factor)), None)
    if far is None:
        return None
    near = 1.0
    for _ in range(HALVINGS):
        middle = math.sqrt(near * far)
        near, far = (near, middle) if turned(middle) else (middle, far)
    return far


@contextmanager
def _scaled(detector: Detector, name: str, limit: float, factor: float) -> Iterator[None]:
    module = _module(detector)
    setattr(module, name, moved(limit, factor))
    try:
        yield
    finally:
        setattr(module, name, limit)


def _module(detector: Detector) -> ModuleType:
    return sys.modules[type(detector).__module__]


def _is_asked(detector: Detector, subject: Inspection) -> bool:
    if detector.needs_accesses and subject.simulation.trace.slots is None:
        return False
    return subject.meets(detector.needs)


def _holds(detector: Detector, subject: Inspection) -> bool:
    """True if what this detector finds is enough by itself to hold the transaction."""
    found: tuple[Finding, ...] = tuple(detector.inspect(subject))
    if not found:
        return False
    verdict = decide(InspectionReport(found, (), simulated=True), DEFAULT_POLICY, sender=subject.transaction.sender)
    return verdict.action in (Action.HOLD, Action.REJECT)
