"""What every answer carries, and which writes are refused before any view sees them."""

from __future__ import annotations

from urllib.parse import urlsplit

from starlette.datastructures import Headers, MutableHeaders
from starlette.responses import PlainTextResponse
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from dashboard.settings import DashboardSettings

POLICY = "; ".join(
    (
        "default-src 'none'",
        "script-src 'self'",
        "style-src 'self'",
        "img-src 'self'",
        "connect-src 'self'",
        "font-src 'self'",
        "form-action 'self'",
        "base-uri 'none'",
        "frame-ancestors 'none'",
    )
)
_HEADERS = {
    "content-security-policy": POLICY,
    "x-content-type-options": "nosniff",
    "x-frame-options": "DENY",
    "referrer-policy": "same-origin",
    "cross-origin-opener-policy": "same-origin",
    "cross-origin-resource-policy": "same-origin",
    "permissions-policy": "camera=(), geolocation=(), microphone=(), payment=(), usb=()",
}
_READS = frozenset({"GET", "HEAD", "OPTIONS"})


class OriginGuard:
    """Adds the security headers and refuses writes that a page of another origin started.

    The API is left to its bearer tokens: no cookie counts there, so no page can borrow anybody's rights.
    """

    def __init__(self, app: ASGIApp, settings: DashboardSettings) -> None:
        self._app, self._settings = app, settings

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """ASGI."""
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return

        async def send_with_headers(message: Message) -> None:
            if message["type"] == "http.response.start":
                self._dress(scope["path"], MutableHeaders(scope=message))
            await send(message)

        if scope["method"] not in _READS and not scope["path"].startswith("/api/") and not self._own(scope):
            refusal = PlainTextResponse("This request was started by another site and is refused.", 403)
            await refusal(scope, receive, send_with_headers)
            return
        await self._app(scope, receive, send_with_headers)

    def _dress(self, path: str, headers: MutableHeaders) -> None:
        for name, value in _HEADERS.items():
            headers.setdefault(name, value)
        if self._settings.secure:
            headers.setdefault("strict-transport-security", "max-age=31536000; includeSubDomains")
        if not path.startswith("/static/"):
            headers.setdefault("cache-control", "no-store")

    def _own(self, scope: Scope) -> bool:
        headers = Headers(scope=scope)
        site = headers.get("sec-fetch-site")
        if site is not None and site != "same-origin":
            return False
        origin = headers.get("origin")
        if origin is None:
            return True  # no browser leaves both out of a cross-site post; the token is still checked
        own = urlsplit(self._settings.origin)
        return origin in (f"{own.scheme}://{own.netloc}", f"{scope['scheme']}://{headers.get('host', '')}")
