"""Rules in force and how often they spoke, as gateways tell: for people, never asked by a gateway itself."""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping, Sequence
from datetime import UTC, date, datetime, timedelta
from typing import Any

from sqlalchemy import delete, func, select
from sqlalchemy.dialects import postgresql, sqlite
from sqlmodel import col

from gateway.model.finding import Confidence, Severity
from gateway.model.primitive import Address
from gateway.model.rulebook import PublishedRule, RuleHits, RulesInForce
from gateway.store.database import Database
from gateway.store.tables.knowledge import RuleHitRow, RulesInForceRow

FORGOTTEN_AFTER = timedelta(minutes=10)
"""a process that is silent for so long is dropped by the next one that speaks"""
KEPT = timedelta(days=30)
"""counts older than this are dropped"""


class PublishedRules:
    """Every method raises RecordUnavailable if SQL is away."""

    def __init__(self, database: Database, *, now: Callable[[], datetime]) -> None:
        self._database, self._now = database, now

    async def publish(self, told: RulesInForce, spoke: Mapping[str, int]) -> None:
        """Put `told` in the place of what this process said before, and add to the counts of the present hour.

        Both or neither: counts are not lost, and not counted twice.
        """
        now = self._now()
        hour = now.replace(minute=0, second=0, microsecond=0)
        dialect: Any = sqlite if self._database.is_sqlite else postgresql
        row = {"replica": told.replica, "at": told.at, "document": json.dumps(_document(told))}
        async with self._database.write() as session:
            put = dialect.insert(RulesInForceRow).values(row)
            await session.execute(
                put.on_conflict_do_update(
                    index_elements=["replica"], set_={"at": put.excluded.at, "document": put.excluded.document}
                )
            )
            for rule_id, times in sorted(spoke.items()):
                count = {"rule_id": rule_id, "hour": hour, "hits": times, "last_at": now}
                add = dialect.insert(RuleHitRow).values(count)
                await session.execute(
                    add.on_conflict_do_update(
                        index_elements=["rule_id", "hour"],
                        set_={"hits": col(RuleHitRow.hits) + add.excluded.hits, "last_at": add.excluded.last_at},
                    )
                )

    async def forget(self) -> None:
        """Drop silent processes and old counts. Apart from `publish`: two that publish must not wait for each other."""
        now = self._now()
        async with self._database.write() as session:
            await session.execute(delete(RulesInForceRow).where(col(RulesInForceRow.at) < now - FORGOTTEN_AFTER))
        async with self._database.write() as session:
            await session.execute(delete(RuleHitRow).where(col(RuleHitRow.hour) < now - KEPT))

    async def leave(self, replica: str) -> None:
        """The process ends in order: what it went by is no longer in force."""
        async with self._database.write() as session:
            await session.execute(delete(RulesInForceRow).where(col(RulesInForceRow.replica) == replica))

    async def in_force(self) -> Sequence[RulesInForce]:
        """What each process last said, by name."""
        query = select(RulesInForceRow).order_by(col(RulesInForceRow.replica))
        async with self._database.read() as session:
            return [_told(row) for row in (await session.execute(query)).scalars()]

    async def hits(self, window: timedelta = timedelta(hours=24)) -> Mapping[str, RuleHits]:
        """By rule, over the present hour and the whole hours before it that make up `window`."""
        start = (self._now() - window).replace(minute=0, second=0, microsecond=0) + timedelta(hours=1)
        query = (
            select(col(RuleHitRow.rule_id), func.sum(col(RuleHitRow.hits)), func.max(col(RuleHitRow.last_at)))
            .where(col(RuleHitRow.hour) >= start)
            .group_by(col(RuleHitRow.rule_id))
        )
        async with self._database.read() as session:
            rows = (await session.execute(query)).all()
        return {rule_id: RuleHits(rule_id, int(hits), last_at) for rule_id, hits, last_at in rows}


def _document(told: RulesInForce) -> dict[str, object]:
    return {
        "ruleset": told.ruleset,
        "packages": told.packages,
        "detectors": told.detectors,
        "since": told.since.timestamp(),
        "problem": told.problem,
        "problem_since": told.problem_since.timestamp() if told.problem_since else None,
        "rules": [
            {
                "id": rule.id,
                "title": rule.title,
                "owner": rule.owner,
                "mode": rule.mode,
                "status": rule.status,
                "severity": int(rule.severity),
                "confidence": int(rule.confidence),
                "contracts": [str(contract) for contract in rule.contracts],
                "selectors": rule.selectors,
                "chains": rule.chains,
                "expires": rule.expires.isoformat() if rule.expires else None,
                "tests": rule.tests,
                "source": rule.source,
            }
            for rule in told.rules
        ],
    }


def _told(row: RulesInForceRow) -> RulesInForce:
    document = json.loads(row.document)
    return RulesInForce(
        replica=row.replica,
        at=row.at,
        ruleset=document["ruleset"],
        packages=tuple(document["packages"]),
        detectors=document["detectors"],
        since=datetime.fromtimestamp(document["since"], UTC),
        problem=document["problem"],
        problem_since=(
            None if document["problem_since"] is None else datetime.fromtimestamp(document["problem_since"], UTC)
        ),
        rules=tuple(_rule(rule) for rule in document["rules"]),
    )


def _rule(document: Mapping[str, Any]) -> PublishedRule:
    return PublishedRule(
        id=document["id"],
        title=document["title"],
        owner=document["owner"],
        mode=document["mode"],
        status=document["status"],
        severity=Severity(document["severity"]),
        confidence=Confidence(document["confidence"]),
        contracts=tuple(Address.from_hex(contract) for contract in document["contracts"]),
        selectors=tuple(document["selectors"]),
        chains=tuple(document["chains"]),
        expires=None if document["expires"] is None else date.fromisoformat(document["expires"]),
        tests=document["tests"],
        source=document["source"],
    )
