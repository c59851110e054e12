"""The HTTP paths beside the RPC: liveness, readiness, metrics, public status."""

from __future__ import annotations

from collections.abc import Callable

from fastapi import FastAPI, Request, Response
from fastapi.responses import JSONResponse, PlainTextResponse

from gateway.errors import RecordUnavailable
from gateway.model.primitive import Hash32
from gateway.model.quarantine import TransactionStatus
from gateway.proxy.status import StatusDesk
from gateway.telemetry import METRICS_CONTENT_TYPE, Metrics

_HEADERS = {"cache-control": "no-store", "x-content-type-options": "nosniff", "access-control-allow-origin": "*"}


def add_pages(
    app: FastAPI, *, status: StatusDesk, metrics: Metrics, readiness: Callable[[], dict[str, str | None]]
) -> None:
    """Add the routes. `readiness` names each part that must work and what is wrong with it, or None."""

    @app.get("/", include_in_schema=False)
    async def index() -> Response:
        return PlainTextResponse("Stopgate: POST JSON-RPC 2.0 here. GET /status/{transaction hash} for its status.\n")

    @app.get("/healthz", include_in_schema=False)
    async def healthz() -> Response:
        return JSONResponse({"status": "ok"})

    @app.get("/readyz", include_in_schema=False)
    async def readyz() -> Response:
        parts = readiness()
        for part, problem in parts.items():
            metrics.ready.labels(part).set(0 if problem else 1)
        ready = not any(parts.values())
        answer = {part: problem or "ok" for part, problem in parts.items()}
        return JSONResponse({"ready": ready, "parts": answer}, status_code=200 if ready else 503)

    @app.get("/metrics", include_in_schema=False)
    async def metrics_page() -> Response:
        return Response(metrics.render(), media_type=METRICS_CONTENT_TYPE)

    @app.get("/status/{hash}")
    async def status_page(hash: str) -> Response:
        return await _answer(hash, status, status.document)

    @app.get("/tx/{hash}")
    async def flashbots_page(hash: str) -> Response:
        return await _answer(hash, status, status.flashbots_document)

    @app.exception_handler(404)
    async def not_found(request: Request, error: Exception) -> Response:
        return JSONResponse({"error": "not found; the RPC is POST /"}, status_code=404)


async def _answer(text: str, desk: StatusDesk, document: Callable[[TransactionStatus], dict[str, object]]) -> Response:
    try:
        hash = Hash32.from_hex(text)
    except ValueError:
        return JSONResponse({"error": "a transaction hash is 0x and 64 hex digits"}, 400, _HEADERS)
    try:
        status = await desk.status(hash)
    except RecordUnavailable:
        return JSONResponse({"error": "the records are not available at present; try again"}, 503, _HEADERS)
    return JSONResponse(document(status), 200, _HEADERS)
