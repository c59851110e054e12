from __future__ import annotations

from datetime import timedelta

import pytest

from gateway.errors import ConfigurationError
from gateway.model.account import Account, Permission, Role
from gateway.store.database import Database
from gateway.store.people.account import People
from gateway.store.people.keys import Keys, StepKind, TooManySteps
from gateway.store.people.sign_in import SignIn
from tests.cases import Clock

HOUR = timedelta(hours=1)


@pytest.fixture
def sign_in(database: Database, clock: Clock) -> SignIn:
    return SignIn(database, now=clock)


@pytest.fixture
def keys(database: Database, clock: Clock) -> Keys:
    return Keys(database, now=clock)


@pytest.fixture
async def anna(database: Database, clock: Clock) -> Account:
    return await People(database, now=clock).add("anna", Role.ANALYST, actor="otto")


async def test_a_session_lives_until_it_is_over_idle_or_revoked(sign_in: SignIn, anna: Account, clock: Clock) -> None:
    secret, session = await sign_in.open_session(anna, lasts=2 * HOUR, address="192.0.2.7", agent="a browser")
    assert (await sign_in.session("another", idle=HOUR)) is None
    await sign_in.step_up(session.id_hash)
    found = await sign_in.session(secret, idle=HOUR)
    assert found is not None
    assert (found.account, found.stepped_up_at) == (anna, clock())
    clock.forward(minutes=59)
    assert await sign_in.session(secret, idle=HOUR) is not None  # used: idle counts from here
    clock.forward(minutes=59)
    assert await sign_in.session(secret, idle=HOUR) is not None
    clock.forward(minutes=3)
    assert await sign_in.session(secret, idle=HOUR) is None  # over, however much it was used
    other, session = await sign_in.open_session(anna, lasts=HOUR, address="", agent="")
    assert len(await sign_in.sessions(anna)) == 1
    assert await sign_in.revoke_session(session.id_hash, actor="anna", of=anna)
    assert not await sign_in.revoke_session(session.id_hash, actor="anna", of=anna)
    assert await sign_in.session(other, idle=HOUR) is None


async def test_a_link_signs_in_once(sign_in: SignIn, anna: Account, clock: Clock) -> None:
    secret = await sign_in.issue_login_token("anna")
    assert await sign_in.use_login_token(secret) == anna
    assert await sign_in.use_login_token(secret) is None
    late = await sign_in.issue_login_token("anna")
    clock.forward(minutes=31)
    assert await sign_in.use_login_token(late) is None


async def test_failures_are_counted_by_name_and_address(sign_in: SignIn, clock: Clock) -> None:
    for name in ("anna", "Anna", "bela"):
        await sign_in.note_failure(name, "192.0.2.7", "password")
    assert await sign_in.failures("anna", "192.0.2.7", within=HOUR) == (2, 3)
    assert await sign_in.failures("anna", "192.0.2.8", within=HOUR) == (0, 0)
    clock.forward(hours=2)
    assert await sign_in.failures("anna", "192.0.2.7", within=HOUR) == (0, 0)


async def test_a_token_is_issued_used_rotated_and_revoked(sign_in: SignIn, anna: Account, clock: Clock) -> None:
    scopes = {Permission.READ, Permission.NOTE}
    secret = await sign_in.issue_api_token(anna, "watch", scopes, lasts=timedelta(days=7), actor="anna")
    found = await sign_in.api_token(secret)
    assert found is not None
    assert (found.account, found.scopes) == (anna, scopes)
    (listed,) = await sign_in.api_tokens(anna)
    assert listed.last_used_at == clock()
    clock.forward(days=3)
    successor = await sign_in.rotate_api_token(anna, listed.id, overlap=HOUR, actor="anna")
    assert successor is not None
    clock.forward(hours=2)
    assert await sign_in.api_token(secret) is None
    new = await sign_in.api_token(successor)
    assert new is not None
    assert new.expires_at - new.created_at == timedelta(days=7)
    assert await sign_in.rotate_api_token(anna, listed.id, overlap=HOUR, actor="anna") is None
    assert await sign_in.revoke_api_token(anna, new.id, actor="anna")
    assert await sign_in.api_token(successor) is None


async def test_a_step_is_taken_once_in_time_for_its_purpose(keys: Keys, clock: Clock) -> None:
    secret = await keys.begin_step(StepKind.OIDC, {"state": "x"}, address="192.0.2.7")
    assert await keys.take_step(StepKind.PASSKEY_ADD, secret) is None
    assert await keys.take_step(StepKind.OIDC, secret) == {"state": "x"}
    assert await keys.take_step(StepKind.OIDC, secret) is None
    late = await keys.begin_step(StepKind.OIDC, {}, address="192.0.2.7")
    clock.forward(minutes=6)
    assert await keys.take_step(StepKind.OIDC, late) is None
    for _ in range(30):
        await keys.begin_step(StepKind.OIDC, {}, address="192.0.2.7")
    with pytest.raises(TooManySteps):
        await keys.begin_step(StepKind.OIDC, {}, address="192.0.2.7")
    await keys.begin_step(StepKind.OIDC, {}, address="192.0.2.8")  # another address is not locked out
    clock.forward(minutes=6)
    await keys.begin_step(StepKind.OIDC, {}, address="192.0.2.7")


async def test_passkeys_and_identities_belong_to_one_account(
    keys: Keys, anna: Account, database: Database, clock: Clock
) -> None:
    people = People(database, now=clock)
    bela = await people.add("bela", Role.ANALYST, actor="otto")
    await keys.add_passkey(anna, "id-1", b"\x00key", 4_000_000_000, "laptop")
    with pytest.raises(ConfigurationError, match="already"):
        await keys.add_passkey(bela, "id-1", b"key", 0, "stolen")
    found = await keys.passkey("id-1")
    assert found is not None
    passkey, owner = found
    assert (owner.name, owner.passkeys, passkey.public_key) == ("anna", 1, b"\x00key")
    assert await keys.use_passkey(passkey, 4_000_000_001)
    assert not await keys.use_passkey(passkey, 4_000_000_001)
    assert not await keys.rename_passkey(bela, passkey.id, "x")
    assert not await keys.remove_passkey(bela, passkey.id)
    assert await keys.remove_passkey(anna, passkey.id)
    assert await keys.passkeys(anna) == []
    await keys.link(anna, "https://issuer.example", "1")
    with pytest.raises(ConfigurationError, match="already"):
        await keys.link(bela, "https://issuer.example", "1")
    await keys.link(bela, "https://other.example", "1", managed=True)
    identity = await keys.identity("https://issuer.example", "1")
    assert identity is not None
    assert identity[1].name == "anna"
    assert not await keys.unlink(bela, identity[0].id)
    assert await keys.unlink(anna, identity[0].id)
    (managed,) = await keys.identities(bela)
    assert not await keys.unlink(bela, managed.id)
