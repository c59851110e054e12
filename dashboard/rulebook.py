"""The rules that gateways go by, as an account may see them: all for overseers, its own contracts' for a protocol."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime, timedelta

from dashboard.pages.oversight import RuleRow, RulesGateway, RulesPage
from dashboard.room import Room
from gateway.model.account import Account, Permission
from gateway.model.rulebook import PublishedRule, RulesInForce

_SILENT_AFTER = timedelta(minutes=3)
"""a gateway tells of its rules once a minute"""
_ORDER = {"enforce": 0, "shadow": 1, "off": 2}
"""what can hold comes first"""


async def rules_of(room: Room, account: Account) -> RulesPage:
    """Every rule that some gateway goes by. Raises RecordUnavailable."""
    now = room.now()
    oversees = account.may(Permission.OVERSEE)
    told = await room.rulebook.in_force()
    live = [each for each in told if now - each.at <= _SILENT_AFTER]
    speaking = live or told
    figures = {each.detector_id: each for each in await room.detectors.get()} if oversees else {}
    hits = await room.rulebook.hits()
    rows = []
    for rule, replicas in _merged(speaking):
        if oversees or account.contracts & frozenset(rule.contracts):
            spoke = hits.get(rule.id)
            rows.append(
                RuleRow(
                    rule=rule,
                    hits=spoke.hits if spoke else 0,
                    last_at=spoke.last_at if spoke else None,
                    figures=figures.get(rule.id),
                    expired=rule.expires is not None and now.date() >= rule.expires,
                    missing_at=tuple(each.replica for each in speaking if each.replica not in replicas),
                )
            )
    rows.sort(key=lambda row: (row.expired, _ORDER.get(row.rule.mode, len(_ORDER)), -row.hits, row.rule.id))
    gateways = tuple(_gateway(each, now) for each in told) if oversees else ()
    return RulesPage(tuple(rows), gateways, agree=len({each.ruleset for each in speaking}) <= 1)


def _merged(told: Sequence[RulesInForce]) -> list[tuple[PublishedRule, set[str]]]:
    """Each rule once, as who told last has it, with those who have exactly that; by id."""
    found: dict[str, PublishedRule] = {}
    for each in sorted(told, key=lambda one: one.since):
        found |= {rule.id: rule for rule in each.rules}
    return [(rule, {each.replica for each in told if rule in each.rules}) for _, rule in sorted(found.items())]


def _gateway(told: RulesInForce, now: datetime) -> RulesGateway:
    return RulesGateway(told, silent=now - told.at > _SILENT_AFTER)
