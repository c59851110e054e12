"""The public edge: first one that says what is missing, then the service behind it once the chain is open."""

from __future__ import annotations

import secrets
from datetime import UTC, datetime, timedelta

from fastapi import FastAPI

from gateway.app import fairness
from gateway.app.chain import Chain
from gateway.app.foundation import Foundation
from gateway.decoding.keccak import keccak256
from gateway.jsonrpc.message import MessageLimits
from gateway.model.primitive import Hash32
from gateway.proxy.clients import ClientDesk
from gateway.proxy.dispatch import Dispatch
from gateway.proxy.disposition import Disposition, Steps
from gateway.proxy.endpoint import Endpoint, EndpointLimits
from gateway.proxy.forwarding import Forwarding
from gateway.proxy.keeping import Keeping
from gateway.proxy.nonces import NonceDesk, WaitingLimits
from gateway.proxy.overlay import Overlay
from gateway.proxy.pages import add_pages
from gateway.proxy.service import Parts, RpcService, ServiceLimits, StartingService
from gateway.proxy.status import StatusDesk
from gateway.proxy.turns import Turns
from gateway.proxy.websocket import SocketLimits, Sockets
from gateway.tasks.deferred import DeferredLane
from gateway.tasks.describer import Describer
from gateway.tasks.parked import ParkedLane
from gateway.telemetry import Reading
from gateway.upstream.socket import connect


def open_edge(base: Foundation) -> Endpoint:
    """The public edge, answering that the chain is not there yet."""
    rpc = base.settings.rpc
    pages = FastAPI(title="Stopgate", docs_url=None, redoc_url=None, openapi_url=None)
    limits = EndpointLimits(
        message=MessageLimits(body_bytes=rpc.body_bytes, depth=rpc.depth, batch_items=rpc.batch_items),
        body_time=timedelta(seconds=rpc.body_seconds),
        in_flight=rpc.in_flight,
        allow_origin=rpc.allow_origin,
    )
    clients = fairness.client_desk(base.settings.limits)
    endpoint = Endpoint(StartingService(base.readiness.missing), limits, base.metrics, pages, clients)

    endpoint.sockets = _sockets(base, endpoint, clients)

    def is_in_flight(hash: Hash32) -> bool:
        service = endpoint.service
        return isinstance(service, RpcService) and service.is_in_flight(hash)

    status = StatusDesk(record=base.stores.record, upstream=base.upstream, terms=base.terms, is_in_flight=is_in_flight)
    add_pages(pages, status=status, metrics=base.metrics, readiness=base.readiness.parts, operators=rpc.operator_ips)
    return endpoint


def _sockets(base: Foundation, endpoint: Endpoint, clients: ClientDesk) -> Sockets:
    rpc, url = base.settings.rpc, base.settings.upstream.websocket_url
    limits = SocketLimits(
        connections=rpc.websockets,
        per_client=rpc.websockets_per_client,
        idle_seconds=rpc.websocket_idle_seconds,
        subscriptions=rpc.subscriptions,
        allow_origin=rpc.allow_origin,
    )
    sockets = Sockets(endpoint, clients, limits, (lambda: connect(url)) if url else None)
    base.metrics.read_from(lambda: [Reading("stopgate_websockets", len(sockets))])
    return sockets


def open_service(
    base: Foundation, chain: Chain, turns: Turns, deferred: DeferredLane, parked: ParkedLane, describer: Describer
) -> RpcService:
    """What answers once the chain is open: the way of a submission, and of every other call."""
    record, queue, terms, metrics = base.stores.record, base.stores.queue, base.terms, base.metrics
    rpc = base.settings.rpc
    dispatch = Dispatch(base.upstream, metrics, base.settings.upstream.settle_seconds)
    nonces = NonceDesk(record, queue, WaitingLimits(per_client=base.settings.limits.waiting_cases))
    forwarding = Forwarding(
        order=chain.live,
        dispatch=dispatch,
        nonces=nonces,
        note=base.writer.add,
        terms=terms,
        metrics=metrics,
        forwarded=parked.nudge,
    )
    keeping = Keeping(
        record=record,
        queue=queue,
        nonces=nonces,
        deferral=deferred,
        terms=terms,
        metrics=metrics,
        new_case_id=_new_case_id,
        kept=describer.offer,
    )
    disposition = Disposition(
        Steps(chain.decode, turns, nonces, forwarding, keeping),
        record=record,
        queue=queue,
        dispatch=dispatch,
        terms=terms,
        metrics=metrics,
    )
    status = StatusDesk(record=record, upstream=base.upstream, terms=terms, is_in_flight=disposition.is_in_flight)
    overlay = Overlay(record=record, decode=chain.decode)
    limits = ServiceLimits(
        budget=base.settings.inspection.budget,
        transaction_bytes=rpc.transaction_bytes,
        sync_default=timedelta(seconds=rpc.sync_seconds),
        sync_most=timedelta(seconds=rpc.sync_most_seconds),
        extra_methods=rpc.extra_methods,
    )
    parts = Parts(base.upstream, disposition, overlay, status, base.readiness.missing, base.allowances)
    return RpcService(parts, limits, keccak=keccak256, now=lambda: datetime.now(UTC), metrics=metrics)


def _new_case_id() -> str:
    return "c" + secrets.token_hex(6)
