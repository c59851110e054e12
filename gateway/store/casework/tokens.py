"""What tokens say of themselves, read once for each token and kept for the pages."""

from __future__ import annotations

from collections.abc import Callable, Collection, Mapping
from datetime import datetime
from typing import Any

from sqlalchemy import select
from sqlalchemy.dialects import postgresql, sqlite
from sqlmodel import col

from gateway.model.case import TokenInfo
from gateway.model.primitive import Address
from gateway.store.database import Database
from gateway.store.tables.case import TermRow
from gateway.store.tables.casework import TokenRow

MOST_SYMBOL, MOST_NAME = 64, 128
_AT_ONCE = 200


class Tokens:
    """Every method raises RecordUnavailable if SQL is away."""

    def __init__(self, database: Database, *, now: Callable[[], datetime]) -> None:
        self._database, self._now = database, now

    async def known(self, addresses: Collection[Address]) -> Mapping[Address, TokenInfo]:
        """Those of these tokens that were read."""
        wanted = sorted(map(str, addresses))[: _AT_ONCE * 5]
        found: dict[Address, TokenInfo] = {}
        async with self._database.read() as session:
            for start in range(0, len(wanted), _AT_ONCE):
                query = select(TokenRow).where(col(TokenRow.address).in_(wanted[start : start + _AT_ONCE]))
                for row in (await session.execute(query)).scalars():
                    found[Address.from_hex(row.address)] = TokenInfo(row.symbol, row.decimals, row.name)
        return found

    async def learn(self, case_id: str, told: Mapping[Address, TokenInfo]) -> None:
        """Keep what tokens said, and let the case be found by their symbols."""
        if not told:
            return
        dialect: Any = sqlite if self._database.is_sqlite else postgresql
        rows = [
            {
                "address": str(address),
                "symbol": token.symbol[:MOST_SYMBOL],
                "name": token.name[:MOST_NAME],
                "decimals": token.decimals,
                "read_at": self._now(),
            }
            for address, token in told.items()
        ]
        terms = {token.symbol.lower()[:MOST_SYMBOL] for token in told.values() if token.symbol}
        async with self._database.write() as session:
            await session.execute(dialect.insert(TokenRow).values(rows).on_conflict_do_nothing())
            if terms:
                values = [{"term": term, "case_id": case_id} for term in sorted(terms)]
                await session.execute(dialect.insert(TermRow).values(values).on_conflict_do_nothing())
