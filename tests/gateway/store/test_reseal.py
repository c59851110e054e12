from __future__ import annotations

from datetime import timedelta

import pytest
from cryptography.fernet import Fernet
from sqlalchemy import text

from gateway.model.account import Role
from gateway.model.notice import ChannelKind, ChannelRule, NoticeKind
from gateway.store.database import Database
from gateway.store.notices import Notices
from gateway.store.people.account import People
from gateway.store.people.keys import Keys, StepKind
from gateway.store.reseal import reseal
from gateway.store.seal import Seal, SealedElsewhere
from tests.cases import Clock

OLD, NEW = Fernet.generate_key().decode(), Fernet.generate_key().decode()
HOOK, CODE = "https://hooks.example/PATHSECRET", "JBSWY3DPEHPK3PXP"


async def _everything(database: Database) -> str:
    """What somebody reads who has the database alone."""
    queries = ("SELECT totp_secret FROM users", "SELECT target, secret FROM channels", "SELECT data FROM sign_in_steps")
    async with database.read() as session:
        return str([(await session.execute(text(query))).all() for query in queries])


async def _write(database: Database, clock: Clock) -> str:
    people, notices = People(database, now=clock), Notices(database, now=clock)
    await people.add("anna", Role.ANALYST, actor="otto")
    await people.set_second_factor("anna", CODE, actor="anna")
    every = ChannelRule(kinds=frozenset(NoticeKind), grouping=timedelta(0))
    channel, secret = await notices.add("night", ChannelKind.WEBHOOK, HOOK, every, actor="otto")
    await notices.add("chat", ChannelKind.APPRISE, "slack://TOKENSECRET/b/c", every, actor="otto")
    await notices.test(channel, actor="otto")
    return secret


async def _code(database: Database) -> str | None:
    known = await People(database).credentials("anna")
    assert known is not None
    return known.totp_secret


async def test_nothing_written_with_a_key_is_readable_in_sql(database: Database, clock: Clock) -> None:
    database.seal = Seal([OLD])
    secret = await _write(database, clock)
    keys = Keys(database, now=clock)
    step = await keys.begin_step(StepKind.OIDC, {"verifier": "VERIFIERSECRET"}, address="a")
    kept = await _everything(database)
    assert not any(word in kept for word in (CODE, "PATHSECRET", "TOKENSECRET", "VERIFIERSECRET", secret))
    assert await _code(database) == CODE
    assert await keys.take_step(StepKind.OIDC, step) == {"verifier": "VERIFIERSECRET"}
    (sent,) = await Notices(database, now=clock).take()
    assert (sent.target, sent.secret) == (HOOK, secret)


async def test_plain_rows_are_sealed_once_and_old_keys_replaced(database: Database, clock: Clock) -> None:
    secret = await _write(database, clock)
    assert CODE in await _everything(database)
    assert await reseal(database) == 0  # no key, no change
    database.seal = Seal([OLD])
    assert await _code(database) == CODE  # before it is sealed
    assert await reseal(database) == 4
    assert await reseal(database) == 0
    assert CODE not in await _everything(database)
    database.seal = Seal([NEW, OLD])
    assert await reseal(database) == 4
    database.seal = Seal([NEW])
    assert await _code(database) == CODE
    (sent,) = await Notices(database, now=clock).take()
    assert (sent.target, sent.secret) == (HOOK, secret)


async def test_without_its_key_nothing_is_sent_signed_in_or_changed(database: Database, clock: Clock) -> None:
    database.seal = Seal([OLD])
    await _write(database, clock)
    before = await _everything(database)
    database.seal = Seal([NEW])
    notices = Notices(database, now=clock)
    with pytest.raises(SealedElsewhere):
        await _code(database)
    with pytest.raises(SealedElsewhere):
        await reseal(database)
    assert await notices.take() == []
    assert (await notices.deliveries())[0].problem == "its secret cannot be read with these keys"
    assert {channel.where for channel in await notices.channels()} == {"sealed with a key that is not here"}
    assert await _everything(database) == before
