"""An OpenID provider on 127.0.0.1, built on authlib's server side: PKCE required, secret checked, codes used once.

`spoil` changes what it is about to sign, so that a test can have one lie at a time.
"""

from __future__ import annotations

import asyncio
import secrets
import socket
import time
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager, suppress
from dataclasses import dataclass, field
from typing import Any, ClassVar

import uvicorn
from authlib.oauth2 import OAuth2Error
from authlib.oauth2.rfc6749 import AuthorizationServer, ClientMixin, OAuth2Request, list_to_scope, scope_to_list
from authlib.oauth2.rfc6749.grants import AuthorizationCodeGrant
from authlib.oauth2.rfc6749.requests import BasicOAuth2Payload
from authlib.oauth2.rfc6750 import BearerTokenGenerator
from authlib.oauth2.rfc7636 import CodeChallenge
from authlib.oidc.core.grants import OpenIDCode
from fastapi import FastAPI, Request, Response
from joserfc import jwt
from joserfc.jwk import KeySet, RSAKey

CLIENT_ID, SECRET = "stopgate", "a secret of both sides"
Claims = dict[str, Any]


@dataclass
class Person:
    """Who is signed in at the provider."""

    subject: str = "248289761001"
    claims: Claims = field(default_factory=lambda: {"preferred_username": "Nora", "groups": ["chain-security"]})


class _Client(ClientMixin):
    def __init__(self, redirect: str) -> None:
        self.redirect = redirect

    def get_client_id(self) -> str:
        return CLIENT_ID

    def get_default_redirect_uri(self) -> str:
        return self.redirect

    def get_allowed_scope(self, scope: str) -> str:
        return list_to_scope([word for word in scope_to_list(scope) if word in ("openid", "profile")])

    def check_redirect_uri(self, redirect_uri: str) -> bool:
        return redirect_uri == self.redirect

    def check_client_secret(self, client_secret: str) -> bool:
        return client_secret == SECRET

    def check_endpoint_auth_method(self, method: str, endpoint: str) -> bool:
        return method == "client_secret_basic"

    def check_response_type(self, response_type: str) -> bool:
        return response_type == "code"

    def check_grant_type(self, grant_type: str) -> bool:
        return grant_type == "authorization_code"


@dataclass
class _Code:
    code: str
    scope: str
    redirect_uri: str
    nonce: str | None
    code_challenge: str | None
    code_challenge_method: str | None
    person: Person
    auth_time: int

    def get_redirect_uri(self) -> str:
        return self.redirect_uri

    def get_scope(self) -> str:
        return self.scope

    def get_nonce(self) -> str | None:
        return self.nonce

    def get_auth_time(self) -> int:
        return self.auth_time

    def get_acr(self) -> None:
        return None

    def get_amr(self) -> None:
        return None


class Provider:
    """What the tests hold in their hands."""

    def __init__(self, issuer: str, redirect: str) -> None:
        self.issuer, self.client = issuer, _Client(redirect)
        self.person = Person()
        self.key = RSAKey.generate_key(2048, {"kid": "one"})
        self.published: list[RSAKey] = [self.key]
        self.codes: dict[str, _Code] = {}
        self.metadata: Claims = {}
        self.spoil: Callable[[Claims, Claims], tuple[Claims, Claims] | str] = lambda header, claims: (header, claims)
        self.asked: list[dict[str, str]] = []
        self.signed_in_at: int | None = None
        """when its person signed in; None: at this moment"""


class _Grant(AuthorizationCodeGrant):
    TOKEN_ENDPOINT_AUTH_METHODS: ClassVar = ["client_secret_basic"]

    def save_authorization_code(self, code: str, request: OAuth2Request) -> None:
        provider: Provider = self.server.provider
        data = request.payload.data
        provider.codes[code] = _Code(
            code, data["scope"], data["redirect_uri"], data.get("nonce"), data.get("code_challenge"),
            data.get("code_challenge_method"), request.user, provider.signed_in_at or int(time.time()),
        )  # fmt: skip

    def query_authorization_code(self, code: str, client: _Client) -> _Code | None:
        return self.server.provider.codes.get(code)

    def delete_authorization_code(self, authorization_code: _Code) -> None:
        self.server.provider.codes.pop(authorization_code.code, None)

    def authenticate_user(self, authorization_code: _Code) -> Person:
        return authorization_code.person


class _OpenId(OpenIDCode):
    def __init__(self, provider: Provider) -> None:
        super().__init__(require_nonce=True)
        self.provider = provider

    def exists_nonce(self, nonce: str, request: OAuth2Request) -> bool:
        return any(code.nonce == nonce for code in self.provider.codes.values())

    def encode_id_token(self, token: Claims, request: OAuth2Request) -> str:
        from authlib.oidc.core.util import create_half_hash

        provider, now = self.provider, int(time.time())
        claims = {
            "iss": provider.issuer, "aud": CLIENT_ID, "sub": request.user.subject, "iat": now, "exp": now + 300,
            "at_hash": create_half_hash(token["access_token"], "RS256").decode(),
            **self.get_authorization_code_claims(request.authorization_code), **request.user.claims,
        }  # fmt: skip
        spoilt = provider.spoil({"alg": "RS256", "kid": provider.key.kid}, claims)
        if isinstance(spoilt, str):
            return spoilt
        return jwt.encode(*spoilt, provider.key, algorithms=["RS256"])


class _Server(AuthorizationServer):
    def __init__(self, provider: Provider) -> None:
        super().__init__(scopes_supported=["openid", "profile"])
        self.provider = provider
        self.register_token_generator("default", BearerTokenGenerator(lambda *_, **__: secrets.token_urlsafe(24)))
        self.register_grant(_Grant, [CodeChallenge(required=True), _OpenId(provider)])

    def query_client(self, client_id: str) -> _Client | None:
        return self.provider.client if client_id == CLIENT_ID else None

    def save_token(self, token: Claims, request: OAuth2Request) -> None:
        """Nobody asks for user info here."""

    def create_oauth2_request(self, request: OAuth2Request) -> OAuth2Request:
        return request

    def handle_response(self, status: int, body: Any, headers: list[tuple[str, str]]) -> Response:
        import json

        text = json.dumps(body) if isinstance(body, dict) else body
        return Response(text, status, headers=dict(headers))

    def send_signal(self, name: str, *args: object, **kwargs: object) -> None:
        """Nobody listens."""


class _Asked(OAuth2Request):
    def __init__(self, request: Request, data: dict[str, str]) -> None:
        # authlib wants https; this is one machine talking to itself
        super().__init__(request.method, str(request.url).replace("http://", "https://"), headers=request.headers)
        self.payload = BasicOAuth2Payload(data)

    @property
    def args(self) -> dict[str, str]:
        return self.payload.data

    @property
    def form(self) -> dict[str, str]:
        return self.payload.data


def provider_app(provider: Provider) -> FastAPI:
    app, server = FastAPI(), _Server(provider)

    @app.get("/.well-known/openid-configuration")
    async def discovery() -> Claims:
        issuer = provider.issuer
        found = {"issuer": issuer, "authorization_endpoint": f"{issuer}/authorize", "token_endpoint": f"{issuer}/token",
                 "jwks_uri": f"{issuer}/jwks", "code_challenge_methods_supported": ["S256"]}  # fmt: skip
        return {**found, **provider.metadata}

    @app.get("/jwks")
    async def jwks() -> Any:
        return KeySet(provider.published).as_dict(private=False)

    @app.get("/authorize")
    async def authorize(request: Request) -> Response:
        provider.asked.append(dict(request.query_params))
        asked = _Asked(request, dict(request.query_params))
        try:
            grant = server.get_consent_grant(asked, end_user=provider.person)
        except OAuth2Error as error:
            return server.handle_error_response(asked, error)
        return server.create_authorization_response(asked, grant_user=provider.person, grant=grant)

    @app.post("/token")
    async def token(request: Request) -> Response:
        form = {key: str(value) for key, value in (await request.form()).items()}
        return server.create_token_response(_Asked(request, form))

    return app


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


@asynccontextmanager
async def serving(app: Any, port: int) -> AsyncIterator[None]:
    """Any ASGI application on a port of 127.0.0.1."""
    config = uvicorn.Config(app, host="127.0.0.1", port=port, log_level="warning", access_log=False, lifespan="off")
    server = uvicorn.Server(config)
    async with asyncio.TaskGroup() as tasks:
        running = tasks.create_task(server.serve())
        while not server.started:
            if running.done():
                raise RuntimeError("the server did not start")
            await asyncio.sleep(0.02)
        try:
            yield
        finally:
            server.should_exit = True
            with suppress(asyncio.CancelledError):
                await running


@asynccontextmanager
async def provider_running(redirect: str) -> AsyncIterator[Provider]:
    """A provider for one client."""
    port = free_port()
    provider = Provider(f"http://127.0.0.1:{port}", redirect)
    async with serving(provider_app(provider), port):
        yield provider
