"""What was seen of contracts when they were deployed, in SQL, bounded."""

from __future__ import annotations

import json
from collections.abc import Sequence

from sqlalchemy import delete, func, select
from sqlalchemy.dialects import postgresql, sqlite
from sqlmodel import col

from gateway.model.deployment import Deployment
from gateway.model.primitive import Address, Hash32
from gateway.store.database import Database
from gateway.store.tables.knowledge import DeploymentRow

MOST = 100_000
"""deployments kept; beyond, the oldest leave"""


class Deployments:
    """Every method raises RecordUnavailable if SQL is away."""

    def __init__(self, database: Database, *, most: int = MOST) -> None:
        self._database, self._most = database, most

    async def add(self, seen: Sequence[Deployment]) -> None:
        """Keep deployments; one address is kept once."""
        if not seen:
            return
        dialect = sqlite if self._database.is_sqlite else postgresql
        async with self._database.write() as session:
            for one in seen:
                facts = {
                    "size": one.code_size,
                    "selectors": one.selectors,
                    "callbacks": list(one.callbacks),
                    "embedded": [str(address) for address in one.embedded],
                    "effects": list(one.effects),
                }
                row = dialect.insert(DeploymentRow).values(
                    address=str(one.address),
                    creator=str(one.creator),
                    hash=str(one.transaction),
                    at=one.at,
                    facts=json.dumps(facts),
                )
                await session.execute(row.on_conflict_do_nothing())
            last = (await session.execute(select(func.max(col(DeploymentRow.id))))).scalar() or 0
            await session.execute(delete(DeploymentRow).where(col(DeploymentRow.id) <= last - self._most))

    async def after(self, last: int, limit: int = 1_000) -> Sequence[tuple[int, Deployment]]:
        """(number, deployment) of those kept after number `last`, the oldest first."""
        query = select(DeploymentRow).where(col(DeploymentRow.id) > last).order_by(col(DeploymentRow.id)).limit(limit)
        async with self._database.read() as session:
            return [(row.id or 0, _deployment(row)) for row in (await session.execute(query)).scalars()]

    async def latest(self) -> int:
        """The number of the newest; 0 if there is none."""
        async with self._database.read() as session:
            return int((await session.execute(select(func.max(col(DeploymentRow.id))))).scalar() or 0)

    async def of(self, address: Address) -> Deployment | None:
        """What is known of one contract."""
        query = select(DeploymentRow).where(col(DeploymentRow.address) == str(address))
        async with self._database.read() as session:
            row = (await session.execute(query)).scalar()
        return None if row is None else _deployment(row)


def _deployment(row: DeploymentRow) -> Deployment:
    facts = json.loads(row.facts)
    return Deployment(
        address=Address.from_hex(row.address),
        creator=Address.from_hex(row.creator),
        transaction=Hash32.from_hex(row.hash),
        at=row.at,
        code_size=facts["size"],
        selectors=facts["selectors"],
        callbacks=tuple(facts["callbacks"]),
        embedded=tuple(Address.from_hex(address) for address in facts["embedded"]),
        effects=tuple(facts["effects"]),
    )
