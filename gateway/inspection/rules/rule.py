"""A rule: what a protocol says must not happen to its contracts, as a value that can be asked."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Set
from dataclasses import dataclass
from datetime import UTC, date, datetime
from enum import StrEnum
from typing import Any

from gateway.inspection.rules.expression import Compiled
from gateway.inspection.rules.moment import Moment, OutOfSteps
from gateway.inspection.rules.scope import Scope, touched_accounts
from gateway.inspection.rules.trial import Trial
from gateway.inspection.rules.vocabulary import Type
from gateway.inspection.subject import Inspection
from gateway.model.finding import Confidence, Finding, Severity
from gateway.model.primitive import Address


class RuleStatus(StrEnum):
    """How far its author trusts it; only a stable rule may hold."""

    EXPERIMENTAL = "experimental"
    STABLE = "stable"
    DEPRECATED = "deprecated"


class RuleMode(StrEnum):
    """What its findings do."""

    ENFORCE = "enforce"
    """its findings count as those of a detector do"""
    SHADOW = "shadow"
    """they are recorded and hold nothing"""
    OFF = "off"


@dataclass(frozen=True)
class Rule:
    """One rule, checked and compiled. It satisfies what the runner asks of a detector."""

    id: str
    title: str
    status: RuleStatus
    mode: RuleMode
    severity: Severity
    confidence: Confidence
    owner: str
    """who answers for it: a team, a mailbox"""
    scope: Scope
    expires: date | None
    """the first day (UTC) on which it is silent"""
    selections: Mapping[str, Compiled]
    """named parts, in the order of the file"""
    condition: Compiled
    exceptions: tuple[Compiled, ...]
    summary: tuple[str | Callable[[Moment], str], ...]
    """pieces of the sentence; functions fill the gaps"""
    victim: Address | None
    references: tuple[str, ...]
    false_positives: tuple[str, ...]
    trials: tuple[Trial, ...]
    source: str
    """file and line"""
    needs_accesses: bool = False

    @property
    def binding(self) -> bool:
        """True if what it says, or that it failed, may hold a transaction."""
        return self.mode is RuleMode.ENFORCE

    def covers(self, subject: Inspection, touched: Set[Address]) -> bool:
        """True if the rule has anything to say of this transaction; `touched` are the accounts that took part."""
        scope, block = self.scope, subject.simulation.block
        if scope.chains and block.chain_id not in scope.chains:
            return False
        if self.expires is not None and datetime.fromtimestamp(block.timestamp, UTC).date() >= self.expires:
            return False
        if scope.contracts and scope.contracts.isdisjoint(touched):
            return False
        if not scope.selectors or subject.transaction.input[:4] in scope.selectors:
            return True
        called = subject.simulation.trace.select(to=scope.contracts or None, selectors=scope.selectors)
        return bool(called)

    def inspect(self, subject: Inspection) -> tuple[Finding, ...]:
        """One finding if the condition holds and no exception does.

        Raises:
            OutOfSteps: it would look at more than a rule may.
            ZeroDivisionError: it divides by what is zero here.
        """
        moment = Moment(subject)
        if not self.condition.run(moment, None):
            return ()
        frames = tuple(moment.frames)
        if any(exception.run(moment, None) for exception in self.exceptions):
            return ()
        evidence = {name: shown(part.type, part.run(moment, None)) for name, part in self.selections.items()}
        evidence["rule"] = f"{self.mode} rule of {self.owner}, {self.source}"
        severity = self.severity if self.binding else Severity.INFO
        if not self.binding:
            evidence["in enforce"] = f"severity {self.severity.name.lower()}"
        return (
            Finding(
                detector_id=self.id,
                title=self.title,
                severity=severity,
                confidence=self.confidence,
                summary="".join(part if isinstance(part, str) else part(moment) for part in self.summary),
                victim=self._victim(subject),
                frames=frames,
                evidence=evidence,
                references=self.references,
            ),
        )

    def failure(self, trial: Trial) -> str | None:
        """What is wrong with one of its tests, as a sentence; None if the rule does as expected."""
        try:
            covered = self.covers(trial.subject, touched_accounts(trial.subject))
            fired = covered and bool(self.inspect(trial.subject))
        except (OutOfSteps, ZeroDivisionError) as error:
            return f"test {trial.name!r} ({trial.where}) failed: {error}"
        if fired is trial.fires:
            return None
        if trial.fires and not covered:
            return f"test {trial.name!r} ({trial.where}) expects fires, but lies outside the scope"
        return f"test {trial.name!r} ({trial.where}) expects {'fires' if trial.fires else 'silent'}, but it does not"

    def _victim(self, subject: Inspection) -> Address | None:
        """The one that the rule names, else the contract of its scope that is first called."""
        if self.victim is not None or not self.scope.contracts:
            return self.victim
        for link in subject.simulation.trace.links:
            if link.to in self.scope.contracts:
                return link.to
        return min(self.scope.contracts)


def shown(type_: Type, value: Any) -> str:
    """A value as an analyst reads it."""
    match type_:
        case Type.NUMBER:
            return f"{value:,}"
        case Type.TRUTH:
            return "yes" if value else "no"
        case Type.SELECTOR | Type.WORD:
            return f"0x{bytes(value).hex()}"
    return str(value)
