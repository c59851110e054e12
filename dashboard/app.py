"""The dashboard's composition root: settings in, ASGI app out."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from datetime import UTC, datetime
from pathlib import Path
from urllib.parse import urlencode

from fastapi import FastAPI, HTTPException, Request
from fastapi.exceptions import RequestValidationError
from fastapi.responses import JSONResponse, RedirectResponse, Response
from fastapi.staticfiles import StaticFiles
from starlette.exceptions import HTTPException as StarletteHTTPException
from starlette.middleware.gzip import GZipMiddleware

from dashboard import live
from dashboard.api.casework import routes as casework_api_routes
from dashboard.api.channels import routes as channel_routes
from dashboard.api.knowledge import routes as knowledge_api_routes
from dashboard.api.oversight import routes as oversight_api_routes
from dashboard.api.routes import routes as api_routes
from dashboard.api.rules import routes as rules_api_routes
from dashboard.auth.origin import OriginGuard
from dashboard.dependencies import NotSignedIn, NotSteppedUp
from dashboard.live import News
from dashboard.pages.public import MessagePage
from dashboard.room import open_room
from dashboard.settings import DashboardSettings
from dashboard.templating import make_environment, page
from dashboard.views import (
    case,
    casework,
    channels,
    figures,
    knowledge,
    login,
    oversight,
    passkeys,
    people,
    public,
    queue,
    services,
    single_sign_on,
)
from gateway.errors import RecordUnavailable

_STATIC = Path(__file__).with_name("static")
_CANCEL_AGAIN = 0.5
_TITLES = {
    403: "Not allowed",
    404: "Not found",
    405: "Not possible here",
    429: "Too much at once",
    422: "That cannot be done",
}
_UNSAID = {
    "Not Found": "There is no page at this address.",
    "Method Not Allowed": "This address is not opened like that. Go back and use the button or the link of the page.",
}
"""what the framework says by itself -> what a person can go by"""


def _utc_now() -> datetime:
    return datetime.now(UTC)


async def _end(task: asyncio.Task[None]) -> None:
    """Cancel until it is done: a client that just connects may take a cancellation for a lost connection."""
    while not task.done():
        task.cancel()
        await asyncio.wait([task], timeout=_CANCEL_AGAIN)


def create_app(settings: DashboardSettings, *, now: Callable[[], datetime] = _utc_now) -> FastAPI:
    """Build the app; stores are opened when it starts and closed when it stops."""

    @asynccontextmanager
    async def lifespan(app: FastAPI) -> AsyncIterator[None]:
        async with open_room(settings, now=now) as room, asyncio.TaskGroup() as tasks:
            app.state.room = room
            app.state.news = News(room.queue)
            following = tasks.create_task(app.state.news.follow())
            try:
                yield
            finally:
                await _end(following)

    app = FastAPI(
        title="Stopgate desk",
        version="1",
        lifespan=lifespan,
        docs_url=None,
        redoc_url=None,
        openapi_url="/api/v1/openapi.json",
    )
    app.state.templates = make_environment()
    app.add_middleware(OriginGuard, settings=settings)
    app.add_middleware(GZipMiddleware, minimum_size=2_000, compresslevel=4)
    app.mount("/static", StaticFiles(directory=_STATIC), name="static")
    pages = (login, passkeys, single_sign_on, queue, live, case, casework, knowledge, oversight)
    administration = (people, services, channels)
    for module in (*pages, *administration, public, figures):
        app.include_router(module.routes, include_in_schema=False)
    app.include_router(api_routes)
    app.include_router(channel_routes)
    app.include_router(knowledge_api_routes)
    app.include_router(casework_api_routes)
    app.include_router(oversight_api_routes)
    app.include_router(rules_api_routes)
    _answer_errors(app)
    return app


def _answer_errors(app: FastAPI) -> None:
    @app.exception_handler(NotSignedIn)
    async def ask_to_sign_in(request: Request, error: NotSignedIn) -> Response:
        where = error.next_path if request.method == "GET" else "/"
        return _send_to(request, "/login?" + urlencode({"next": where}))

    @app.exception_handler(NotSteppedUp)
    async def ask_to_step_up(request: Request, error: NotSteppedUp) -> Response:
        return _send_to(request, "/step-up?" + urlencode({"next": error.next_path}))

    @app.exception_handler(StarletteHTTPException)
    async def say_so(request: Request, error: HTTPException) -> Response:
        if request.url.path.startswith("/api/"):
            return JSONResponse({"error": error.detail}, error.status_code, headers=error.headers)
        title = _TITLES.get(error.status_code, "That did not work")
        text = _UNSAID.get(str(error.detail), str(error.detail))
        return page(request, "message.html", MessagePage(title, text), status=error.status_code)

    @app.exception_handler(RequestValidationError)
    async def say_what_is_wrong(request: Request, error: RequestValidationError) -> Response:
        problems = tuple(f"{'.'.join(map(str, item['loc'][1:]))}: {item['msg']}" for item in error.errors())
        if request.url.path.startswith("/api/"):
            return JSONResponse({"error": "; ".join(problems)}, 422)
        context = MessagePage(_TITLES[422], "Something in the request is missing or wrong.", details=problems)
        return page(request, "message.html", context, status=422)

    @app.exception_handler(RecordUnavailable)
    async def say_record_is_away(request: Request, error: RecordUnavailable) -> Response:
        text = "The record does not answer. Nothing was changed; try again in a moment."
        if request.url.path.startswith("/api/"):
            return JSONResponse({"error": text}, 503)
        return page(request, "message.html", MessagePage("The record is away", text), status=503)


def _send_to(request: Request, where: str) -> Response:
    """A redirection, also for the partial requests of htmx, which would print the page into a corner."""
    if request.headers.get("hx-request"):
        return Response(status_code=204, headers={"HX-Redirect": where})
    return RedirectResponse(where, 303)
