from __future__ import annotations

import pytest

from gateway.errors import ConfigurationError
from gateway.model.account import Role
from gateway.model.primitive import Address
from gateway.store.audit import AuditLog
from gateway.store.database import Database
from gateway.store.people.account import People
from tests.cases import Clock


@pytest.fixture
def people(database: Database, clock: Clock) -> People:
    return People(database, now=clock)


async def test_an_account_is_added_found_changed_and_disabled(people: People, database: Database, clock: Clock) -> None:
    contract = Address(b"\x07" * 20)
    made = await people.add("Petra", Role.PROTOCOL, actor="otto", password_hash="h", contracts=[contract])
    assert (made.name, made.contracts, made.has_password, made.passkeys) == ("petra", {contract}, True, 0)
    await people.set_role("petra", Role.VIEWER, actor="otto")
    await people.set_contracts("petra", [], actor="otto")
    await people.set_second_factor("petra", "JBSWY3DP", actor="petra")
    await people.set_password("petra", "g", actor="petra")
    await people.disable("petra", actor="otto")
    known = await people.credentials("PETRA")
    assert known is not None
    assert (known.account.role, known.account.contracts, known.account.disabled_at) == (Role.VIEWER, set(), clock())
    assert (known.password_hash, known.totp_secret) == ("g", "JBSWY3DP")
    await people.enable("petra", actor="otto")
    assert [account.disabled_at for account in await people.accounts()] == [None]
    steps = [record.detail["step"] for record in await AuditLog(database).records(subject="petra")]
    assert steps == ["account added", "role changed", "contracts changed", "second factor added", "password changed",
                     "account disabled", "account enabled"]  # fmt: skip


@pytest.mark.parametrize("name", ["", "anna", "gateway", "-x", "a b", "x" * 65, "n\x00l", "ünal"])
async def test_names_that_are_none_or_taken(people: People, name: str) -> None:
    await people.add("anna", Role.ANALYST, actor="otto")
    with pytest.raises(ConfigurationError):
        await people.add(name, Role.VIEWER, actor="otto")
    assert (await people.credentials(name) is None) == (name != "anna")


async def test_a_code_step_is_taken_once(people: People) -> None:
    await people.add("anna", Role.ANALYST, actor="otto")
    assert await people.take_code_step("anna", 100)
    assert not await people.take_code_step("anna", 100)
    assert not await people.take_code_step("anna", 99)
    assert await people.take_code_step("anna", 101)
    with pytest.raises(ConfigurationError, match="no account"):
        await people.disable("nobody", actor="otto")
