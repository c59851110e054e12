"""Tells people which rules this gateway goes by and how often each spoke; nothing waits for it."""

from __future__ import annotations

import asyncio
from collections import Counter
from collections.abc import Callable
from datetime import UTC, datetime

import structlog

from gateway.errors import RecordUnavailable
from gateway.inspection.registry import Ruleset
from gateway.inspection.rules.rule import Rule
from gateway.model.rulebook import PublishedRule, RulesInForce
from gateway.store.knowledge.rulebook import PublishedRules

log = structlog.get_logger()

LOOK = 2.0
"""seconds between looks: another book, another problem or a rule that spoke is told at the next"""
BEAT = 60.0
"""seconds after which it is told again although nothing changed"""


def _utc_now() -> datetime:
    return datetime.now(UTC)


class RulePublisher:
    """Writes into the record when there is news, and once a minute."""

    def __init__(
        self, ruleset: Ruleset, published: PublishedRules, replica: str, *, now: Callable[[], datetime] = _utc_now
    ) -> None:
        """`replica`: this process's name, as on the health page."""
        self._ruleset, self._published, self._replica, self._now = ruleset, published, replica, now
        self._counted: Counter[str] = Counter()
        self._told: tuple[str, str | None] | None = None
        self._told_at = datetime.fromtimestamp(0, UTC)
        self._since = self._problem_since = now()

    async def run(self, interval: float = LOOK) -> None:
        """For ever; what it told is taken back when the process stops in order."""
        try:
            while True:
                try:
                    await self.once()
                except RecordUnavailable as error:
                    log.debug("rules.not_told", error=str(error))  # the record's own probe is loud about it
                await asyncio.sleep(interval)
        finally:
            await self._leave()

    async def once(self) -> bool:
        """Tell what is new; True if there was anything. Counts that could not be written are kept for the next time."""
        shelf, now = self._ruleset.shelf, self._now()
        ruleset, problem, fired = self._ruleset.hash, shelf.problem, Counter(shelf.fired)
        spoke = fired - self._counted
        news = (ruleset, problem) != self._told
        if not news and not spoke and (now - self._told_at).total_seconds() < BEAT:
            return False
        since, problem_since = self._since, self._problem_since
        if self._told is not None and ruleset != self._told[0]:
            since = now
        if self._told is not None and problem != self._told[1]:
            problem_since = now
        told = RulesInForce(
            replica=self._replica,
            at=now,
            ruleset=ruleset,
            packages=tuple(str(package) for package in self._ruleset.packages),
            detectors=len(self._ruleset.detectors),
            rules=tuple(_published(rule) for rule in shelf.book.rules),
            since=since,
            problem=problem,
            problem_since=problem_since if problem is not None else None,
        )
        await self._published.publish(told, spoke)
        self._counted, self._told, self._told_at = fired, (ruleset, problem), now
        self._since, self._problem_since = since, problem_since
        await self._published.forget()
        return True

    async def _leave(self) -> None:
        try:
            await self._published.leave(self._replica)
        except RecordUnavailable as error:
            log.debug("rules.not_taken_back", error=str(error))  # it is shown as silent, and forgotten later


def _published(rule: Rule) -> PublishedRule:
    scope = rule.scope
    return PublishedRule(
        id=rule.id,
        title=rule.title,
        owner=rule.owner,
        mode=rule.mode.value,
        status=rule.status.value,
        severity=rule.severity,
        confidence=rule.confidence,
        contracts=tuple(sorted(scope.contracts)),
        selectors=tuple(f"0x{selector.hex()}" for selector in sorted(scope.selectors)),
        chains=tuple(sorted(scope.chains)),
        expires=rule.expires,
        tests=len(rule.trials),
        source=rule.source,
    )
