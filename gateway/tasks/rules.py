"""Keeps the protocols' rules in step with their files, without a restart."""

from __future__ import annotations

import asyncio
from collections.abc import Iterator

import structlog

from gateway.inspection.rules.shelf import RuleShelf
from gateway.telemetry import Reading

log = structlog.get_logger()

INTERVAL = 2.0
"""seconds between looks at the files"""


class RuleKeeper:
    """Looks at the files of a shelf; a wrong one is reported, and the rules before it stay in force."""

    def __init__(self, shelf: RuleShelf, interval: float = INTERVAL) -> None:
        self._shelf, self._interval = shelf, interval

    async def run(self) -> None:
        """Look for ever; never raises for what a file holds."""
        told: str | None = None
        while True:
            await asyncio.sleep(self._interval)
            if await asyncio.to_thread(self._shelf.refresh):
                log.info("rules.loaded", rules=len(self._shelf.book.rules), digest=self._shelf.book.digest[:16])
            if self._shelf.problem != told:
                told = self._shelf.problem
                if told is not None:
                    log.error("rules.refused", problem=told, consequence="the rules before it stay in force")

    def readings(self) -> Iterator[Reading]:
        """How many rules are in force, what they said, and whether the files are wrong."""
        modes: dict[str, int] = {}
        for rule in self._shelf.book.rules:
            modes[rule.mode] = modes.get(rule.mode, 0) + 1
        for mode, count in modes.items():
            yield Reading("stopgate_rules", count, mode)
        yield Reading("stopgate_rules_refused", float(self._shelf.problem is not None))
        for rule_id, times in list(self._shelf.fired.items()):
            yield Reading("stopgate_rule_findings", times, rule_id)
