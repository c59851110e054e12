"""How somebody gets in: sessions, one-time links, API tokens, and failures. Secrets are kept as hashes only."""

from __future__ import annotations

import hashlib
import secrets
from collections.abc import Callable, Collection, Mapping, Sequence
from datetime import UTC, datetime, timedelta

from sqlalchemy import delete, func, select, update
from sqlalchemy.ext.asyncio import AsyncSession
from sqlmodel import col

from gateway.model.account import Account, ApiToken, Permission, Session
from gateway.model.audit import AuditKind
from gateway.store.audit import append
from gateway.store.database import Database
from gateway.store.people.account import account_of, user_row
from gateway.store.tables.people import ApiTokenRow, LoginTokenRow, SessionRow, SignInFailureRow, UserRow

_SEEN_EVERY = timedelta(seconds=30)
"""How exactly `last_seen_at` is kept: a write for every request would be one too many."""


def _utc_now() -> datetime:
    return datetime.now(UTC)


def digest(secret: str) -> str:
    """What is stored of a random secret. Not for passwords: those are guessable and need `store/people/password.py`."""
    return hashlib.sha256(secret.encode()).hexdigest()


class SignIn:
    """Every method raises RecordUnavailable if SQL is away."""

    def __init__(self, database: Database, *, now: Callable[[], datetime] = _utc_now) -> None:
        self._database, self._now = database, now

    async def open_session(
        self, account: Account, *, lasts: timedelta, address: str, agent: str
    ) -> tuple[str, Session]:
        """Sign a browser in: the secret for its cookie, and the session."""
        secret, now = secrets.token_urlsafe(32), self._now()
        row = SessionRow(
            id_hash=digest(secret),
            user_id=account.id,
            csrf_token=secrets.token_urlsafe(24),
            created_at=now,
            last_seen_at=now,
            ends_at=now + lasts,
            address=address[:64],
            agent=agent[:200],
        )
        async with self._database.write() as session:
            session.add(row)
            await session.flush()
            await append(session, AuditKind.SIGN_IN, now, account.name, account.name, {"from": address[:64]})
        return secret, _session(row, account)

    async def session(self, secret: str, *, idle: timedelta) -> Session | None:
        """The session of a cookie; None if it is unknown, over, idle too long, revoked, or its account disabled."""
        now = self._now()
        query = select(SessionRow, UserRow).join(UserRow, col(UserRow.id) == col(SessionRow.user_id))
        async with self._database.read() as session:
            found = (await session.execute(query.where(col(SessionRow.id_hash) == digest(secret)))).first()
        if found is None:
            return None
        row, user = found
        over = row.revoked_at is not None or now >= row.ends_at or now >= row.last_seen_at + idle
        if over or user.disabled_at is not None:
            return None
        if now >= row.last_seen_at + _SEEN_EVERY:
            async with self._database.write() as session:
                await session.execute(
                    update(SessionRow).where(col(SessionRow.id_hash) == row.id_hash).values(last_seen_at=now)
                )
        return _session(row, account_of(user))

    async def step_up(self, id_hash: str) -> None:
        """Note that the second factor was given in this session."""
        async with self._database.write() as session:
            await session.execute(
                update(SessionRow).where(col(SessionRow.id_hash) == id_hash).values(stepped_up_at=self._now())
            )

    async def sessions(self, account: Account) -> Sequence[Session]:
        """The live sessions of an account, the latest first."""
        query = (
            select(SessionRow)
            .where(
                col(SessionRow.user_id) == account.id,
                col(SessionRow.revoked_at).is_(None),
                col(SessionRow.ends_at) > self._now(),
            )
            .order_by(col(SessionRow.last_seen_at).desc())
        )
        async with self._database.read() as session:
            return [_session(row, account) for row in (await session.execute(query)).scalars()]

    async def revoke_session(self, id_hash: str, *, actor: str, of: Account | None = None) -> bool:
        """End one session; with `of`, only if it is that account's. False if there was none."""
        condition = [col(SessionRow.id_hash) == id_hash, col(SessionRow.revoked_at).is_(None)]
        if of is not None:
            condition.append(col(SessionRow.user_id) == of.id)
        async with self._database.write() as session:
            ended = await session.execute(
                update(SessionRow).where(*condition).values(revoked_at=self._now()).returning(col(SessionRow.user_id))
            )
            if ended.first() is None:
                return False
            await append(session, AuditKind.SIGN_IN, self._now(), actor, actor, {"step": "session ended"})
            return True

    async def issue_login_token(self, name: str, *, lasts: timedelta = timedelta(minutes=30)) -> str:
        """A secret that signs in once, for a link that somebody at the terminal opens.

        Raises:
            ConfigurationError: there is no such account.
        """
        secret = secrets.token_urlsafe(32)
        async with self._database.write() as session:
            user = await user_row(session, name)
            session.add(LoginTokenRow(token_hash=digest(secret), user_id=user.id or 0, expires_at=self._now() + lasts))
            await session.flush()
        return secret

    async def use_login_token(self, secret: str) -> Account | None:
        """Spend a one-time token; None if it is unknown, over, spent, or its account disabled."""
        now = self._now()
        async with self._database.write() as session:
            spent = await session.execute(
                update(LoginTokenRow)
                .where(
                    col(LoginTokenRow.token_hash) == digest(secret),
                    col(LoginTokenRow.used_at).is_(None),
                    col(LoginTokenRow.expires_at) > now,
                )
                .values(used_at=now)
                .returning(col(LoginTokenRow.user_id))
            )
            user_id = spent.scalar()
            if user_id is None:
                return None
            row = (await session.execute(select(UserRow).where(col(UserRow.id) == user_id))).scalar_one()
        return None if row.disabled_at is not None else account_of(row)

    async def note_failure(self, name: str, address: str, why: str) -> None:
        """Record a failed sign-in, for the throttle and for the audit."""
        name, address, now = name.lower()[:64], address[:64], self._now()
        async with self._database.write() as session:
            session.add(SignInFailureRow(name=name, address=address, at=now))
            await session.execute(delete(SignInFailureRow).where(col(SignInFailureRow.at) < now - timedelta(days=1)))
            await session.flush()
            detail = {"step": "sign-in failed", "from": address, "why": why}
            await append(session, AuditKind.SIGN_IN, now, "gateway", name, detail)

    async def failures(self, name: str, address: str, *, within: timedelta) -> tuple[int, int]:
        """Failed sign-ins (of this name from this address, of any name from this address)."""
        since = self._now() - within
        name = name.lower()[:64]
        both = func.count().filter(col(SignInFailureRow.name) == name)
        query = select(both, func.count()).where(
            col(SignInFailureRow.address) == address[:64], col(SignInFailureRow.at) > since
        )
        async with self._database.read() as session:
            found = (await session.execute(query)).one()
        return int(found[0]), int(found[1])

    async def issue_api_token(
        self, account: Account, name: str, scopes: Collection[Permission], *, lasts: timedelta, actor: str
    ) -> str:
        """A new API token; this is the only time its text exists."""
        secret, now = "sg_" + secrets.token_urlsafe(32), self._now()
        async with self._database.write() as session:
            session.add(
                ApiTokenRow(
                    token_hash=digest(secret),
                    user_id=account.id,
                    name=name[:64],
                    scopes=" ".join(sorted(scopes)),
                    created_at=now,
                    expires_at=now + lasts,
                )
            )
            await session.flush()
            detail = {"step": "token issued", "token": name[:64], "scopes": sorted(scopes)}
            await self._told(session, actor, account.name, detail)
        return secret

    async def rotate_api_token(self, account: Account, token_id: int, *, overlap: timedelta, actor: str) -> str | None:
        """A successor with the same name, scopes and span; the old token ends after `overlap`. None if it is over."""
        secret, now = "sg_" + secrets.token_urlsafe(32), self._now()
        mine = (col(ApiTokenRow.id) == token_id, col(ApiTokenRow.user_id) == account.id)
        live = (col(ApiTokenRow.revoked_at).is_(None), col(ApiTokenRow.expires_at) > now)
        async with self._database.write() as session:
            old = (await session.execute(select(ApiTokenRow).where(*mine, *live).with_for_update())).scalar()
            if old is None:
                return None
            session.add(
                ApiTokenRow(
                    token_hash=digest(secret),
                    user_id=account.id,
                    name=old.name,
                    scopes=old.scopes,
                    created_at=now,
                    expires_at=now + (old.expires_at - old.created_at),
                )
            )
            await session.execute(
                update(ApiTokenRow).where(*mine).values(expires_at=min(old.expires_at, now + overlap))
            )
            await session.flush()
            detail = {"step": "token rotated", "token": old.name, "old_ends": (now + overlap).isoformat()}
            await self._told(session, actor, account.name, detail)
        return secret

    async def api_token(self, secret: str) -> ApiToken | None:
        """The live token of that text; None if it is unknown, over, revoked, or its account disabled."""
        now = self._now()
        query = select(ApiTokenRow, UserRow).join(UserRow, col(UserRow.id) == col(ApiTokenRow.user_id))
        async with self._database.read() as session:
            found = (await session.execute(query.where(col(ApiTokenRow.token_hash) == digest(secret)))).first()
        if found is None:
            return None
        row, user = found
        if row.revoked_at is not None or now >= row.expires_at or user.disabled_at is not None:
            return None
        if row.last_used_at is None or now >= row.last_used_at + _SEEN_EVERY:
            async with self._database.write() as session:
                await session.execute(update(ApiTokenRow).where(col(ApiTokenRow.id) == row.id).values(last_used_at=now))
        return _token(row, account_of(user))

    async def api_tokens(self, account: Account) -> Sequence[ApiToken]:
        """Every token of an account, the newest first."""
        query = select(ApiTokenRow).where(col(ApiTokenRow.user_id) == account.id).order_by(col(ApiTokenRow.id).desc())
        async with self._database.read() as session:
            return [_token(row, account) for row in (await session.execute(query)).scalars()]

    async def revoke_api_token(self, account: Account, token_id: int, *, actor: str) -> bool:
        """End a token of that account; False if there was none."""
        async with self._database.write() as session:
            ended = await session.execute(
                update(ApiTokenRow)
                .where(
                    col(ApiTokenRow.id) == token_id,
                    col(ApiTokenRow.user_id) == account.id,
                    col(ApiTokenRow.revoked_at).is_(None),
                )
                .values(revoked_at=self._now())
                .returning(col(ApiTokenRow.name))
            )
            name = ended.scalar()
            if name is None:
                return False
            await self._told(session, actor, account.name, {"step": "token revoked", "token": name})
            return True

    async def _told(self, session: AsyncSession, actor: str, name: str, detail: Mapping[str, object]) -> None:
        await append(session, AuditKind.CONFIGURATION, self._now(), actor, name, detail)


def _session(row: SessionRow, account: Account) -> Session:
    return Session(
        id_hash=row.id_hash,
        account=account,
        csrf_token=row.csrf_token,
        created_at=row.created_at,
        last_seen_at=row.last_seen_at,
        ends_at=row.ends_at,
        stepped_up_at=row.stepped_up_at,
        address=row.address,
        agent=row.agent,
    )


def _token(row: ApiTokenRow, account: Account) -> ApiToken:
    return ApiToken(
        id=row.id or 0,
        account=account,
        name=row.name,
        scopes=frozenset(Permission(word) for word in row.scopes.split()),
        created_at=row.created_at,
        expires_at=row.expires_at,
        last_used_at=row.last_used_at,
        revoked_at=row.revoked_at,
    )
