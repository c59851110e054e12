"""Synchronous submission, public status and the overlay, as a wallet sees them."""

from __future__ import annotations

import pytest
from eth_account import Account

from gateway.decoding.envelope import decode_transaction
from gateway.model.case import Decision
from gateway.model.primitive import Hash32
from gateway.model.profiles import DEVELOPMENT
from gateway.model.quarantine import CaseState
from gateway.proxy.overlay import transaction_document
from tests.anvil import KEYS, Anvil
from tests.edge import BAD, Edge, Wallet, hash_of


async def test_sync_returns_the_receipt(edge: Edge, wallet: Wallet) -> None:
    raw = wallet.sign()
    answer = await edge.call("eth_sendRawTransactionSync", raw)
    assert answer["result"]["transactionHash"] == hash_of(raw)
    assert answer["result"]["status"] == "0x1"


async def test_sync_is_inspected_all_the_same(edge: Edge, wallet: Wallet) -> None:
    answer = await edge.call("eth_sendRawTransactionSync", wallet.sign(BAD, nonce=wallet.nonce), 500)
    assert answer["error"]["data"]["status"] == "HELD"


async def test_sync_tells_the_hash_when_time_is_over(edge: Edge, wallet: Wallet, chain: Anvil) -> None:
    chain.rpc("evm_setAutomine", False)
    try:
        raw = wallet.sign()
        answer = await edge.call("eth_sendRawTransactionSync", raw, "0x64")
    finally:
        chain.rpc("evm_setAutomine", True)
        chain.mine()
    assert (answer["error"]["code"], answer["error"]["data"]) == (4, hash_of(raw))


@pytest.mark.parametrize("value", [0, -1, "soon", True, "0xzz", 1.5])
async def test_sync_refuses_a_strange_time_limit(edge: Edge, wallet: Wallet, value: object) -> None:
    answer = await edge.call("eth_sendRawTransactionSync", wallet.sign(nonce=wallet.nonce), value)
    assert answer["error"]["code"] == -32602


async def test_a_held_transaction_is_visible_to_its_sender(edge: Edge, wallet: Wallet) -> None:
    raw = wallet.sign(BAD, nonce=wallet.nonce)
    await edge.send(raw)
    seen = (await edge.call("eth_getTransactionByHash", hash_of(raw)))["result"]
    assert (seen["hash"], seen["blockHash"], seen["from"]) == (hash_of(raw), None, wallet.address.lower())
    assert (await edge.call("eth_getTransactionReceipt", hash_of(raw)))["result"] is None


async def test_a_rejected_transaction_disappears(edge: Edge, wallet: Wallet) -> None:
    raw = wallet.sign(BAD, nonce=wallet.nonce)
    case = (await edge.send(raw))["error"]["data"]["caseId"]
    await edge.record.decide(case, Decision(CaseState.REJECTED, "alice", "an exploit"))
    assert (await edge.call("eth_getTransactionByHash", hash_of(raw)))["result"] is None


async def test_a_mined_transaction_is_the_upstreams(edge: Edge, wallet: Wallet, chain: Anvil) -> None:
    raw = wallet.sign()
    await edge.call("eth_sendRawTransactionSync", raw)
    for method in ("eth_getTransactionByHash", "eth_getTransactionReceipt"):
        assert (await edge.call(method, hash_of(raw)))["result"] == chain.rpc(method, hash_of(raw))


async def test_status_tells_the_class_and_never_the_rule(edge: Edge, wallet: Wallet, chain: Anvil) -> None:
    held, mined, unknown = wallet.sign(BAD), Wallet(chain).sign(), "0x" + "ab" * 32
    await edge.send(held)
    await edge.send(mined)
    await edge.writer.flush()
    for digest, status in ((hash_of(held), "HELD"), (hash_of(mined), "INCLUDED"), (unknown, "UNKNOWN")):
        answer = (await edge.call("stopgate_getTransactionStatus", digest))["result"]
        assert answer["status"] == status
        page = await edge.client.get(f"/status/{digest}")
        assert page.json() == answer
        assert "secret" not in page.text.lower()
        assert "critical" not in page.text.lower()
    assert (await edge.client.get(f"/tx/{hash_of(held)}")).json()["status"] == "PENDING"
    assert (await edge.client.get(f"/tx/{hash_of(mined)}")).json()["status"] == "INCLUDED"
    assert (await edge.client.get("/status/0x12")).status_code == 400


@pytest.mark.parametrize("params", [[], ["0x12"], [7], ["0x" + "ab" * 32, 1]])
async def test_status_names_wrong_parameters(edge: Edge, params: list[object]) -> None:
    assert (await edge.call("stopgate_getTransactionStatus", *params))["error"]["code"] == -32602


@pytest.mark.parametrize("kind", [0, 1, 2, 4])
def test_documents_carry_what_a_client_rebuilds_the_hash_from(kind: int) -> None:
    fields: dict[str, object] = {"chainId": 31337, "nonce": 5, "to": "0x" + "11" * 20, "value": 7, "gas": 90_000}
    if kind == 0 or kind == 1:
        fields["gasPrice"] = 10**10
    else:
        fields |= {"maxFeePerGas": 10**10, "maxPriorityFeePerGas": 3}
    if kind:
        fields |= {
            "type": kind,
            "accessList": [{"address": "0x" + "22" * 20, "storageKeys": ["0x" + "00" * 31 + "05"]}],
        }
    account = Account.from_key(KEYS[0])
    if kind == 4:
        authorization = account.sign_authorization({"chainId": 31337, "address": "0x" + "33" * 20, "nonce": 6})
        fields |= {"authorizationList": [authorization]}
    raw = bytes(account.sign_transaction(fields).raw_transaction)
    document = transaction_document(decode_transaction(raw, DEVELOPMENT))
    assert document["hash"] == str(Hash32.from_hex(hash_of("0x" + raw.hex())))
    assert document["type"] == hex(kind)
    assert {"v", "r", "s"} <= document.keys()
    assert ("authorizationList" in document) == (kind == 4)
    assert ("accessList" in document) == (kind > 0)
