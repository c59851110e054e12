"""Passkeys (WebAuthn). The authenticator must verify its person, so a passkey alone is possession and knowledge."""

from __future__ import annotations

import hashlib
import json
from typing import Any

from fastapi import Request
from fastapi.responses import Response
from webauthn import (
    generate_authentication_options,
    generate_registration_options,
    options_to_json,
    verify_authentication_response,
    verify_registration_response,
)
from webauthn.helpers import base64url_to_bytes, bytes_to_base64url
from webauthn.helpers.exceptions import WebAuthnException
from webauthn.helpers.structs import (
    AuthenticatorSelectionCriteria,
    PublicKeyCredentialDescriptor,
    ResidentKeyRequirement,
    UserVerificationRequirement,
)

from dashboard.auth.half_done import begin, take
from dashboard.auth.passwords import WrongCredentials, refuse_guessing
from dashboard.auth.sessions import client_address
from dashboard.room import Room
from gateway.errors import ConfigurationError
from gateway.model.account import Account, Passkey, Session
from gateway.store.people.keys import StepKind

NOBODY = "-"
"""What failures are counted under when the passkey names no account: no account can have this name."""


async def registration_options(room: Room, request: Request, response: Response, account: Account) -> Any:
    """What the browser hands to the authenticator to make a passkey for this account."""
    known = await room.keys.passkeys(account)
    options = generate_registration_options(
        rp_id=_host(room),
        rp_name="Stopgate",
        user_name=account.name,
        user_id=_handle(room, account),
        exclude_credentials=[_descriptor(passkey) for passkey in known],
        authenticator_selection=AuthenticatorSelectionCriteria(
            resident_key=ResidentKeyRequirement.REQUIRED, user_verification=UserVerificationRequirement.REQUIRED
        ),
    )
    data = {"challenge": bytes_to_base64url(options.challenge), "account": account.id}
    await begin(room, request, response, StepKind.PASSKEY_ADD, data)
    return json.loads(options_to_json(options))


async def register(room: Room, request: Request, response: Response, account: Account, answer: Any, name: str) -> None:
    """Check what the authenticator made, and keep it.

    Raises:
        WrongCredentials: the answer is not to our question, or not well formed.
        ConfigurationError: the passkey is known already, or there are too many.
    """
    step = await take(room, request, response, StepKind.PASSKEY_ADD)
    if step is None or step["account"] != account.id or not isinstance(answer, dict):
        raise WrongCredentials("the question was asked too long ago, or by another page; begin again")
    try:
        made = verify_registration_response(
            credential=answer,
            expected_challenge=base64url_to_bytes(step["challenge"]),
            expected_rp_id=_host(room),
            expected_origin=room.settings.passkey_origin,
            require_user_verification=True,
        )
    except (WebAuthnException, ValueError, KeyError, TypeError, AttributeError) as error:
        raise WrongCredentials(f"the authenticator's answer does not hold: {_short(error)}") from error
    credential_id = bytes_to_base64url(made.credential_id)
    await room.keys.add_passkey(account, credential_id, made.credential_public_key, made.sign_count, name)


async def question(room: Room, request: Request, response: Response, account: Account | None) -> Any:
    """What an authenticator has to sign: any passkey of this site, or with an account, one of its own."""
    known = await room.keys.passkeys(account) if account is not None else ()
    options = generate_authentication_options(
        rp_id=_host(room),
        allow_credentials=[_descriptor(passkey) for passkey in known],
        user_verification=UserVerificationRequirement.REQUIRED,
    )
    kind = StepKind.PASSKEY_SIGN_IN if account is None else StepKind.PASSKEY_STEP_UP
    await begin(room, request, response, kind, {"challenge": bytes_to_base64url(options.challenge)})
    return json.loads(options_to_json(options))


async def sign_in(room: Room, request: Request, response: Response, answer: Any) -> Account:
    """The account that a passkey opens.

    Raises:
        TooManyFailures: before anything is computed.
        WrongCredentials: noted for throttle and audit.
    """
    return await _checked(room, request, response, answer, StepKind.PASSKEY_SIGN_IN)


async def confirm(room: Room, request: Request, response: Response, me: Session, answer: Any) -> None:
    """The step up by one of one's own passkeys. Raises as `sign_in`."""
    account = await _checked(room, request, response, answer, StepKind.PASSKEY_STEP_UP)
    if account.id != me.account.id:
        await room.sign_in.note_failure(me.account.name, client_address(request), "passkey of another account")
        raise WrongCredentials("this passkey belongs to another account")


async def _checked(room: Room, request: Request, response: Response, answer: Any, kind: StepKind) -> Account:
    address = client_address(request)
    await refuse_guessing(room, NOBODY, address)
    step = await take(room, request, response, kind)
    found = await room.keys.passkey(_named(answer))
    name = found[1].name if found else NOBODY
    await refuse_guessing(room, name, address)
    why = "the question was asked too long ago, or by another page; begin again"
    if step is not None:
        why = "this passkey is not known here"
    if step is not None and found is not None:
        passkey, account = found
        problem = _problem(room, answer, step["challenge"], passkey, account)
        if isinstance(problem, int):
            if await room.keys.use_passkey(passkey, problem):
                return account
            problem = "it was used at the same moment elsewhere"
        why = f"this passkey does not open the desk: {problem}"
    await room.sign_in.note_failure(name, address, "passkey")
    raise WrongCredentials(why)


def _problem(room: Room, answer: Any, challenge: str, passkey: Passkey, account: Account) -> int | str:
    """The new counter, or what is wrong."""
    if account.disabled_at is not None or account.service:
        return "its account is closed"
    try:
        if base64url_to_bytes(answer["response"].get("userHandle") or "") not in (b"", _handle(room, account)):
            return "it was made for another account"
        verified = verify_authentication_response(
            credential=answer,
            expected_challenge=base64url_to_bytes(challenge),
            expected_rp_id=_host(room),
            expected_origin=room.settings.passkey_origin,
            credential_public_key=passkey.public_key,
            credential_current_sign_count=passkey.sign_count,
            require_user_verification=True,
        )
    except (WebAuthnException, ValueError, KeyError, TypeError, AttributeError) as error:
        return _short(error)
    return verified.new_sign_count


def _named(answer: Any) -> str:
    named = answer.get("id") if isinstance(answer, dict) else None
    return named[:2048] if isinstance(named, str) else ""


def _host(room: Room) -> str:
    host = room.settings.passkey_host
    if not host:
        raise ConfigurationError("passkeys need a host name: set STOPGATE_DASHBOARD__PUBLIC_URL to one, not an address")
    return host


def _handle(room: Room, account: Account) -> bytes:
    """The account towards authenticators: says nothing of the person, and is the same for each of its passkeys."""
    return hashlib.sha256(f"stopgate passkey {_host(room)} {account.id}".encode()).digest()


def _descriptor(passkey: Passkey) -> PublicKeyCredentialDescriptor:
    return PublicKeyCredentialDescriptor(id=base64url_to_bytes(passkey.credential_id))


def _short(error: Exception) -> str:
    return (str(error) or type(error).__name__)[:200]
