"""Accounts in SQL; every change of an account is audited."""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Collection, Mapping, Sequence
from datetime import UTC, datetime

from sqlalchemy import insert, select, update
from sqlalchemy.exc import IntegrityError
from sqlalchemy.ext.asyncio import AsyncSession
from sqlmodel import col

from gateway.errors import ConfigurationError
from gateway.model.account import Account, Credentials, Role
from gateway.model.audit import AuditKind
from gateway.model.primitive import Address
from gateway.store.audit import append
from gateway.store.database import Database
from gateway.store.tables.people import SessionRow, UserRow

_NAME = re.compile(r"[a-z0-9][a-z0-9._@-]{0,63}")


def _utc_now() -> datetime:
    return datetime.now(UTC)


class People:
    """Every method raises RecordUnavailable if SQL is away."""

    def __init__(self, database: Database, *, now: Callable[[], datetime] = _utc_now) -> None:
        self._database, self._now = database, now

    async def add(
        self,
        name: str,
        role: Role,
        *,
        actor: str,
        password_hash: str | None = None,
        contracts: Collection[Address] = (),
        service: bool = False,
    ) -> Account:
        """Create an account.

        Raises:
            ConfigurationError: the name is taken, or is no name.
        """
        name = name.lower()
        if not _NAME.fullmatch(name):
            raise ConfigurationError(f"{name[:80]!r} is no account name: use a to z, 0 to 9 and . _ @ -, at most 64")
        if name == "gateway":
            raise ConfigurationError("the name gateway is the program's own")
        row = {
            "name": name,
            "role": role.value,
            "password_hash": password_hash,
            "contracts": _contracts_text(contracts),
            "service": service,
            "totp_last_step": 0,
            "passkeys": 0,
            "created_at": self._now(),
        }
        try:
            async with self._database.write() as session:
                await session.execute(insert(UserRow).values(row))
                await self._told(session, actor, name, {"step": "account added", "role": role.value})
                return account_of(await user_row(session, name))
        except IntegrityError as error:
            raise ConfigurationError(f"there is an account {name} already") from error

    async def accounts(self) -> Sequence[Account]:
        """All accounts by name."""
        async with self._database.read() as session:
            rows = (await session.execute(select(UserRow).order_by(col(UserRow.name)))).scalars()
            return [account_of(row) for row in rows]

    async def credentials(self, name: str) -> Credentials | None:
        """What a sign-in of that name is checked against; None if there is no such account.

        Raises:
            SealedElsewhere: its second factor cannot be read here, so nobody signs in by it.
        """
        if not _NAME.fullmatch(name.lower()):
            return None
        async with self._database.read() as session:
            row = (await session.execute(select(UserRow).where(col(UserRow.name) == name.lower()))).scalar()
        if row is None:
            return None
        secret = None if row.totp_secret is None else self._database.seal.open(row.totp_secret)
        return Credentials(account_of(row), row.password_hash, secret, row.totp_last_step)

    async def set_password(self, name: str, password_hash: str, *, actor: str) -> None:
        """Replace a password; every session of the account ends."""
        await self._change(name, actor, {"step": "password changed"}, end_sessions=True, password_hash=password_hash)

    async def set_role(self, name: str, role: Role, *, actor: str) -> None:
        """Change what an account may do; its sessions end, so that no page keeps the old rights."""
        await self._change(
            name, actor, {"step": "role changed", "role": role.value}, end_sessions=True, role=role.value
        )

    async def set_contracts(self, name: str, contracts: Collection[Address], *, actor: str) -> None:
        """Replace the contracts of a protocol account."""
        text = _contracts_text(contracts)
        await self._change(name, actor, {"step": "contracts changed", "contracts": json.loads(text)}, contracts=text)

    async def disable(self, name: str, *, actor: str) -> None:
        """Nobody can use the account any more; its sessions end."""
        await self._change(name, actor, {"step": "account disabled"}, end_sessions=True, disabled_at=self._now())

    async def enable(self, name: str, *, actor: str) -> None:
        """Undo `disable`."""
        await self._change(name, actor, {"step": "account enabled"}, disabled_at=None)

    async def set_second_factor(self, name: str, secret: str | None, *, actor: str) -> None:
        """Enrol (base32 secret) or remove (None) the second factor."""
        step = "second factor added" if secret else "second factor removed"
        await self._change(
            name, actor, {"step": step}, totp_secret=self._database.seal.close(secret) if secret else None
        )

    async def take_code_step(self, name: str, step: int) -> bool:
        """Note that the code of a time step was used. False if it, or a later one, was used before."""
        async with self._database.write() as session:
            changed = await session.execute(
                update(UserRow)
                .where(col(UserRow.name) == name, col(UserRow.totp_last_step) < step)
                .values(totp_last_step=step)
                .returning(col(UserRow.id))
            )
            return changed.first() is not None

    async def _change(
        self, name: str, actor: str, detail: dict[str, object], *, end_sessions: bool = False, **values: object
    ) -> None:
        async with self._database.write() as session:
            user = await user_row(session, name)
            await session.execute(update(UserRow).where(col(UserRow.id) == user.id).values(**values))
            if end_sessions:
                await session.execute(
                    update(SessionRow)
                    .where(col(SessionRow.user_id) == user.id, col(SessionRow.revoked_at).is_(None))
                    .values(revoked_at=self._now())
                )
            await self._told(session, actor, user.name, detail)

    async def _told(self, session: AsyncSession, actor: str, name: str, detail: Mapping[str, object]) -> None:
        await append(session, AuditKind.CONFIGURATION, self._now(), actor, name, detail)


async def user_row(session: AsyncSession, name: str) -> UserRow:
    """The row of an account. Raises ConfigurationError if there is none."""
    row = (await session.execute(select(UserRow).where(col(UserRow.name) == name.lower()))).scalar()
    if row is None:
        raise ConfigurationError(f"there is no account {name[:80]!r}; stopgate user add makes one")
    return row


def _contracts_text(contracts: Collection[Address]) -> str:
    return json.dumps(sorted(str(contract) for contract in contracts))


def account_of(row: UserRow) -> Account:
    """The account that a row holds."""
    return Account(
        id=row.id or 0,
        name=row.name,
        role=Role(row.role),
        contracts=frozenset(Address.from_hex(text) for text in json.loads(row.contracts)),
        service=row.service,
        has_password=row.password_hash is not None,
        has_second_factor=row.totp_secret is not None,
        created_at=row.created_at,
        disabled_at=row.disabled_at,
        passkeys=row.passkeys,
    )
