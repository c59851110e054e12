"""The dashboard as an OpenID Connect client: code flow with PKCE, state, nonce, and every check of the ID token."""

from __future__ import annotations

import secrets
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import TYPE_CHECKING, Any, cast
from urllib.parse import urlsplit

import httpx
from authlib.oauth2.rfc6749.parameters import prepare_grant_uri
from authlib.oauth2.rfc7636 import create_s256_code_challenge
from authlib.oidc.core import CodeIDToken
from joserfc import jwt
from joserfc.errors import BadSignatureError, ClaimError, ExpiredTokenError, JoseError, MissingClaimError
from joserfc.jwk import KeySet

from dashboard.settings import DashboardSettings
from gateway.errors import StopgateError

if TYPE_CHECKING:
    from joserfc.jwk import KeySetSerialization

ALGORITHMS = ["RS256", "RS384", "RS512", "PS256", "PS384", "PS512", "ES256", "ES384", "ES512", "EdDSA", "Ed25519"]
"""Signatures with a public key only: "none", and secrets that both sides share, are refused."""
_LEEWAY = 60
_KEPT = timedelta(hours=1)
_ASK_AGAIN = timedelta(minutes=1)
_TIMEOUT = 10.0
_MOST_BYTES = 1_000_000


class SignOnRefused(StopgateError):
    """The provider's answer opens nothing. `reason` is one constant word for audit and tests."""

    def __init__(self, reason: str, says: str) -> None:
        super().__init__(says)
        self.reason = reason


@dataclass(frozen=True, slots=True)
class Begun:
    """Where to send the browser, and what to remember until it is back."""

    url: str
    data: Mapping[str, Any]


class OidcClient:
    """One provider. What it publishes is asked at first use and kept for an hour."""

    def __init__(self, settings: DashboardSettings, http: httpx.AsyncClient, now: Callable[[], datetime]) -> None:
        self._settings, self._http, self._now = settings, http, now
        self._metadata: tuple[datetime, Mapping[str, Any]] | None = None
        self._keys: tuple[datetime, KeySet] | None = None

    async def begin(self, purpose: str, next_path: str, *, again: bool = False) -> Begun:
        """Start an exchange. With `again` the provider must ask its person once more, however fresh the session.

        Raises:
            SignOnRefused: provider-unreachable, provider-metadata.
        """
        metadata = await self._discover()
        state, nonce, verifier = (secrets.token_urlsafe(32) for _ in range(3))
        began = int(self._now().timestamp())
        url = prepare_grant_uri(
            metadata["authorization_endpoint"],
            client_id=self._settings.oidc_client_id,
            response_type="code",
            redirect_uri=self._settings.oidc_redirect,
            scope=self._settings.oidc_scopes,
            state=state,
            nonce=nonce,
            code_challenge=create_s256_code_challenge(verifier),
            code_challenge_method="S256",
            **({"prompt": "login", "max_age": "0"} if again else {}),
        )
        data = {"purpose": purpose, "next": next_path, "state": state, "nonce": nonce, "verifier": verifier}
        return Begun(str(url), {**data, "not_before": began if again else None})

    async def finish(self, query: Mapping[str, str], data: Mapping[str, Any]) -> Mapping[str, Any]:
        """The claims of who came back.

        Raises:
            SignOnRefused: one reason for each thing that can be wrong.
        """
        if not secrets.compare_digest(query.get("state", "").encode(), str(data["state"]).encode()):
            raise SignOnRefused("state", "The answer belongs to another sign-in. Begin again.")
        metadata = await self._discover()
        self._check_sender(query, metadata)
        tokens = await self._exchange(metadata["token_endpoint"], query.get("code", ""), str(data["verifier"]))
        return await self._check(tokens, metadata, data)

    def _check_sender(self, query: Mapping[str, str], metadata: Mapping[str, Any]) -> None:
        """RFC 9207: an answer from another provider is not exchanged here."""
        sender, promised = query.get("iss"), metadata.get("authorization_response_iss_parameter_supported")
        if (sender is None and promised) or (sender is not None and sender != self._settings.oidc_issuer):
            raise SignOnRefused("issuer", "The answer comes from another provider.")
        if "error" in query or not query.get("code"):
            raise SignOnRefused("provider-refused", f"The provider said: {query.get('error', 'nothing')[:100]}.")

    async def _exchange(self, endpoint: str, code: str, verifier: str) -> Mapping[str, Any]:
        form = {
            "grant_type": "authorization_code",
            "code": code,
            "redirect_uri": self._settings.oidc_redirect,
            "code_verifier": verifier,
        }
        secret = self._settings.oidc_client_secret.get_secret_value()
        auth = httpx.BasicAuth(self._settings.oidc_client_id, secret) if secret else None
        if auth is None:
            form["client_id"] = self._settings.oidc_client_id
        try:
            answer = await self._http.post(endpoint, data=form, auth=auth or httpx.USE_CLIENT_DEFAULT, timeout=_TIMEOUT)
            said = answer.json()
        except (httpx.HTTPError, ValueError) as error:
            raise SignOnRefused("provider-unreachable", f"The provider did not answer: {_short(error)}.") from error
        if answer.status_code != 200 or not isinstance(said, dict) or "id_token" not in said:
            word = said.get("error", answer.status_code) if isinstance(said, dict) else answer.status_code
            raise SignOnRefused("provider-refused", f"The provider gave no ID token: {str(word)[:100]}.")
        return said

    async def _check(
        self, tokens: Mapping[str, Any], metadata: Mapping[str, Any], data: Mapping[str, Any]
    ) -> Mapping[str, Any]:
        decoded = await self._verified(str(tokens["id_token"]), str(metadata["jwks_uri"]))
        claims = CodeIDToken(
            decoded.claims,
            decoded.header,
            options={
                "iss": {"essential": True, "value": self._settings.oidc_issuer},
                "aud": {"essential": True, "value": self._settings.oidc_client_id},
                "sub": {"essential": True},
            },
            params={
                "nonce": data["nonce"],
                "client_id": self._settings.oidc_client_id,
                "access_token": tokens.get("access_token"),
                "max_age": data["not_before"],
            },
        )
        try:
            claims.validate(int(self._now().timestamp()), _LEEWAY)
        except ExpiredTokenError as error:
            raise SignOnRefused("expired", "The ID token is over.") from error
        except MissingClaimError as error:
            raise SignOnRefused(f"missing-{error.claim}", f"The ID token has no {error.claim}.") from error
        except ClaimError as error:
            raise SignOnRefused(f"wrong-{error.claim}", f"The ID token's {error.claim} is not right.") from error
        if data["not_before"] is not None and claims["auth_time"] < data["not_before"] - _LEEWAY:
            raise SignOnRefused("wrong-auth_time", "The provider did not ask you again.")
        return dict(claims)

    async def _verified(self, token: str, where: str) -> jwt.Token:
        try:
            keys = await self._signing_keys(where, fresh=False)
            try:
                return jwt.decode(token, keys, algorithms=ALGORITHMS)
            except (BadSignatureError, ValueError, JoseError):
                # The provider may have changed its keys; asked again at most once a minute.
                return jwt.decode(token, await self._signing_keys(where, fresh=True), algorithms=ALGORITHMS)
        except BadSignatureError as error:
            raise SignOnRefused("signature", "The ID token is not signed by the provider.") from error
        except (JoseError, ValueError) as error:
            raise SignOnRefused("token", f"The ID token cannot be taken: {_short(error)}.") from error

    async def _discover(self) -> Mapping[str, Any]:
        if self._metadata is not None and self._now() < self._metadata[0] + _KEPT:
            return self._metadata[1]
        issuer = self._settings.oidc_issuer
        found = await self._ask(f"{issuer.rstrip('/')}/.well-known/openid-configuration")
        if found.get("issuer") != issuer:
            raise SignOnRefused("provider-metadata", "The provider calls itself by another name than was set.")
        for name in ("authorization_endpoint", "token_endpoint", "jwks_uri"):
            if not is_safe_url(str(found.get(name, ""))):
                raise SignOnRefused("provider-metadata", f"The provider's {name} is no https:// URL.")
        self._metadata = (self._now(), found)
        return found

    async def _signing_keys(self, where: str, *, fresh: bool) -> KeySet:
        kept = self._keys
        if kept is not None and self._now() < kept[0] + (_ASK_AGAIN if fresh else _KEPT):
            return kept[1]
        try:
            # A stranger's JSON: joserfc checks while it reads that it is the key set that it wants typed.
            keys = KeySet.import_key_set(cast("KeySetSerialization", await self._ask(where)))
        except (JoseError, KeyError, TypeError, ValueError) as error:
            raise SignOnRefused("provider-metadata", f"The provider's keys cannot be read: {_short(error)}.") from error
        self._keys = (self._now(), keys)
        return keys

    async def _ask(self, where: str) -> dict[str, Any]:
        try:
            answer = await self._http.get(where, timeout=_TIMEOUT)
            answer.raise_for_status()
            if len(answer.content) > _MOST_BYTES:
                raise ValueError("the answer is too long")
            found = answer.json()
        except (httpx.HTTPError, ValueError) as error:
            raise SignOnRefused("provider-unreachable", f"The provider did not answer: {_short(error)}.") from error
        if not isinstance(found, dict):
            raise SignOnRefused("provider-metadata", "The provider did not answer with an object.")
        return found


def is_safe_url(url: str) -> bool:
    """True for https, and for http on this machine."""
    parts = urlsplit(url)
    return parts.scheme == "https" or (parts.scheme == "http" and parts.hostname in ("127.0.0.1", "::1", "localhost"))


def _short(error: Exception) -> str:
    return (str(error) or type(error).__name__)[:200]
