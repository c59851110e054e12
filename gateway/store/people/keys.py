"""Passkeys, identities at an OIDC provider, and sign-ins that are half done."""

from __future__ import annotations

import json
import secrets
from collections.abc import Callable, Mapping, Sequence
from datetime import UTC, datetime, timedelta
from enum import StrEnum
from typing import Any

from sqlalchemy import ColumnElement, delete, func, insert, select, update
from sqlalchemy.exc import IntegrityError
from sqlalchemy.ext.asyncio import AsyncSession
from sqlmodel import col

from gateway.errors import ConfigurationError
from gateway.model.account import Account, Identity, Passkey
from gateway.model.audit import AuditKind
from gateway.store.audit import append
from gateway.store.database import Database
from gateway.store.people.account import account_of
from gateway.store.people.sign_in import digest
from gateway.store.tables.keys import IdentityRow, PasskeyRow, SignInStepRow
from gateway.store.tables.people import UserRow

_STEP_LASTS = timedelta(minutes=5)
_MOST_STEPS = 30
"""Half-done sign-ins kept for one address: nobody can fill the table from the sign-in page."""
MOST_PASSKEYS = 20


class StepKind(StrEnum):
    """Which exchange a half-done step belongs to; one never serves for another."""

    PASSKEY_ADD = "passkey-add"
    PASSKEY_SIGN_IN = "passkey-sign-in"
    PASSKEY_STEP_UP = "passkey-step-up"
    OIDC = "oidc"


class TooManySteps(ConfigurationError):
    """An address began too many sign-ins without ending one."""


def _utc_now() -> datetime:
    return datetime.now(UTC)


class Keys:
    """Every method raises RecordUnavailable if SQL is away. Each change of a key is audited."""

    def __init__(self, database: Database, *, now: Callable[[], datetime] = _utc_now) -> None:
        self._database, self._now = database, now

    async def begin_step(self, kind: StepKind, data: Mapping[str, Any], *, address: str) -> str:
        """Remember `data` for five minutes; the secret for the browser's cookie.

        Raises:
            TooManySteps: this address has too many open ones.
        """
        secret, now = secrets.token_urlsafe(32), self._now()
        row = {
            "secret_hash": digest(secret),
            "kind": kind.value,
            "address": address[:64],
            "data": self._database.seal.close(json.dumps(data)),
            "expires_at": now + _STEP_LASTS,
        }
        async with self._database.write() as session:
            await session.execute(delete(SignInStepRow).where(col(SignInStepRow.expires_at) <= now))
            mine = select(func.count()).select_from(SignInStepRow).where(col(SignInStepRow.address) == address[:64])
            if (await session.execute(mine)).scalar_one() >= _MOST_STEPS:
                raise TooManySteps("too many sign-ins were begun from your address; try again in five minutes")
            await session.execute(insert(SignInStepRow).values(row))
        return secret

    async def take_step(self, kind: StepKind, secret: str) -> Mapping[str, Any] | None:
        """What was remembered, once; None if it is unknown, taken, over, or of another kind."""
        async with self._database.write() as session:
            taken = await session.execute(
                delete(SignInStepRow)
                .where(
                    col(SignInStepRow.secret_hash) == digest(secret),
                    col(SignInStepRow.kind) == kind.value,
                    col(SignInStepRow.expires_at) > self._now(),
                )
                .returning(col(SignInStepRow.data))
            )
            data = taken.scalar()
        return None if data is None else dict(json.loads(self._database.seal.open(data)))

    async def add_passkey(
        self, account: Account, credential_id: str, public_key: bytes, sign_count: int, name: str
    ) -> None:
        """Take on a new passkey.

        Raises:
            ConfigurationError: it is registered already, or the account has too many.
        """
        row = {
            "credential_id": credential_id,
            "user_id": account.id,
            "public_key": public_key,
            "sign_count": sign_count,
            "name": name[:64],
            "created_at": self._now(),
        }
        try:
            async with self._database.write() as session:
                if await self._count(session, account) >= MOST_PASSKEYS:
                    raise ConfigurationError(f"an account has at most {MOST_PASSKEYS} passkeys; remove one first")
                await session.execute(insert(PasskeyRow).values(row))
                await self._counted(session, account)
                await self._told(session, account.name, account.name, {"step": "passkey added", "passkey": name[:64]})
        except IntegrityError as error:
            raise ConfigurationError("this passkey is registered already") from error

    async def passkeys(self, account: Account) -> Sequence[Passkey]:
        """Every passkey of an account, the oldest first."""
        query = select(PasskeyRow).where(col(PasskeyRow.user_id) == account.id).order_by(col(PasskeyRow.id))
        async with self._database.read() as session:
            return [_passkey(row) for row in (await session.execute(query)).scalars()]

    async def passkey(self, credential_id: str) -> tuple[Passkey, Account] | None:
        """The passkey that a browser names, and whose it is."""
        query = select(PasskeyRow, UserRow).join(UserRow, col(UserRow.id) == col(PasskeyRow.user_id))
        async with self._database.read() as session:
            found = (await session.execute(query.where(col(PasskeyRow.credential_id) == credential_id))).first()
        return None if found is None else (_passkey(found[0]), account_of(found[1]))

    async def use_passkey(self, passkey: Passkey, sign_count: int) -> bool:
        """Note a use. False if another use was noted since `passkey` was read: one answer serves once."""
        async with self._database.write() as session:
            changed = await session.execute(
                update(PasskeyRow)
                .where(col(PasskeyRow.id) == passkey.id, col(PasskeyRow.sign_count) == passkey.sign_count)
                .values(sign_count=sign_count, last_used_at=self._now())
                .returning(col(PasskeyRow.id))
            )
            return changed.first() is not None

    async def rename_passkey(self, account: Account, passkey_id: int, name: str) -> bool:
        """Give one of the account's passkeys another name; False if it has no such passkey."""
        async with self._database.write() as session:
            changed = await session.execute(
                update(PasskeyRow)
                .where(*_mine(account, passkey_id))
                .values(name=name[:64])
                .returning(col(PasskeyRow.id))
            )
            if changed.first() is None:
                return False
            await self._told(session, account.name, account.name, {"step": "passkey renamed", "passkey": name[:64]})
            return True

    async def remove_passkey(self, account: Account, passkey_id: int) -> bool:
        """Remove one of the account's passkeys; False if it has no such passkey."""
        async with self._database.write() as session:
            gone = await session.execute(
                delete(PasskeyRow).where(*_mine(account, passkey_id)).returning(col(PasskeyRow.name))
            )
            name = gone.scalar()
            if name is None:
                return False
            await self._counted(session, account)
            await self._told(session, account.name, account.name, {"step": "passkey removed", "passkey": name})
            return True

    async def remove_passkeys(self, account: Account, *, actor: str) -> int:
        """Remove every passkey of somebody who lost them; how many there were."""
        async with self._database.write() as session:
            gone = await session.execute(
                delete(PasskeyRow).where(col(PasskeyRow.user_id) == account.id).returning(col(PasskeyRow.id))
            )
            number = len(gone.all())
            await self._counted(session, account)
            await self._told(session, actor, account.name, {"step": "passkeys removed", "number": number})
            return number

    async def identity(self, issuer: str, subject: str) -> tuple[Identity, Account] | None:
        """The account of somebody at a provider, if one is linked."""
        query = select(IdentityRow, UserRow).join(UserRow, col(UserRow.id) == col(IdentityRow.user_id))
        where = (col(IdentityRow.issuer) == issuer, col(IdentityRow.subject) == subject)
        async with self._database.read() as session:
            found = (await session.execute(query.where(*where))).first()
        return None if found is None else (_identity(found[0]), account_of(found[1]))

    async def identities(self, account: Account) -> Sequence[Identity]:
        """Every identity that opens an account."""
        query = select(IdentityRow).where(col(IdentityRow.user_id) == account.id).order_by(col(IdentityRow.id))
        async with self._database.read() as session:
            return [_identity(row) for row in (await session.execute(query)).scalars()]

    async def link(self, account: Account, issuer: str, subject: str, *, managed: bool = False) -> None:
        """Let somebody at a provider open this account.

        Raises:
            ConfigurationError: that identity opens an account already.
        """
        row = {
            "user_id": account.id,
            "issuer": issuer,
            "subject": subject,
            "managed": managed,
            "linked_at": self._now(),
        }
        try:
            async with self._database.write() as session:
                await session.execute(insert(IdentityRow).values(row))
                detail = {"step": "identity linked", "issuer": issuer, "subject": subject}
                await self._told(session, account.name, account.name, detail)
        except IntegrityError as error:
            raise ConfigurationError("this identity opens an account already") from error

    async def unlink(self, account: Account, identity_id: int) -> bool:
        """End the link of a local account; False if it has none, or if the provider made the account."""
        async with self._database.write() as session:
            gone = await session.execute(
                delete(IdentityRow)
                .where(
                    col(IdentityRow.id) == identity_id,
                    col(IdentityRow.user_id) == account.id,
                    col(IdentityRow.managed).is_(False),
                )
                .returning(col(IdentityRow.subject))
            )
            subject = gone.scalar()
            if subject is None:
                return False
            await self._told(session, account.name, account.name, {"step": "identity unlinked", "subject": subject})
            return True

    async def use_identity(self, identity: Identity) -> None:
        """Note a sign-in by it."""
        async with self._database.write() as session:
            await session.execute(
                update(IdentityRow).where(col(IdentityRow.id) == identity.id).values(last_used_at=self._now())
            )

    async def _count(self, session: AsyncSession, account: Account) -> int:
        query = select(func.count()).select_from(PasskeyRow).where(col(PasskeyRow.user_id) == account.id)
        return int((await session.execute(query)).scalar_one())

    async def _counted(self, session: AsyncSession, account: Account) -> None:
        number = await self._count(session, account)
        await session.execute(update(UserRow).where(col(UserRow.id) == account.id).values(passkeys=number))

    async def _told(self, session: AsyncSession, actor: str, name: str, detail: Mapping[str, object]) -> None:
        await append(session, AuditKind.CONFIGURATION, self._now(), actor, name, detail)


def _mine(account: Account, passkey_id: int) -> tuple[ColumnElement[bool], ...]:
    return col(PasskeyRow.id) == passkey_id, col(PasskeyRow.user_id) == account.id


def _passkey(row: PasskeyRow) -> Passkey:
    return Passkey(
        id=row.id or 0,
        user_id=row.user_id,
        credential_id=row.credential_id,
        public_key=row.public_key,
        sign_count=row.sign_count,
        name=row.name,
        created_at=row.created_at,
        last_used_at=row.last_used_at,
    )


def _identity(row: IdentityRow) -> Identity:
    return Identity(
        id=row.id or 0,
        user_id=row.user_id,
        issuer=row.issuer,
        subject=row.subject,
        managed=row.managed,
        linked_at=row.linked_at,
        last_used_at=row.last_used_at,
    )
