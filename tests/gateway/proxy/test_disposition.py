"""The order of writes, the wallet contract, and what is answered when a part is away."""

from __future__ import annotations

import asyncio
from dataclasses import replace
from typing import Any

import pytest

from gateway.errors import QueueUnavailable, RecordUnavailable, SimulationError, Unexecutable, UpstreamSilent
from gateway.inspection.policy import DEFAULT_CLAUSES
from gateway.model.case import Conflict, Decision
from gateway.model.pending import Admission
from gateway.model.policy import Mode, Policy
from gateway.model.primitive import Hash32
from gateway.model.quarantine import CaseState, PublicStatus
from gateway.model.verdict import Action
from gateway.store.cases.record import SqlRecord
from gateway.store.shared.redis import RedisQueue
from gateway.upstream.client import UpstreamLimits
from tests.anvil import Anvil
from tests.edge import BAD, PUBLIC, SLOW, Edge, Wallet, hash_of, running_edge
from tests.faulty import Fault, FaultProxy

POLICY = Policy(clauses=DEFAULT_CLAUSES)


def data(answer: dict[str, Any]) -> dict[str, Any]:
    details: dict[str, Any] = answer["error"]["data"]
    return details


async def test_a_clean_transaction_reaches_the_chain_unchanged(edge: Edge, wallet: Wallet, chain: Anvil) -> None:
    raw = wallet.sign()
    answer = await edge.send(raw)
    assert answer["result"] == hash_of(raw)
    assert chain.rpc("eth_getRawTransactionByHash", hash_of(raw)) == raw
    await edge.writer.flush()
    assert (await edge.record.status(Hash32.from_hex(hash_of(raw)))).status is PublicStatus.FORWARDED
    assert [(note.action, note.clause) for note in edge.notes] == [(Action.FORWARD, "clean")]


async def test_a_held_transaction_is_recorded_before_the_answer(edge: Edge, wallet: Wallet, chain: Anvil) -> None:
    raw = wallet.sign(BAD, nonce=wallet.nonce)
    answer = await edge.send(raw)
    assert answer["error"]["code"] == -32003
    details = data(answer)
    assert details["status"] == "HELD"
    assert details["statusUrl"] == f"{PUBLIC}/status/{hash_of(raw)}"
    assert details["reasonClass"] == "security-review"
    assert details["retry"] == "same-hash"
    assert "secret" not in str(answer).lower()
    entry = await edge.record.by_hash(Hash32.from_hex(hash_of(raw)))
    assert entry is not None
    assert (entry.case_id, "0x" + entry.raw.data.hex()) == (details["caseId"], raw)
    queued = await edge.queue.by_hash(entry.hash)
    assert queued is not None
    assert queued.case_id == entry.case_id
    assert chain.rpc("eth_getTransactionByHash", hash_of(raw)) is None


async def test_the_same_transaction_gets_the_same_case_without_a_second_look(edge: Edge, wallet: Wallet) -> None:
    raw = wallet.sign(BAD, nonce=wallet.nonce)
    first, second = await edge.send(raw), await edge.send(raw)
    assert data(first)["caseId"] == data(second)["caseId"]
    assert len(edge.judge.simulated) == 1


async def test_copies_at_the_same_moment_share_one_verdict_and_one_sending(
    edge: Edge, wallet: Wallet, chain: Anvil
) -> None:
    edge.judge.seconds = 0.1
    clean, bad = wallet.sign(), wallet.sign(BAD, nonce=wallet.nonce)
    answers = await asyncio.gather(*(edge.send(raw) for raw in [clean, bad] * 10))
    assert {answer["result"] for answer in answers[::2]} == {hash_of(clean)}
    assert len({data(answer)["caseId"] for answer in answers[1::2]}) == 1
    assert len(edge.judge.simulated) == 2


async def test_two_replicas_give_one_case(chain: Anvil, record: SqlRecord, queue: RedisQueue, wallet: Wallet) -> None:
    raw = wallet.sign(BAD, nonce=wallet.nonce)
    async with running_edge(chain.url, record, queue) as one, running_edge(chain.url, record, queue) as two:
        answers = await asyncio.gather(*(edge.send(raw) for edge in (one, two)))
    assert len({data(answer)["caseId"] for answer in answers}) == 1


@pytest.mark.parametrize(
    ("target", "status", "retry"),
    [(CaseState.REJECTED, "REJECTED", "no"), (CaseState.RELEASED, "RELEASED", "same-hash")],
)
async def test_a_decided_case_answers_with_its_present_state(
    edge: Edge, wallet: Wallet, target: CaseState, status: str, retry: str
) -> None:
    raw = wallet.sign(BAD, nonce=wallet.nonce)
    case = data(await edge.send(raw))["caseId"]
    assert not isinstance(await edge.record.decide(case, Decision(target, "alice", "looked")), Conflict)
    details = data(await edge.send(raw))
    assert (details["status"], details["retry"], details["caseId"]) == (status, retry, case)


async def test_a_released_and_forwarded_case_answers_with_its_hash(edge: Edge, wallet: Wallet) -> None:
    raw = wallet.sign(BAD, nonce=wallet.nonce)
    case = data(await edge.send(raw))["caseId"]
    await edge.record.decide(case, Decision(CaseState.RELEASED, "alice", "looked"))
    await edge.record.mark_forwarded(case, "gateway", "seen at the upstream")
    assert (await edge.send(raw))["result"] == hash_of(raw)


async def test_over_budget_is_deferred(chain: Anvil, record: SqlRecord, queue: RedisQueue, wallet: Wallet) -> None:
    async with running_edge(chain.url, record, queue, budget=0.1) as edge:
        details = data(await edge.send(wallet.sign(SLOW, nonce=wallet.nonce)))
    assert (details["status"], details["reasonClass"]) == ("DEFERRED", "still-inspecting")


async def test_a_failed_simulation_is_held(edge: Edge, wallet: Wallet) -> None:
    edge.judge.fails = SimulationError("the worker crashed")
    details = data(await edge.send(wallet.sign(nonce=wallet.nonce)))
    assert (details["status"], details["reasonClass"]) == ("HELD", "unavailable")


@pytest.mark.parametrize(
    ("raw", "code", "words"),
    [
        ("0x", -32602, "hex digits"),
        ("0x1", -32602, "hex digits"),
        ("0xzz", -32602, "hex digits"),
        ("0x02 f8", -32602, "hex digits"),
        ("02f8", -32602, "hex digits"),
        (7, -32602, "hex digits"),
        ("0x00", -32000, "type"),
        ("0x7e00", -32000, "type"),
        ("0xc0", -32000, ""),
        ("0x02c0", -32000, ""),
        ("0x" + "ff" * 200_000, -32005, "oversized"),
    ],
)
async def test_garbage_is_named_and_goes_nowhere(edge: Edge, raw: object, code: int, words: str) -> None:
    answer = await edge.call("eth_sendRawTransaction", raw)
    assert answer["error"]["code"] == code
    assert words in answer["error"]["message"]
    assert edge.judge.simulated == []


async def test_the_wrong_chain_is_named(edge: Edge, wallet: Wallet) -> None:
    answer = await edge.send(wallet.sign(nonce=0, chainId=5))
    assert answer["error"]["code"] == -32000
    assert "chain" in answer["error"]["message"]


@pytest.mark.parametrize("params", [[], ["0x00", "0x00"], {"tx": "0x00"}, [None], [["0x00"]]])
async def test_wrong_parameters_are_named(edge: Edge, params: object) -> None:
    body = {"jsonrpc": "2.0", "id": 1, "method": "eth_sendRawTransaction", "params": params}
    assert (await edge.post(body)).json()["error"]["code"] == -32602


async def test_what_a_node_would_refuse_keeps_the_nodes_words(edge: Edge, wallet: Wallet) -> None:
    edge.judge.fails = Unexecutable("nonce too low", "next nonce 5, tx nonce 4")
    answer = await edge.send(wallet.sign(nonce=0))
    assert answer["error"] == {"code": -32000, "message": "nonce too low: next nonce 5, tx nonce 4"}
    assert edge.notes[-1].clause == "nonce too low"


async def test_the_upstreams_refusal_passes_through(edge: Edge, wallet: Wallet, chain: Anvil) -> None:
    answer = await edge.send(wallet.sign(nonce=wallet.nonce, value=10**30))
    assert answer["error"]["code"] == -32003
    assert "nsufficient funds" in answer["error"]["message"]
    assert "data" not in answer["error"]


async def test_observe_mode_forwards_and_records(
    chain: Anvil, record: SqlRecord, queue: RedisQueue, wallet: Wallet
) -> None:
    policy = replace(POLICY, mode=Mode.OBSERVE)
    async with running_edge(chain.url, record, queue, policy=policy) as edge:
        raw = wallet.sign(BAD)
        assert (await edge.send(raw))["result"] == hash_of(raw)
    assert [(note.clause, note.observed) for note in edge.notes] == [("critical-finding", True)]


async def test_a_rejecting_clause_sends_nothing(
    chain: Anvil, record: SqlRecord, queue: RedisQueue, wallet: Wallet
) -> None:
    policy = Policy(clauses=tuple(replace(clause, action=Action.REJECT) for clause in DEFAULT_CLAUSES))
    async with running_edge(chain.url, record, queue, policy=policy) as edge:
        raw = wallet.sign(BAD, nonce=wallet.nonce)
        details = data(await edge.send(raw))
    assert (details["status"], details["retry"]) == ("REJECTED", "no")
    assert chain.rpc("eth_getTransactionByHash", hash_of(raw)) is None


async def test_nothing_is_accepted_before_all_is_ready(edge: Edge, wallet: Wallet) -> None:
    edge.missing.append("head")
    answer = await edge.send(wallet.sign(nonce=wallet.nonce))
    assert answer["error"]["code"] == -32603
    assert "waiting for head" in answer["error"]["message"]
    assert edge.judge.simulated == []


class _Away:
    """A store whose chosen methods find nobody at home."""

    def __init__(self, real: object, error: Exception, *names: str) -> None:
        self._real, self._error, self._names = real, error, names

    def __getattr__(self, name: str) -> Any:
        if name not in self._names:
            return getattr(self._real, name)

        async def away(*arguments: object, **named: object) -> object:
            raise self._error

        return away


async def test_without_redis_the_case_stands_in_sql(
    chain: Anvil, record: SqlRecord, queue: RedisQueue, wallet: Wallet
) -> None:
    away: Any = _Away(queue, QueueUnavailable("down"), "by_hash", "put", "move")
    async with running_edge(chain.url, record, away) as edge:
        raw = wallet.sign(BAD, nonce=wallet.nonce)
        first, second = await edge.send(raw), await edge.send(raw)
        assert (data(first)["status"], data(first)["caseId"]) == ("HELD", data(second)["caseId"])
        clean = wallet.sign()
        assert (await edge.send(clean))["result"] == hash_of(clean)


async def test_without_redis_policy_may_reject_or_release(
    chain: Anvil, record: SqlRecord, queue: RedisQueue, wallet: Wallet
) -> None:
    away: Any = _Away(queue, QueueUnavailable("down"), "by_hash", "put", "move")
    for answer, status in ((Action.REJECT, "REJECTED"), (Action.FORWARD, "RELEASED")):
        policy = replace(POLICY, on_queue_unavailable=answer)
        async with running_edge(chain.url, record, away, policy=policy) as edge:
            raw = wallet.sign(BAD, nonce=wallet.nonce, value=hash(status) % 1000)
            assert data(await edge.send(raw))["status"] == status


@pytest.mark.parametrize("to", [BAD, "0x" + "11" * 20])
@pytest.mark.parametrize("names", [("status", "hold"), ("hold",)])
async def test_without_sql_nothing_suspicious_passes(
    chain: Anvil, record: SqlRecord, queue: RedisQueue, wallet: Wallet, names: tuple[str, ...], to: str
) -> None:
    away: Any = _Away(record, RecordUnavailable("down"), *names)
    async with running_edge(chain.url, away, queue) as edge:
        raw = wallet.sign(to, nonce=wallet.nonce, value=len(names) + 5)
        answer = await edge.send(raw)
    if to != BAD and "status" not in names:
        assert answer["result"] == hash_of(raw)
        return
    assert data(answer) == {"status": "REJECTED", "reasonClass": "unavailable", "retry": "later"}
    assert chain.rpc("eth_getTransactionByHash", hash_of(raw)) is None


async def test_without_sql_policy_may_forward(
    chain: Anvil, record: SqlRecord, queue: RedisQueue, wallet: Wallet
) -> None:
    away: Any = _Away(record, RecordUnavailable("down"), "status", "hold")
    policy = replace(POLICY, on_record_unavailable=Action.FORWARD)
    async with running_edge(chain.url, away, queue, policy=policy) as edge:
        raw = wallet.sign(BAD)
        assert (await edge.send(raw))["result"] == hash_of(raw)


async def test_a_chain_that_cannot_be_read_gives_no_verdict(edge: Edge, wallet: Wallet) -> None:
    edge.judge.fails = UpstreamSilent("no answer")
    answer = await edge.send(wallet.sign(nonce=wallet.nonce))
    assert answer["error"]["code"] == -32603
    assert data(answer) == {"status": "UNKNOWN", "reasonClass": "unavailable", "retry": "later"}


@pytest.mark.parametrize("fault", [Fault.RESET, Fault.HALF])
async def test_a_lost_answer_is_settled_by_hash(
    chain: Anvil, record: SqlRecord, queue: RedisQueue, wallet: Wallet, fault: Fault
) -> None:
    async with FaultProxy(chain.port) as proxy, running_edge(f"http://127.0.0.1:{proxy.port}", record, queue) as edge:
        raw = wallet.sign()
        await proxy.set(fault)
        sending = asyncio.ensure_future(edge.send(raw))
        await asyncio.sleep(0.05)
        await proxy.set(Fault.NONE)
        assert (await sending)["result"] == hash_of(raw)


async def test_an_upstream_that_is_down_is_named_and_nothing_was_sent(
    chain: Anvil, record: SqlRecord, queue: RedisQueue, wallet: Wallet
) -> None:
    async with FaultProxy(chain.port) as proxy, running_edge(f"http://127.0.0.1:{proxy.port}", record, queue) as edge:
        await proxy.set(Fault.REFUSE)
        raw = wallet.sign()
        answer = await edge.send(raw)
        assert data(answer) == {"status": "UNKNOWN", "reasonClass": "unavailable", "retry": "later"}
        read = await edge.call("eth_chainId")
        assert read["error"]["code"] == -32603
        await proxy.set(Fault.NONE)
        assert (await edge.send(raw))["result"] == hash_of(raw)


async def test_an_open_fate_is_told_and_a_second_try_looks_first(
    chain: Anvil, record: SqlRecord, queue: RedisQueue, wallet: Wallet
) -> None:
    limits = UpstreamLimits(send_timeout=0.3, read_timeout=0.3)
    async with (
        FaultProxy(chain.port) as proxy,
        running_edge(f"http://127.0.0.1:{proxy.port}", record, queue, upstream_limits=limits) as edge,
    ):
        await proxy.set(Fault.STALL)
        raw = wallet.sign()
        details = data(await edge.send(raw))
        assert (details["status"], details["retry"]) == ("RECEIVED", "same-hash")
        await edge.writer.flush()
        await proxy.set(Fault.NONE)
        before = proxy.requests
        assert (await edge.send(raw))["result"] == hash_of(raw)
        assert proxy.requests - before == 1  # the look-up; no second submission


async def test_a_nonce_gap_is_parked(edge: Edge, wallet: Wallet) -> None:
    edge.judge.fails = Unexecutable("nonce too high", "next nonce 5, tx nonce 9")
    details = data(await edge.send(wallet.sign(nonce=wallet.nonce + 4)))
    assert (details["status"], details["reasonClass"]) == ("PARKED", "waiting-for-nonce")


async def test_a_sender_cannot_fill_the_queue(edge: Edge, wallet: Wallet) -> None:
    edge.judge.fails = Unexecutable("nonce too high", "")
    answers = [await edge.send(wallet.sign(nonce=wallet.nonce + 10 + step)) for step in range(17)]
    assert [answer["error"]["code"] for answer in answers] == [-32003] * 16 + [-32005]


async def test_what_depends_on_it_changed_so_it_is_judged_again(edge: Edge, wallet: Wallet) -> None:
    edge.order.admissions = [Admission.CHANGED, Admission.CHANGED]
    raw = wallet.sign()
    assert (await edge.send(raw))["result"] == hash_of(raw)
    assert len(edge.judge.simulated) == 3


async def test_what_never_comes_to_rest_is_deferred(edge: Edge, wallet: Wallet, chain: Anvil) -> None:
    edge.order.admissions = [Admission.CHANGED] * 9
    raw = wallet.sign(nonce=wallet.nonce)
    assert data(await edge.send(raw))["status"] == "DEFERRED"
    assert [str(entry.hash) for entry in edge.order.offered] == [hash_of(raw)]
    assert chain.rpc("eth_getTransactionByHash", hash_of(raw)) is None


async def test_what_another_replica_forwarded_is_not_sent_again(edge: Edge, wallet: Wallet, chain: Anvil) -> None:
    edge.order.admissions = [Admission.KNOWN]
    raw = wallet.sign(nonce=wallet.nonce)
    assert (await edge.send(raw))["result"] == hash_of(raw)
    assert chain.rpc("eth_getTransactionByHash", hash_of(raw)) is None


async def test_without_the_shared_order_nothing_is_sent(edge: Edge, wallet: Wallet) -> None:
    edge.order.fails = QueueUnavailable("down")
    assert data(await edge.send(wallet.sign(nonce=wallet.nonce)))["status"] == "DEFERRED"


async def test_what_the_upstream_refuses_leaves_the_order(edge: Edge, wallet: Wallet) -> None:
    raw = wallet.sign(nonce=wallet.nonce, value=10**30)
    assert "error" in await edge.send(raw)
    assert [str(hash) for hash in edge.order.withdrawn] == [hash_of(raw)]


async def test_a_full_slow_lane_is_told(chain: Anvil, record: SqlRecord, queue: RedisQueue, wallet: Wallet) -> None:
    async with running_edge(chain.url, record, queue, budget=0.1) as edge:
        edge.order.room = False
        answer = await edge.send(wallet.sign(SLOW, nonce=wallet.nonce))
    assert answer["error"]["code"] == -32005


async def test_a_replacement_settles_what_it_replaces(edge: Edge, wallet: Wallet) -> None:
    held = wallet.sign(BAD, nonce=wallet.nonce)
    case = data(await edge.send(held))["caseId"]
    cancel = wallet.sign(wallet.address, value=0)
    assert (await edge.send(cancel))["result"] == hash_of(cancel)
    entry = await edge.record.case(case)
    assert entry is not None
    assert entry.state is CaseState.SUPERSEDED
    assert data(await edge.send(held))["status"] == "SUPERSEDED"
