"""Which cases an account may see, and finding one of them."""

from __future__ import annotations

import re

from fastapi import HTTPException

from dashboard.room import Room
from gateway.model.account import Account, Role
from gateway.model.case import CaseQuery
from gateway.model.primitive import Address
from gateway.model.quarantine import QuarantineEntry

_CASE_ID = re.compile(r"[A-Za-z0-9_.:-]{1,80}")


def scope_of(account: Account) -> frozenset[Address] | None:
    """The contracts a protocol account is limited to; None for accounts that see every case."""
    return account.contracts if account.role is Role.PROTOCOL else None


async def find_case(room: Room, account: Account, case_id: str) -> QuarantineEntry:
    """The case, or 404: the same answer for one that is not there and one that is not theirs."""
    entry = await room.record.case(case_id) if _CASE_ID.fullmatch(case_id) else None
    if entry is None or not await _may_see(room, account, entry):
        raise HTTPException(404, "There is no such case, or it is not yours to see.")
    return entry


async def _may_see(room: Room, account: Account, entry: QuarantineEntry) -> bool:
    contracts = scope_of(account)
    if contracts is None:
        return True
    mine = await room.record.cases(CaseQuery(touching=contracts, search=entry.case_id.lower(), limit=20))
    return any(found.case_id == entry.case_id for found in mine.entries)
