"""The table denies what it does not know, and no setting opens what must stay shut."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gateway.jsonrpc.errors import Code, RpcError
from gateway.jsonrpc.methods import METHODS, Route, route, unknown_extras


@pytest.mark.parametrize(
    ("name", "expected"),
    [
        ("eth_sendRawTransaction", Route.INSPECT),
        ("eth_sendRawTransactionSync", Route.INSPECT),
        ("eth_call", Route.PASS),
        ("eth_getTransactionByHash", Route.OVERLAY),
        ("eth_getTransactionReceipt", Route.OVERLAY),
        ("stopgate_getTransactionStatus", Route.LOCAL),
    ],
)
def test_routes(name: str, expected: Route) -> None:
    assert route(name) is expected


@pytest.mark.parametrize(
    "name",
    [
        "eth_sendTransaction",
        "eth_sign",
        "eth_signTransaction",
        "personal_sendTransaction",
        "personal_unlockAccount",
        "admin_addPeer",
        "miner_start",
        "engine_newPayloadV3",
        "txpool_content",
        "anvil_setBalance",
        "hardhat_impersonateAccount",
        "evm_mine",
        "debug_setHead",
        "debug_traceTransaction",
        "eth_newPendingTransactionFilter",
        "eth_pendingTransactions",
        "eth_nonsense",
        "eth_sendrawtransaction",
        "ETH_CHAINID",
        "stopgate_release",
    ],
)
def test_what_the_public_may_not_do(name: str) -> None:
    with pytest.raises(RpcError) as caught:
        route(name)
    assert caught.value.error.code == Code.METHOD_NOT_FOUND
    assert name in caught.value.error.message


@pytest.mark.parametrize(
    "name", ["eth_sendBundle", "mev_sendBundle", "eth_sendUserOperation", "eth_sendRawTransactionConditional"]
)
def test_bundles_are_refused_by_name(name: str) -> None:
    with pytest.raises(RpcError) as caught:
        route(name)
    assert caught.value.error.code == Code.NOT_SUPPORTED


def test_optional_methods_open_only_by_setting() -> None:
    assert route("debug_traceCall", frozenset({"debug_traceCall"})) is Route.PASS
    with pytest.raises(RpcError):
        route("debug_traceCall", frozenset({"trace_block"}))


def test_settings_cannot_open_a_submitting_method() -> None:
    extra = frozenset({"eth_sendBundle", "admin_peers", "debug_traceCall"})
    assert unknown_extras(extra) == {"eth_sendBundle", "admin_peers"}
    for name in ("eth_sendBundle", "admin_peers"):
        with pytest.raises(RpcError):
            route(name, extra)


def test_nothing_that_sends_signs_or_administers_is_passed_through() -> None:
    words = ("send", "sign", "submit", "personal", "admin", "miner", "engine_", "setHead", "import", "unlock")
    for name, method in METHODS.items():
        if method.route in (Route.PASS, Route.OPTIONAL):
            assert not any(word in name for word in words), name


@given(st.text())
def test_any_other_name_is_refused(name: str) -> None:
    if name not in METHODS:
        with pytest.raises(RpcError):
            route(name)
