"""The player against the py-evm chain and a gate in front of it that holds what it is told to."""

from __future__ import annotations

import json
from collections.abc import AsyncIterator
from typing import Any

import httpx
import pytest
from eth_utils.crypto import keccak

from gateway.demo.playbill import Act, Line, Setup
from gateway.demo.player import Answered, Finished, Outcome, Prepared, Sending, play
from gateway.devnet.chain import DevChain
from gateway.devnet.server import App
from gateway.errors import UpstreamError
from tests.gateway.devnet.signing import OTHER, signed

Answers = dict[str, dict[str, Any]]


def line(nonce: int, **fields: Any) -> Line:
    raw = signed(nonce, **fields)
    return Line(f"number {nonce}", "0x" + raw.hex(), "0x" + keccak(raw).hex())


def act(*lines: Line, honest: bool) -> Act:
    return Act("an act", "a family", "A story.", honest, lines)


def held(status: str) -> dict[str, Any]:
    data = {"status": status, "caseId": "case-1", "statusUrl": "http://gate/tx/1", "reasonClass": "suspicious"}
    return {"code": -32003, "message": "held", "data": data}


async def played(items: list[Setup | Act], answers: Answers | None = None) -> list[Any]:
    """Everything that happens; `answers` maps a raw transaction to the error the gate gives for it."""
    app = App(DevChain())

    async def network(request: httpx.Request) -> httpx.Response:
        asked = json.loads(request.content)
        if request.url.host == "gate" and (error := (answers or {}).get(asked["params"][0])):
            return httpx.Response(200, json={"jsonrpc": "2.0", "id": 1, "error": error})
        return httpx.Response(200, content=app.answer(request.content))

    events: AsyncIterator[Any] = play(
        "http://gate", "http://chain", items, settle=0, patience=0.2, transport=httpx.MockTransport(network)
    )
    return [event async for event in events]


async def test_an_honest_act_is_mined() -> None:
    events = await played([Setup(line(0)), act(line(1), honest=True)])
    assert [type(event) for event in events] == [Prepared, Sending, Answered, Finished]
    assert events[2].outcome is Outcome.MINED
    assert events[3].expected


@pytest.mark.parametrize(
    ("status", "outcome"), [("HELD", Outcome.HELD), ("PARKED", Outcome.PARKED), ("DEFERRED", Outcome.DEFERRED)]
)
async def test_what_the_gate_keeps_is_told_with_its_case(status: str, outcome: Outcome) -> None:
    first = line(0)
    events = await played([act(first, honest=True)], {first.raw: held(status)})
    answered = events[1]
    assert (answered.outcome, answered.reason, answered.case_id) == (outcome, "suspicious", "case-1")
    assert not events[2].expected


async def test_an_exploit_must_be_held_before_its_last_transaction_is_mined() -> None:
    deploy, strike = line(0), line(1)
    exploit = act(deploy, strike, honest=False)
    assert (await played([exploit], {strike.raw: held("HELD")}))[-1].expected
    assert (await played([exploit], {deploy.raw: held("HELD"), strike.raw: held("PARKED")}))[-1].expected
    assert not (await played([exploit]))[-1].expected
    assert not (await played([exploit], {strike.raw: held("PARKED")}))[-1].expected
    refused = {"code": -32000, "message": "nonce too low"}
    assert not (await played([exploit], {deploy.raw: refused, strike.raw: refused}))[-1].expected


async def test_an_exploit_that_was_held_first_and_struck_after_all_is_a_failure() -> None:
    deploy, strike = line(1), line(0)
    assert not (await played([act(deploy, strike, honest=False)], {deploy.raw: held("HELD")}))[-1].expected


async def test_a_reverted_transaction_and_a_lost_one_are_not_mined() -> None:
    reverting = line(0, to=None, value=0, data=b"\xfe", gas=100_000)
    events = await played([act(reverting, honest=True), act(line(5), honest=True)])
    outcomes = [event.outcome for event in events if isinstance(event, Answered)]
    assert outcomes == [Outcome.FAILED, Outcome.LOST]


async def test_a_refusal_keeps_the_message() -> None:
    events = await played([act(line(0, gas=20_000, to=OTHER), honest=True)])
    assert events[1].outcome is Outcome.REFUSED
    assert "intrinsic gas too low" in events[1].reason


async def test_a_setup_that_the_chain_refuses_ends_the_play() -> None:
    with pytest.raises(UpstreamError, match=r"setup, number 0: .*intrinsic gas too low"):
        await played([Setup(line(0, gas=20_000))])


async def test_a_server_that_speaks_no_json_is_named() -> None:
    async def network(_: httpx.Request) -> httpx.Response:
        return httpx.Response(502, text="bad gateway")

    events = play("http://gate", "http://chain", [act(line(0), honest=True)], transport=httpx.MockTransport(network))
    with pytest.raises(UpstreamError, match="http://gate did not answer eth_sendRawTransaction with JSON-RPC"):
        async for _ in events:
            pass
