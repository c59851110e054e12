"""The HTTP paths beside the RPC: liveness, readiness, metrics, public status."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from ipaddress import IPv4Network, IPv6Address, IPv6Network, ip_address, ip_network

from fastapi import FastAPI, Request, Response
from fastapi.responses import JSONResponse, PlainTextResponse
from starlette.datastructures import Address

from gateway.errors import RecordUnavailable
from gateway.model.primitive import Hash32
from gateway.model.quarantine import TransactionStatus
from gateway.proxy.status import StatusDesk
from gateway.telemetry import METRICS_CONTENT_TYPE, Metrics

_HEADERS = {"cache-control": "no-store", "x-content-type-options": "nosniff", "access-control-allow-origin": "*"}


_NOT_FOUND = {"error": "not found; the RPC is POST /"}


def add_pages(
    app: FastAPI,
    *,
    status: StatusDesk,
    metrics: Metrics,
    readiness: Callable[[], dict[str, str | None]],
    operators: Iterable[str],
) -> None:
    """Add the routes. `readiness` names each part that must work and what is wrong with it, or None.

    `operators` are addresses and networks that may see more than the public; a peer without an address (it came by a
    Unix socket) may too.
    """
    networks = tuple(map(ip_network, operators))

    @app.get("/", include_in_schema=False)
    async def index() -> Response:
        return PlainTextResponse("Stopgate: POST JSON-RPC 2.0 here. GET /status/{transaction hash} for its status.\n")

    @app.get("/healthz", include_in_schema=False)
    async def healthz() -> Response:
        return JSONResponse({"status": "ok"})

    @app.get("/readyz", include_in_schema=False)
    async def readyz(request: Request) -> Response:
        parts = readiness()
        ready = not any(parts.values())
        answer: dict[str, object] = {"ready": ready}
        if _is_among(networks, request.client):
            answer["parts"] = {part: problem or "ok" for part, problem in parts.items()}
        return JSONResponse(answer, status_code=200 if ready else 503)

    @app.get("/metrics", include_in_schema=False)
    async def metrics_page(request: Request) -> Response:
        if not _is_among(networks, request.client):
            return JSONResponse(_NOT_FOUND, status_code=404)
        return Response(metrics.render(), media_type=METRICS_CONTENT_TYPE)

    @app.get("/status/{hash}")
    async def status_page(hash: str) -> Response:
        return await _answer(hash, status, status.document)

    @app.get("/tx/{hash}")
    async def flashbots_page(hash: str) -> Response:
        return await _answer(hash, status, status.flashbots_document)

    @app.exception_handler(404)
    async def not_found(request: Request, error: Exception) -> Response:
        return JSONResponse(_NOT_FOUND, status_code=404)


def _is_among(networks: Iterable[IPv4Network | IPv6Network], peer: Address | None) -> bool:
    if peer is None:
        return True
    try:
        address = ip_address(peer.host)
    except ValueError:
        return False
    mapped = address.ipv4_mapped if isinstance(address, IPv6Address) else None
    return any((mapped or address) in network for network in networks)


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
