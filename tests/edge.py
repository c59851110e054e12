"""A gateway's edge on real stores and a real chain, with a judgement that the test dictates."""

from __future__ import annotations

import asyncio
import itertools
import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from typing import Any

import httpx
from eth_account import Account
from fastapi import FastAPI

from gateway.decoding.envelope import decode_transaction
from gateway.decoding.keccak import keccak256
from gateway.errors import StopgateError
from gateway.inspection.policy import DEFAULT_CLAUSES, decide
from gateway.model.block import BlockContext, Fork
from gateway.model.case import SubmissionNote
from gateway.model.finding import Confidence, Finding, InspectionReport, Severity
from gateway.model.pending import Admission
from gateway.model.policy import Policy
from gateway.model.primitive import ZERO_ADDRESS, Address, Hash32
from gateway.model.profiles import DEVELOPMENT
from gateway.model.quarantine import QuarantineEntry
from gateway.model.trace import SimulationResult, SimulationStatus, Trace
from gateway.model.transaction import Client, Transaction
from gateway.pipeline import Inspected, Pipeline
from gateway.proxy.allowance import Allowances
from gateway.proxy.clients import ClientDesk
from gateway.proxy.dispatch import Dispatch
from gateway.proxy.disposition import Disposition, Steps
from gateway.proxy.endpoint import Endpoint, EndpointLimits
from gateway.proxy.forwarding import Forwarding
from gateway.proxy.keeping import Keeping
from gateway.proxy.nonces import NonceDesk
from gateway.proxy.overlay import Overlay
from gateway.proxy.pages import add_pages
from gateway.proxy.reply import Terms
from gateway.proxy.service import Parts, RpcService, ServiceLimits
from gateway.proxy.status import StatusDesk
from gateway.proxy.turns import Turns
from gateway.store.audit_writer import AuditWriter
from gateway.store.quarantine import LiveQueue, Record
from gateway.store.shared.embedded import EmbeddedValkey
from gateway.store.shared.redis import RedisQueue
from gateway.telemetry import Metrics
from gateway.upstream.aiohttp import HttpUpstream
from gateway.upstream.client import UpstreamLimits
from tests.anvil import Anvil

PUBLIC = "https://rpc.example"
CLEAN = "0x" + "11" * 20
BAD = "0x" + "99" * 20
SLOW = "0x" + "55" * 20
"""recipients that the dictated judgement knows"""

_BLOCK = BlockContext(1, 1, ZERO_ADDRESS, 30_000_000, 0, Hash32(), 31337, Fork.PRAGUE)


@dataclass
class Judge:
    """Stands in for engine and detectors: the recipient decides what is found."""

    seconds: float = 0.0
    fails: StopgateError | None = None
    simulated: list[Hash32] = field(default_factory=list)

    async def simulate(self, transaction: Transaction, deadline: float) -> SimulationResult:
        self.simulated.append(transaction.hash)
        if self.fails is not None:
            raise self.fails
        await asyncio.sleep(60 if str(transaction.to) == SLOW else self.seconds)
        status = SimulationStatus.SUCCESS
        return SimulationResult(status, 21_000, b"", None, Trace(()), {}, (), (), _BLOCK, "dictated", 0.0)

    async def inspect(self, transaction: Transaction, simulation: SimulationResult, deadline: float) -> Inspected:
        found: tuple[Finding, ...] = ()
        if str(transaction.to) == BAD:
            found = (Finding("secret-detector", "Secret rule", Severity.CRITICAL, Confidence.HIGH, "it drains"),)
        return Inspected(InspectionReport(found, (), simulated=True, ruleset_hash="test"))


@dataclass
class Order:
    """The order of forwarding and the slow lane, as the test dictates."""

    admissions: list[Admission] = field(default_factory=list)
    """what is answered, in turn; then ADMITTED"""
    fails: StopgateError | None = None
    withdrawn: list[Hash32] = field(default_factory=list)
    offered: list[QuarantineEntry] = field(default_factory=list)
    room: bool = True

    async def admit(self, transaction: Transaction, simulation: SimulationResult | None) -> Admission:
        if self.fails is not None:
            raise self.fails
        return self.admissions.pop(0) if self.admissions else Admission.ADMITTED

    async def withdraw(self, transaction: Hash32) -> None:
        self.withdrawn.append(transaction)

    def has_room(self, client: Client, sender: Address) -> bool:
        return self.room

    def offer(self, entry: QuarantineEntry) -> bool:
        self.offered.append(entry)
        return True


@dataclass
class Edge:
    """The parts of a running edge."""

    endpoint: Endpoint
    client: httpx.AsyncClient
    record: Record
    queue: LiveQueue
    judge: Judge
    notes: list[SubmissionNote]
    writer: AuditWriter
    disposition: Disposition
    order: Order
    missing: list[str] = field(default_factory=list)

    async def post(self, body: Any) -> httpx.Response:
        if isinstance(body, bytes):
            return await self.client.post("/", content=body)
        return await self.client.post("/", json=body)

    async def call(self, method: str, *params: object) -> dict[str, Any]:
        response = await self.post({"jsonrpc": "2.0", "id": 7, "method": method, "params": params})
        assert response.status_code == 200, response.text
        answer: dict[str, Any] = response.json()
        assert answer["jsonrpc"] == "2.0"
        assert answer["id"] == 7
        return answer

    async def send(self, raw: str) -> dict[str, Any]:
        return await self.call("eth_sendRawTransaction", raw)


@asynccontextmanager
async def running_edge(
    upstream_url: str,
    record: Record,
    queue: LiveQueue,
    *,
    policy: Policy = Policy(clauses=DEFAULT_CLAUSES),
    budget: float = 5.0,
    limits: EndpointLimits = EndpointLimits(),
    upstream_limits: UpstreamLimits = UpstreamLimits(),
    settle_seconds: float = 0.5,
    allowances: Allowances = Allowances(),
    clients: ClientDesk = ClientDesk(),
) -> AsyncIterator[Edge]:
    """An edge with its background writer; closed at the end."""
    metrics, judge, notes, missing = Metrics(), Judge(), list[SubmissionNote](), list[str]()
    writer = AuditWriter(record)

    def note(value: SubmissionNote) -> None:
        notes.append(value)
        writer.add(value)

    def decode(data: bytes) -> Transaction:
        return decode_transaction(data, DEVELOPMENT)

    ids = itertools.count(1)
    upstream = HttpUpstream(upstream_url, upstream_limits)
    terms = Terms(policy, PUBLIC)
    pipeline = Pipeline(
        simulate=judge.simulate,
        inspect=judge.inspect,
        decide=lambda report, sender: decide(report, policy, sender=sender),
    )
    dispatch, nonces, order = Dispatch(upstream, metrics, settle_seconds), NonceDesk(record, queue), Order()
    forwarding = Forwarding(
        order=order, dispatch=dispatch, nonces=nonces, note=note, terms=terms, metrics=metrics, forwarded=lambda: None
    )
    keeping = Keeping(
        record=record,
        queue=queue,
        nonces=nonces,
        deferral=order,
        terms=terms,
        metrics=metrics,
        new_case_id=lambda: f"case-{next(ids)}-{time.monotonic_ns()}",
    )
    disposition = Disposition(
        Steps(decode, Turns(pipeline.judge, allowances), nonces, forwarding, keeping),
        record=record,
        queue=queue,
        dispatch=dispatch,
        terms=terms,
        metrics=metrics,
    )
    status = StatusDesk(record=record, upstream=upstream, terms=terms, is_in_flight=disposition.is_in_flight)
    service = RpcService(
        Parts(
            upstream,
            disposition,
            Overlay(record=record, decode=decode),
            status,
            lambda: next(iter(missing), None),
            allowances,
        ),
        ServiceLimits(budget=timedelta(seconds=budget)),
        keccak=keccak256,
        now=lambda: datetime.now(UTC),
        metrics=metrics,
    )
    pages = FastAPI(openapi_url=None)
    add_pages(
        pages,
        status=status,
        metrics=metrics,
        readiness=lambda: dict.fromkeys(missing, "missing"),
        operators=("127.0.0.0/8", "::1"),
    )
    endpoint = Endpoint(service, limits, metrics, pages, clients)
    transport = httpx.ASGITransport(endpoint)
    client = httpx.AsyncClient(transport=transport, base_url="http://edge")
    async with upstream, client, asyncio.TaskGroup() as group:
        task = group.create_task(writer.run())
        yield Edge(endpoint, client, record, queue, judge, notes, writer, disposition, order, missing)
        task.cancel()


@asynccontextmanager
async def valkey_queue(valkey: EmbeddedValkey) -> AsyncIterator[RedisQueue]:
    """The live queue of a running Valkey; hashes of a fresh chain do not meet those of the test before."""
    queue = RedisQueue(valkey.url)
    try:
        yield queue
    finally:
        await queue.close()


class Wallet:
    """A fresh account with 100 ETH, which counts its nonces."""

    def __init__(self, chain: Anvil) -> None:
        self._account = Account.create()
        self.address: str = self._account.address
        self.nonce = 0
        chain.rpc("anvil_setBalance", self.address, hex(10**20))

    def sign(self, to: str = CLEAN, *, value: int = 1, nonce: int | None = None, **fields: Any) -> str:
        """Raw hex of a transfer with the next nonce."""
        if nonce is None:
            nonce, self.nonce = self.nonce, self.nonce + 1
        transaction = {
            "type": 2, "chainId": 31337, "nonce": nonce, "to": to, "value": value, "gas": 100_000,
            "maxFeePerGas": 10**10, "maxPriorityFeePerGas": 10**9, **fields,
        }  # fmt: skip
        return "0x" + bytes(self._account.sign_transaction(transaction).raw_transaction).hex()


def hash_of(raw: str) -> str:
    """The transaction hash of raw hex."""
    return str(keccak256(bytes.fromhex(raw[2:])))
