"""The whole gateway as a process: real chain, real Valkey, real SQL, real detectors, real clients."""

from __future__ import annotations

import functools
import json
import time
from collections.abc import Iterator
from typing import Any

import pytest
from web3 import Web3
from web3.exceptions import Web3RPCError

from gateway.demo.playbill import Act, Line, Setup, load
from tests.anvil import Anvil, needs_anvil, running_anvil
from tests.edge import Wallet, hash_of
from tests.gatewayprocess import GatewayProcess, running_gateway

pytestmark = needs_anvil


def until(condition: Any, seconds: float = 20.0) -> Any:
    deadline = time.monotonic() + seconds
    while time.monotonic() < deadline:
        value = condition()
        if value:
            return value
        time.sleep(0.05)
    raise AssertionError("it did not come to pass")


@pytest.fixture(scope="module")
def chain() -> Iterator[Anvil]:
    with running_anvil("--hardfork", "prague", "--gas-limit", "30000000") as anvil:
        yield anvil


@pytest.fixture(scope="module")
def gateway(chain: Anvil, tmp_path_factory: pytest.TempPathFactory) -> Iterator[GatewayProcess]:
    with running_gateway(chain.url, tmp_path_factory.mktemp("gateway")) as gateway:
        yield gateway


@pytest.fixture(scope="module")
def exploit(chain: Anvil, gateway: GatewayProcess) -> Line:
    """The playbill's first exploit, with everything before it played: the line that does the damage, not yet sent."""
    seen = True
    for item in load():
        if isinstance(item, Setup):
            chain.rpc("eth_sendRawTransaction", item.line.raw)
            until(functools.partial(chain.rpc, "eth_getTransactionReceipt", item.line.hash))
            seen = False
            continue
        if not seen:
            time.sleep(1.0)  # the gateway follows the head by polling
            seen = True
        assert isinstance(item, Act)
        for line in item.lines if item.honest else item.lines[:-1]:
            answer = gateway.call("eth_sendRawTransaction", line.raw)
            if "error" in answer:
                assert answer["error"]["data"]["status"] == "PARKED", (item.name, line.note, answer)
            # A gap that the gateway sees because it has not seen the newest head yet closes by itself.
            until(functools.partial(chain.rpc, "eth_getTransactionReceipt", line.hash))
        if not item.honest:
            return item.lines[-1]
    raise AssertionError("the playbill has no exploit")


def funded(chain: Anvil) -> Wallet:
    """A wallet whose money stands in a block that the gateway has had time to see."""
    wallet = Wallet(chain)
    chain.mine()
    time.sleep(1.0)
    return wallet


def test_web3_sends_an_honest_transaction_whose_bytes_arrive_unchanged(chain: Anvil, gateway: GatewayProcess) -> None:
    web3 = Web3(Web3.HTTPProvider(gateway.url))
    wallet = funded(chain)
    raw = wallet.sign(value=5)
    assert web3.eth.chain_id == 31337
    sent = web3.eth.send_raw_transaction(bytes.fromhex(raw[2:]))  # type: ignore[arg-type]
    assert sent.to_0x_hex() == hash_of(raw)
    receipt = web3.eth.wait_for_transaction_receipt(sent, timeout=10)
    assert receipt["status"] == 1
    assert chain.rpc("eth_getRawTransactionByHash", hash_of(raw)) == raw
    assert gateway.get(f"/tx/{hash_of(raw)}")[1]["status"] == "INCLUDED"


def test_an_exploit_is_held_and_its_client_keeps_the_data(chain: Anvil, gateway: GatewayProcess, exploit: Line) -> None:
    web3 = Web3(Web3.HTTPProvider(gateway.url))
    with pytest.raises(Web3RPCError) as caught:
        web3.eth.send_raw_transaction(bytes.fromhex(exploit.raw[2:]))  # type: ignore[arg-type]
    response = caught.value.rpc_response
    assert response is not None
    error: Any = response["error"]
    assert error["code"] == -32003
    assert error["data"]["status"] == "HELD"
    assert error["data"]["reasonClass"] == "security-review"
    assert chain.rpc("eth_getTransactionByHash", exploit.hash) is None
    again = gateway.call("eth_sendRawTransaction", exploit.raw)
    assert again["error"]["data"]["caseId"] == error["data"]["caseId"]
    assert web3.eth.get_transaction(exploit.hash)["blockHash"] is None  # type: ignore[arg-type]
    assert gateway.call("stopgate_getTransactionStatus", exploit.hash)["result"]["status"] == "HELD"


def test_the_terminal_shows_the_case_and_refuses_a_second_decision(
    chain: Anvil, gateway: GatewayProcess, exploit: Line
) -> None:
    gateway.call("eth_sendRawTransaction", exploit.raw)
    listed = json.loads(gateway.cli("quarantine", "list", "--json").stdout)
    case = next(case for case in listed["cases"] if case["hash"] == exploit.hash)
    shown = gateway.cli("quarantine", "show", case["caseId"])
    assert shown.returncode == 0
    assert exploit.hash in shown.stdout
    assert "Calls" in shown.stdout
    assert gateway.cli("quarantine", "reject", case["caseId"], "--reason", "an exploit").returncode == 0
    late = gateway.cli("quarantine", "release", case["caseId"], "--reason", "too late")
    assert (late.returncode, "already REJECTED" in late.stderr) == (1, True)
    assert gateway.cli("quarantine", "show", "nothing").returncode == 1
    rejected = gateway.call("eth_sendRawTransaction", exploit.raw)
    assert rejected["error"]["data"]["status"] == "REJECTED"
    assert chain.rpc("eth_getTransactionByHash", exploit.hash) is None
    audit = gateway.cli("audit", "verify", "--json")
    assert json.loads(audit.stdout)["holds"] is True


def test_what_a_node_would_refuse_is_refused_in_its_words(chain: Anvil, gateway: GatewayProcess) -> None:
    wallet = funded(chain)
    first = wallet.sign()
    sent = gateway.call("eth_sendRawTransaction", first)
    assert sent.get("result") == hash_of(first), sent
    other = wallet.sign(nonce=0, value=9)
    assert "nonce too low" in gateway.call("eth_sendRawTransaction", other)["error"]["message"]
    poor = wallet.sign(nonce=1, value=10**24)
    assert "insufficient funds" in gateway.call("eth_sendRawTransaction", poor)["error"]["message"]
    cheap = wallet.sign(nonce=1, gas=20_000)
    assert "intrinsic gas too low" in gateway.call("eth_sendRawTransaction", cheap)["error"]["message"]


def test_a_gap_waits_and_goes_when_it_is_filled(chain: Anvil, gateway: GatewayProcess) -> None:
    wallet = funded(chain)
    first, second = wallet.sign(), wallet.sign(value=2)
    assert gateway.call("eth_sendRawTransaction", second)["error"]["data"]["status"] == "PARKED"
    answer = gateway.call("eth_sendRawTransaction", first)
    assert answer.get("result") == hash_of(first), answer
    receipt = until(lambda: chain.rpc("eth_getTransactionReceipt", hash_of(second)))
    assert receipt["status"] == "0x1"
    sent = gateway.call("eth_sendRawTransaction", second)
    assert sent.get("result") == hash_of(second), sent


def test_metrics_and_health_speak(gateway: GatewayProcess) -> None:
    import urllib.request

    assert gateway.get("/healthz")[1] == {"status": "ok"}
    assert gateway.get("/readyz")[1]["ready"] is True
    with urllib.request.urlopen(gateway.url + "/metrics", timeout=10) as response:
        text = response.read().decode()
    assert "stopgate_requests_total" in text
    assert "stopgate_stage_seconds_bucket" in text


def test_it_stops_cleanly_and_knows_its_cases_when_it_comes_back(
    chain: Anvil, gateway: GatewayProcess, exploit: Line
) -> None:
    before = gateway.call("stopgate_getTransactionStatus", exploit.hash)["result"]
    assert gateway.stop() in (0, -15)
    gateway.start()
    assert gateway.call("stopgate_getTransactionStatus", exploit.hash)["result"] == before
