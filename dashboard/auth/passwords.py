"""Checks passwords without blocking the loop, and takes as long for a name that does not exist."""

from __future__ import annotations

import asyncio
from datetime import timedelta
from functools import cache

from dashboard.room import Room
from gateway.errors import StopgateError
from gateway.model.account import Account
from gateway.store.people.password import hash_password, password_matches

WINDOW = timedelta(minutes=15)
MOST_FOR_PAIR = 5
"""Failures of one name from one address within the window. Counted for the pair: nobody can lock another one out."""
MOST_FOR_ADDRESS = 20


class TooManyFailures(StopgateError):
    """The address failed too often and must wait."""


class WrongCredentials(StopgateError):
    """Name, password or code are wrong; the message never says which."""


@cache
def _nobodys_hash() -> str:
    return hash_password("nobody has this password")


async def check_password(room: Room, name: str, password: str, address: str) -> Account:
    """The account of a name and password. A second factor, if there is one, is still to be asked for.

    Raises:
        TooManyFailures: before anything is computed.
        WrongCredentials: noted for throttle and audit.
    """
    name = name.replace("\x00", "")
    await refuse_guessing(room, name, address)
    known = await room.people.credentials(name)
    stored = known.password_hash if known is not None else None
    async with room.hashing:
        matches = await asyncio.to_thread(_matches, stored, password)
    if known is None or not matches or known.account.disabled_at is not None or known.account.service:
        await room.sign_in.note_failure(name, address, "password")
        raise WrongCredentials("name, password or code is wrong")
    return known.account


async def refuse_guessing(room: Room, name: str, address: str) -> None:
    """Raise TooManyFailures if this address has failed too often, for this name or altogether."""
    pair, every = await room.sign_in.failures(name, address, within=WINDOW)
    if pair >= MOST_FOR_PAIR or every >= MOST_FOR_ADDRESS:
        minutes = int(WINDOW.total_seconds() // 60)
        raise TooManyFailures(f"too many failed sign-ins from your address; try again in {minutes} minutes")


def _matches(stored: str | None, password: str) -> bool:
    matches = password_matches(stored or _nobodys_hash(), password)
    return matches and stored is not None
