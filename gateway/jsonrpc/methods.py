"""The one table of methods. What it does not name is refused, so a new way to submit cannot pass unseen."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum

from gateway.jsonrpc.errors import Code, RpcError


class Route(StrEnum):
    """What happens to a call."""

    INSPECT = "inspect"
    """carries a signed transaction: decoded, simulated, judged"""
    PASS = "pass through"  # noqa: S105 - not a password
    """sent to the upstream with its params as received"""
    OVERLAY = "overlay"
    """answered for transactions that wait here, else passed through"""
    LOCAL = "local"
    """answered by the gateway alone"""
    OPTIONAL = "optional"
    """passed through only if the operator lists it in STOPGATE_RPC__EXTRA_METHODS"""
    REFUSE = "refuse"
    """never served; settings cannot change it"""


@dataclass(frozen=True, slots=True)
class Method:
    """One row."""

    route: Route
    reason: str = ""
    """why it is refused, for the client"""
    code: int = Code.METHOD_NOT_FOUND


_BUNDLE = "bundles would skip the inspection of single transactions; submit each with eth_sendRawTransaction"
_NODE_KEYS = "this gateway holds no keys; sign in the wallet and use eth_sendRawTransaction"
_LEAK = "pending transactions are not shown to others"
_ADMIN = "administration is not served to the public"

_PASS = [
    "eth_accounts",
    "eth_blobBaseFee",
    "eth_blockNumber",
    "eth_call",
    "eth_chainId",
    "eth_coinbase",
    "eth_config",
    "eth_createAccessList",
    "eth_estimateGas",
    "eth_feeHistory",
    "eth_gasPrice",
    "eth_getBalance",
    "eth_getBlockByHash",
    "eth_getBlockByNumber",
    "eth_getBlockReceipts",
    "eth_getBlockTransactionCountByHash",
    "eth_getBlockTransactionCountByNumber",
    "eth_getCode",
    "eth_getFilterChanges",
    "eth_getFilterLogs",
    "eth_getLogs",
    "eth_getProof",
    "eth_getStorageAt",
    "eth_getTransactionByBlockHashAndIndex",
    "eth_getTransactionByBlockNumberAndIndex",
    "eth_getTransactionCount",
    "eth_getUncleByBlockHashAndIndex",
    "eth_getUncleByBlockNumberAndIndex",
    "eth_getUncleCountByBlockHash",
    "eth_getUncleCountByBlockNumber",
    "eth_hashrate",
    "eth_maxPriorityFeePerGas",
    "eth_mining",
    "eth_newBlockFilter",
    "eth_newFilter",
    "eth_protocolVersion",
    "eth_simulateV1",
    "eth_syncing",
    "eth_uninstallFilter",
    "net_listening",
    "net_peerCount",
    "net_version",
    "rpc_modules",
    "web3_clientVersion",
    "web3_sha3",
]

# Costly, or of one chain family; harmless to what is submitted.
_OPTIONAL = [
    "arb_getL1Confirmations",
    "arb_findBatchContainingBlock",
    "arbtrace_block",
    "arbtrace_call",
    "arbtrace_filter",
    "arbtrace_transaction",
    "debug_getRawBlock",
    "debug_getRawHeader",
    "debug_getRawReceipts",
    "debug_getRawTransaction",
    "debug_traceBlockByHash",
    "debug_traceBlockByNumber",
    "debug_traceCall",
    "debug_traceTransaction",
    "eth_getRawTransactionByHash",
    "eth_getRawTransactionByBlockHashAndIndex",
    "eth_getRawTransactionByBlockNumberAndIndex",
    "optimism_outputAtBlock",
    "optimism_rollupConfig",
    "optimism_syncStatus",
    "optimism_version",
    "ots_getApiLevel",
    "ots_getBlockDetails",
    "ots_getInternalOperations",
    "ots_hasCode",
    "ots_searchTransactionsAfter",
    "ots_searchTransactionsBefore",
    "ots_traceTransaction",
    "scroll_estimateL1DataFee",
    "trace_block",
    "trace_call",
    "trace_callMany",
    "trace_filter",
    "trace_get",
    "trace_replayBlockTransactions",
    "trace_replayTransaction",
    "trace_transaction",
    "zks_L1BatchNumber",
    "zks_estimateFee",
    "zks_getAllAccountBalances",
    "zks_getBlockDetails",
    "zks_getBridgeContracts",
    "zks_getL1BatchDetails",
    "zks_getL2ToL1LogProof",
    "zks_getTransactionDetails",
    "zks_L1ChainId",
]

METHODS: dict[str, Method] = {
    "eth_sendRawTransaction": Method(Route.INSPECT),
    "eth_sendRawTransactionSync": Method(Route.INSPECT),
    "eth_sendRawTransactionConditional": Method(
        Route.REFUSE, "conditional submission is not enabled on this gateway", Code.NOT_SUPPORTED
    ),
    "eth_getTransactionByHash": Method(Route.OVERLAY),
    "eth_getTransactionReceipt": Method(Route.OVERLAY),
    "stopgate_getTransactionStatus": Method(Route.LOCAL),
    "eth_sendBundle": Method(Route.REFUSE, _BUNDLE, Code.NOT_SUPPORTED),
    "eth_callBundle": Method(Route.REFUSE, _BUNDLE, Code.NOT_SUPPORTED),
    "eth_cancelBundle": Method(Route.REFUSE, _BUNDLE, Code.NOT_SUPPORTED),
    "eth_sendEndOfBlockBundle": Method(Route.REFUSE, _BUNDLE, Code.NOT_SUPPORTED),
    "mev_sendBundle": Method(Route.REFUSE, _BUNDLE, Code.NOT_SUPPORTED),
    "mev_simBundle": Method(Route.REFUSE, _BUNDLE, Code.NOT_SUPPORTED),
    "eth_sendPrivateTransaction": Method(Route.REFUSE, _BUNDLE, Code.NOT_SUPPORTED),
    "eth_sendPrivateRawTransaction": Method(Route.REFUSE, _BUNDLE, Code.NOT_SUPPORTED),
    "eth_cancelPrivateTransaction": Method(Route.REFUSE, _BUNDLE, Code.NOT_SUPPORTED),
    "eth_sendMegabundle": Method(Route.REFUSE, _BUNDLE, Code.NOT_SUPPORTED),
    "eth_sendUserOperation": Method(
        Route.REFUSE, "user operations go to a bundler, whose transaction is inspected here", Code.NOT_SUPPORTED
    ),
    "eth_sendTransaction": Method(Route.REFUSE, _NODE_KEYS),
    "eth_sign": Method(Route.REFUSE, _NODE_KEYS),
    "eth_signTransaction": Method(Route.REFUSE, _NODE_KEYS),
    "eth_signTypedData": Method(Route.REFUSE, _NODE_KEYS),
    "eth_signTypedData_v3": Method(Route.REFUSE, _NODE_KEYS),
    "eth_signTypedData_v4": Method(Route.REFUSE, _NODE_KEYS),
    "eth_resend": Method(Route.REFUSE, _NODE_KEYS),
    "eth_fillTransaction": Method(Route.REFUSE, _NODE_KEYS),
    "eth_newPendingTransactionFilter": Method(Route.REFUSE, _LEAK),
    "eth_pendingTransactions": Method(Route.REFUSE, _LEAK),
    "eth_submitWork": Method(Route.REFUSE, _ADMIN),
    "eth_submitHashrate": Method(Route.REFUSE, _ADMIN),
    "eth_subscribe": Method(Route.REFUSE, "subscriptions need a WebSocket connection", Code.NOT_SUPPORTED),
    "eth_unsubscribe": Method(Route.REFUSE, "subscriptions need a WebSocket connection", Code.NOT_SUPPORTED),
    **{name: Method(Route.PASS) for name in _PASS},
    **{name: Method(Route.OPTIONAL) for name in _OPTIONAL},
}
"""name -> row"""

_NAMESPACES = {
    "admin_": _ADMIN,
    "anvil_": _ADMIN,
    "clique_": _ADMIN,
    "debug_": _ADMIN,
    "engine_": _ADMIN,
    "evm_": _ADMIN,
    "ganache_": _ADMIN,
    "hardhat_": _ADMIN,
    "miner_": _ADMIN,
    "personal_": _NODE_KEYS,
    "tenderly_": _ADMIN,
    "txpool_": _LEAK,
    "flashbots_": _BUNDLE,
    "mev_": _BUNDLE,
}
"""Why a whole namespace is refused; anything else is simply unknown."""


def route(name: str, extra: frozenset[str] = frozenset()) -> Route:
    """How to treat a call of `name`; `extra` are the optional methods the operator has switched on.

    Raises:
        RpcError: refused by name, or unknown.
    """
    method = METHODS.get(name)
    if method is None:
        for prefix, reason in _NAMESPACES.items():
            if name.startswith(prefix):
                raise RpcError(Code.METHOD_NOT_FOUND, f"the method {name} is not available: {reason}")
        raise RpcError(Code.METHOD_NOT_FOUND, f"the method {name} does not exist or is not available")
    if method.route is Route.REFUSE:
        raise RpcError(method.code, f"the method {name} is not available: {method.reason}")
    if method.route is Route.OPTIONAL:
        if name not in extra:
            raise RpcError(Code.METHOD_NOT_FOUND, f"the method {name} is not enabled on this gateway")
        return Route.PASS
    return method.route


def unknown_extras(extra: frozenset[str]) -> frozenset[str]:
    """Names among `extra` that no setting can enable."""
    return frozenset(name for name in extra if name not in METHODS or METHODS[name].route is not Route.OPTIONAL)
