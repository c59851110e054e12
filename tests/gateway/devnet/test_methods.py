from __future__ import annotations

from typing import Any

import pytest

from gateway.devnet.methods import BATCH, Methods
from tests.gateway.devnet.signing import LOG_7, OTHER, RETURN_42, REVERT_WITH_1, SENDER, creation, signed


def ask(methods: Methods, method: str, *params: Any) -> Any:
    answer = methods.respond({"jsonrpc": "2.0", "id": 7, "method": method, "params": list(params)})
    assert answer["id"] == 7
    return answer.get("result", answer.get("error"))


def deployed(methods: Methods, runtime: str) -> str:
    raw = signed(to=None, value=0, data=creation(runtime), gas=200_000)
    digest = ask(methods, "eth_sendRawTransaction", "0x" + raw.hex())
    return str(ask(methods, "eth_getTransactionReceipt", digest)["contractAddress"])


def test_a_mined_transaction_is_found_everywhere(methods: Methods) -> None:
    raw = "0x" + signed(value=9).hex()
    digest = ask(methods, "eth_sendRawTransaction", raw)
    found = ask(methods, "eth_getTransactionByHash", digest)
    assert (found["from"], found["to"], found["value"]) == (SENDER.lower(), OTHER.lower(), "0x9")
    receipt = ask(methods, "eth_getTransactionReceipt", digest)
    assert (receipt["status"], receipt["gasUsed"], receipt["blockNumber"]) == ("0x1", "0x5208", "0x1")
    block = ask(methods, "eth_getBlockByNumber", "latest", True)
    assert block["transactions"] == [found]
    assert ask(methods, "eth_getBlockByHash", block["hash"])["transactions"] == [digest]
    assert ask(methods, "eth_getRawTransactionByHash", digest) == raw
    assert ask(methods, "eth_getTransactionCount", SENDER, "latest") == "0x1"
    assert ask(methods, "eth_getTransactionCount", SENDER, {"blockNumber": "0x0"}) == "0x0"


def test_pending_counts_what_waits_without_a_gap(methods: Methods) -> None:
    digest = ask(methods, "eth_sendRawTransaction", "0x" + signed(2).hex())
    assert ask(methods, "eth_getTransactionCount", SENDER, "pending") == "0x0"
    assert ask(methods, "eth_getTransactionByHash", digest)["blockHash"] is None
    assert ask(methods, "eth_getTransactionReceipt", digest) is None


def test_calls_and_estimates(methods: Methods) -> None:
    contract = deployed(methods, RETURN_42)
    assert int(ask(methods, "eth_call", {"to": contract}, "latest"), 16) == 42
    estimate = int(ask(methods, "eth_estimateGas", {"from": SENDER, "to": contract}), 16)
    assert 21_000 < estimate < 22_000
    assert ask(methods, "eth_estimateGas", {"from": SENDER, "to": OTHER, "value": "0x1"}) == hex(21_000)
    assert ask(methods, "eth_getCode", contract, "latest") == RETURN_42


def test_a_revert_gets_code_3_and_its_data(methods: Methods) -> None:
    contract = deployed(methods, REVERT_WITH_1)
    for method in ("eth_call", "eth_estimateGas"):
        error = ask(methods, method, {"to": contract})
        assert (error["code"], error["data"]) == (3, f"0x{1:064x}")


def test_a_halt_is_no_revert(methods: Methods) -> None:
    error = ask(methods, "eth_call", {"to": deployed(methods, "0xfe")})
    assert (error["code"], error["data"]) == (-32000, "0x")


def test_logs_are_filtered_by_place_address_and_topic(methods: Methods) -> None:
    contract = deployed(methods, LOG_7)
    ask(methods, "eth_sendRawTransaction", "0x" + signed(1, to=bytes.fromhex(contract[2:]), value=0, gas=60_000).hex())
    topic = f"0x{7:064x}"
    logs = ask(methods, "eth_getLogs", {"fromBlock": "0x0", "toBlock": "latest"})
    assert [(log["address"], log["topics"]) for log in logs] == [(contract, [topic])]
    assert ask(methods, "eth_getLogs", {"fromBlock": "0x0", "topics": [[f"0x{8:064x}", topic]]}) == logs
    assert ask(methods, "eth_getLogs", {"fromBlock": "0x0", "topics": [f"0x{8:064x}"]}) == []
    assert ask(methods, "eth_getLogs", {"fromBlock": "0x0", "address": OTHER}) == []
    assert ask(methods, "eth_getLogs", {"blockHash": logs[0]["blockHash"]}) == logs
    assert ask(methods, "eth_getLogs", {"fromBlock": "0x0", "toBlock": "0x1"}) == []


def test_fees(methods: Methods) -> None:
    ask(methods, "evm_mine")
    history = ask(methods, "eth_feeHistory", "0x2", "latest", [50])
    assert len(history["baseFeePerGas"]) == 3
    assert len(history["reward"]) == len(history["gasUsedRatio"]) == 2
    assert int(ask(methods, "eth_gasPrice"), 16) > int(history["baseFeePerGas"][1], 16)


def test_a_batch_is_answered_in_order_without_its_notifications(methods: Methods) -> None:
    batch = [
        {"jsonrpc": "2.0", "id": "a", "method": "eth_chainId"},
        {"jsonrpc": "2.0", "method": "eth_chainId"},
        {"jsonrpc": "2.0", "id": None, "method": "nothing"},
    ]
    answers = methods.respond(batch)
    assert [answer["id"] for answer in answers] == ["a", None]
    assert answers[0]["result"] == "0x7a69"
    assert answers[1]["error"]["code"] == -32601
    assert methods.respond([batch[1]]) is None


@pytest.mark.parametrize(
    ("request_", "code"),
    [
        (5, -32600),
        ([], -32600),
        ([{"id": 1, "method": "eth_chainId"}] * (BATCH + 1), -32600),
        ({"id": 1}, -32600),
        ({"id": 1, "method": "eth_getBalance", "params": {}}, -32602),
        ({"id": 1, "method": "eth_getBalance", "params": []}, -32602),
        ({"id": 1, "method": "eth_getBalance", "params": ["0x12"]}, -32602),
        ({"id": 1, "method": "eth_getBalance", "params": [5]}, -32602),
        ({"id": 1, "method": "eth_getBalance", "params": [OTHER, "0x99"]}, -32000),
        ({"id": 1, "method": "eth_getBalance", "params": [OTHER, {}]}, -32602),
        ({"id": 1, "method": "eth_call", "params": ["x"]}, -32602),
        ({"id": 1, "method": "eth_getLogs", "params": [[]]}, -32602),
        ({"id": 1, "method": "eth_sendRawTransaction", "params": ["zz"]}, -32000),
        ({"id": 1, "method": "eth_sendRawTransaction", "params": ["0xzz"]}, -32000),
        ({"id": 1, "method": "eth_sendRawTransaction", "params": ["0x02c0"]}, -32000),
    ],
)
def test_bad_input_is_an_error_object(methods: Methods, request_: Any, code: int) -> None:
    assert methods.respond(request_)["error"]["code"] == code
