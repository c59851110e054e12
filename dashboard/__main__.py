"""`python -m dashboard`: serve the desk as the environment says; `--listen HOST:PORT` wins over it."""

from __future__ import annotations

import argparse
import sys

import uvicorn
from fastapi import FastAPI
from starlette.types import Receive, Scope, Send

from dashboard.app import create_app
from dashboard.settings import load_dashboard_settings
from gateway.errors import StopgateError
from gateway.settings import check_listen, split_listen


class PlainStart:
    """The app, with a named error at its start told in one line instead of a traceback."""

    def __init__(self, app: FastAPI, where: str = "") -> None:
        """`where`: the address that is told on the terminal once everything works; empty tells nothing."""
        self._app, self._where = app, where

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Serve one connection, or the lifespan (ASGI)."""
        if scope["type"] != "lifespan":
            await self._app(scope, receive, send)
            return
        await receive()
        try:
            async with self._app.router.lifespan_context(self._app):
                await send({"type": "lifespan.startup.complete"})
                if self._where:
                    print(await self._greeting(), file=sys.stderr, flush=True)  # noqa: T201 - the terminal is the reader
                await receive()
        except StopgateError as error:
            await send({"type": "lifespan.startup.failed", "message": f"stopgate dashboard: {error}"})
            return
        await send({"type": "lifespan.shutdown.complete"})

    async def _greeting(self) -> str:
        """Where the desk is, and what is missing before anybody can sign in."""
        accounts = await self._app.state.room.people.accounts()
        hint = "" if accounts else "\nnobody has an account yet: `stopgate user add NAME --role lead` makes one"
        return f"dashboard  {self._where}{hint}"


def main() -> int:
    """Serve until stopped. Exit code 2 for settings that cannot be used, 3 for stores that do not open."""
    parser = argparse.ArgumentParser(prog="python -m dashboard", description="The analyst's desk of Stopgate.")
    parser.add_argument("--listen", metavar="HOST:PORT", help="default: STOPGATE_DASHBOARD__LISTEN, or 127.0.0.1:8081")
    parser.add_argument("--data-dir", metavar="DIR", help="default: STOPGATE_DATA_DIR, or .stopgate")
    arguments = parser.parse_args()
    overrides = {key: value for key, value in vars(arguments).items() if value is not None}
    try:
        settings = load_dashboard_settings(**overrides)
        host, port = split_listen(settings.listen)
        remedy = "stop what listens there, or name another with --listen or STOPGATE_DASHBOARD__LISTEN"
        check_listen(settings.listen, remedy)
        app = create_app(settings)
    except StopgateError as error:
        print(f"stopgate dashboard: {error}", file=sys.stderr)  # noqa: T201 - the terminal is the reader
        return 2
    uvicorn.run(
        PlainStart(app, settings.origin),
        host=host,
        port=port,
        access_log=False,
        log_level="warning",
        server_header=False,
        timeout_graceful_shutdown=3,
    )
    return 0


if __name__ == "__main__":
    sys.exit(main())
