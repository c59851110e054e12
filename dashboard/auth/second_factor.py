"""Time-based codes (RFC 6238). Each code works once; one step of clock difference is allowed."""

from __future__ import annotations

import hmac

import pyotp

from dashboard.auth.passwords import WrongCredentials, check_password, refuse_guessing
from dashboard.room import Room
from gateway.model.account import Account

_STEP_SECONDS = 30


def new_secret() -> str:
    """A fresh base32 secret."""
    return pyotp.random_base32()


def enrolment_uri(secret: str, name: str) -> str:
    """What an authenticator app reads."""
    return pyotp.TOTP(secret).provisioning_uri(name=name, issuer_name="Stopgate")


def matching_step(secret: str, code: str, at: float) -> int | None:
    """The time step that a code belongs to, or None. `at` in seconds since 1970."""
    now = int(at) // _STEP_SECONDS
    totp = pyotp.TOTP(secret)
    for step in (now, now - 1, now + 1):
        if hmac.compare_digest(totp.at(step * _STEP_SECONDS).encode(), code.strip().encode()):
            return step
    return None


async def check_code(room: Room, account: Account, code: str, address: str) -> None:
    """Spend a code of an account that has a second factor.

    Raises:
        TooManyFailures: before anything is computed.
        WrongCredentials: wrong, or used before; noted for throttle and audit.
    """
    await refuse_guessing(room, account.name, address)
    known = await room.people.credentials(account.name)
    step = None
    if known is not None and known.totp_secret is not None:
        step = matching_step(known.totp_secret, code, room.now().timestamp())
    if step is None or not await room.people.take_code_step(account.name, step):
        await room.sign_in.note_failure(account.name, address, "code")
        raise WrongCredentials("name, password or code is wrong")


async def check_again(room: Room, account: Account, secret: str, address: str) -> None:
    """The step up: a fresh code, or the password where there is nothing stronger. Raises as `check_code`."""
    if account.has_second_factor:
        await check_code(room, account, secret, address)
    elif account.passkeys:
        raise WrongCredentials("confirm with your passkey")
    else:
        await check_password(room, account.name, secret, address)
