"""Rules of protocols by API: which are in force, how often each spoke, and what every gateway goes by."""

from __future__ import annotations

from datetime import date, datetime

from fastapi import APIRouter
from pydantic import Field

from dashboard.api.bodies import Body
from dashboard.api.routes import REFUSALS, Reader
from dashboard.dependencies import TheRoom
from dashboard.pages.oversight import RuleRow, RulesGateway
from dashboard.rulebook import rules_of
from gateway.model.account import Permission

routes = APIRouter(prefix="/api/v1", responses=REFUSALS, tags=["oversight"])


class RuleBody(Body):
    """One rule of a protocol, as gateways go by it."""

    id: str
    title: str
    owner: str
    mode: str = Field(description="enforce, shadow or off")
    status: str = Field(description="experimental, stable or deprecated")
    severity: str = Field(description="info, low, medium, high or critical")
    confidence: str = Field(description="low, medium or high")
    contracts: list[str] = Field(description="empty: every transaction")
    selectors: list[str] = Field(description="empty: every call")
    chains: list[int] = Field(description="empty: every chain")
    expires: date | None = Field(description="the first day (UTC) on which it is silent")
    expired: bool
    tests: int
    source: str = Field(description="file and line")
    hits: int = Field(description="judgements of the last day in which it spoke")
    last_hit_at: datetime | None
    missing_at: list[str] = Field(description="gateways that do not have it, or have it otherwise")

    @classmethod
    def of(cls, row: RuleRow, *, oversees: bool) -> RuleBody:
        """From the page's row; where files lie and which gateways there are is for overseers."""
        rule = row.rule
        return cls(
            id=rule.id,
            title=rule.title,
            owner=rule.owner,
            mode=rule.mode,
            status=rule.status,
            severity=rule.severity.name.lower(),
            confidence=rule.confidence.name.lower(),
            contracts=[str(contract) for contract in rule.contracts],
            selectors=list(rule.selectors),
            chains=list(rule.chains),
            expires=rule.expires,
            expired=row.expired,
            tests=rule.tests,
            source=rule.source if oversees else "",
            hits=row.hits,
            last_hit_at=row.last_at,
            missing_at=list(row.missing_at) if oversees else [],
        )


class RulesGatewayBody(Body):
    """What one gateway process goes by."""

    name: str
    at: datetime
    silent: bool
    ruleset: str = Field(description="the hash that its verdicts carry")
    packages: list[str] = Field(description="distributions that brought its detectors")
    detectors: int
    rules: int
    since: datetime
    problem: str | None = Field(description="why the files as they are now are not in force")
    problem_since: datetime | None

    @classmethod
    def of(cls, gateway: RulesGateway) -> RulesGatewayBody:
        """From the page's value."""
        told = gateway.told
        return cls(
            name=told.replica,
            at=told.at,
            silent=gateway.silent,
            ruleset=told.ruleset,
            packages=list(told.packages),
            detectors=told.detectors,
            rules=len(told.rules),
            since=told.since,
            problem=told.problem,
            problem_since=told.problem_since,
        )


class RulesBody(Body):
    """The rules in force, and the gateways that go by them."""

    agree: bool = Field(description="every gateway that speaks has the same rules and detectors")
    rules: list[RuleBody]
    gateways: list[RulesGatewayBody] = Field(description="empty without the scope oversee")


@routes.get("/rules")
async def list_rules(room: TheRoom, token: Reader) -> RulesBody:
    """Rules that protocols wrote, with their hits of the last day; a protocol gets those of its own contracts."""
    found = await rules_of(room, token.account)
    oversees = Permission.OVERSEE in token.scopes and token.account.may(Permission.OVERSEE)
    return RulesBody(
        agree=found.agree,
        rules=[RuleBody.of(row, oversees=oversees) for row in found.rows],
        gateways=[RulesGatewayBody.of(each) for each in found.gateways] if oversees else [],
    )
