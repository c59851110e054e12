"""The JSON-RPC methods of the development chain: one table, no socket."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from gateway.devnet import answer
from gateway.devnet.answer import hex_data
from gateway.devnet.chain import Call, DevChain, ExecutionFailed
from gateway.devnet.genesis import CHAIN_ID
from gateway.errors import DecodingError, InvalidTransaction, StopgateError

PRIORITY_FEE = 10**9
"""wei; what `eth_maxPriorityFeePerGas` suggests"""
LOG_RANGE = 10_000
"""blocks that one `eth_getLogs` may span"""
BATCH = 1_000
"""requests that one batch may hold"""


class RpcError(StopgateError):
    """An error object of JSON-RPC."""

    def __init__(self, code: int, message: str, data: str | None = None) -> None:
        super().__init__(message)
        self.code, self.data = code, data


class Methods:
    """Answers requests on one chain."""

    def __init__(self, chain: DevChain) -> None:
        self._chain = chain
        self._table: dict[str, Callable[..., Any]] = {
            "web3_clientVersion": lambda: "stopgate-devnet/py-evm",
            "net_version": lambda: str(CHAIN_ID),
            "net_listening": lambda: True,
            "eth_chainId": lambda: hex(CHAIN_ID),
            "eth_syncing": lambda: False,
            "eth_accounts": lambda: [],
            "eth_blockNumber": lambda: hex(chain.head.block_number),
            "eth_gasPrice": lambda: hex(chain.head.base_fee_per_gas + PRIORITY_FEE),
            "eth_maxPriorityFeePerGas": lambda: hex(PRIORITY_FEE),
            "eth_feeHistory": self._fee_history,
            "eth_getBlockByNumber": self._block_by_number,
            "eth_getBlockByHash": self._block_by_hash,
            "eth_getBalance": self._balance,
            "eth_getTransactionCount": self._nonce,
            "eth_getCode": self._code,
            "eth_getStorageAt": self._slot,
            "eth_call": self._call,
            "eth_estimateGas": self._estimate,
            "eth_sendRawTransaction": self._submit,
            "eth_getTransactionByHash": self._transaction,
            "eth_getRawTransactionByHash": self._raw,
            "eth_getTransactionReceipt": self._receipt,
            "eth_getLogs": self._logs,
            "evm_increaseTime": lambda seconds: hex(chain.shift_clock(_number(seconds))),
            "evm_setNextBlockTimestamp": lambda at: chain.set_next_timestamp(_number(at)),
            "evm_mine": self._mine,
        }

    def respond(self, body: Any) -> Any:
        """The answer to a parsed request or batch; None if nothing is to be said."""
        if not isinstance(body, list):
            return self._one(body)
        if not body or len(body) > BATCH:
            return _failed(None, RpcError(-32600, f"a batch holds 1 to {BATCH} requests"))
        answers = [answered for request in body if (answered := self._one(request)) is not None]
        return answers or None

    def _one(self, request: Any) -> dict[str, Any] | None:
        if not isinstance(request, dict) or not isinstance(request.get("method"), str):
            return _failed(None, RpcError(-32600, "invalid request"))
        identity = request.get("id")
        try:
            result = self._dispatch(request["method"], request.get("params", []))
        except RpcError as error:
            return _failed(identity, error)
        return {"jsonrpc": "2.0", "id": identity, "result": result} if "id" in request else None

    def _dispatch(self, method: str, params: Any) -> Any:
        if method not in self._table:
            raise RpcError(-32601, f"the method {method} does not exist")
        if not isinstance(params, list):
            raise RpcError(-32602, "params must be an array")
        try:
            return self._table[method](*params)
        except ExecutionFailed as error:
            raise RpcError(3 if error.reverted else -32000, str(error), hex_data(error.output)) from error
        except InvalidTransaction as error:
            raise RpcError(-32000, str(error)) from error
        except (ValueError, TypeError) as error:
            raise RpcError(-32602, f"invalid params for {method}: {error}") from error

    # state

    def _header(self, at: Any) -> Any:
        """The header that a block parameter means (EIP-1898 objects too)."""
        chain = self._chain
        if isinstance(at, dict):
            if "blockHash" not in at:
                return self._header(at.get("blockNumber"))
            header = chain.header_by_hash(_bytes(at["blockHash"], 32))
        elif at in ("latest", "pending", "safe", "finalized"):
            header = chain.head
        else:
            header = chain.header(0 if at == "earliest" else _number(at))
        if header is None:
            raise RpcError(-32000, f"block {at} not found")
        return header

    def _balance(self, address: str, at: Any = "latest") -> str:
        return hex(self._chain.state(self._header(at)).get_balance(_bytes(address, 20)))

    def _nonce(self, address: str, at: Any = "latest") -> str:
        who = _bytes(address, 20)
        if at == "pending":
            return hex(self._chain.waiting(who))
        return hex(self._chain.state(self._header(at)).get_nonce(who))

    def _code(self, address: str, at: Any = "latest") -> str:
        return hex_data(self._chain.state(self._header(at)).get_code(_bytes(address, 20)))

    def _slot(self, address: str, slot: str, at: Any = "latest") -> str:
        return f"0x{self._chain.state(self._header(at)).get_storage(_bytes(address, 20), int(slot, 16)):064x}"

    def _call(self, call: dict[str, Any], at: Any = "latest", *_: Any) -> str:
        header = self._header(at)
        return hex_data(self._chain.call(_parsed(call, header.gas_limit), header))

    def _estimate(self, call: dict[str, Any], at: Any = "latest", *_: Any) -> str:
        header = self._header(at)
        return hex(self._chain.estimate(_parsed(call, header.gas_limit), header))

    # blocks and transactions

    def _mine(self, *_: Any) -> str:
        self._chain.mine()
        return "0x0"

    def _block_by_number(self, at: Any, full: bool = False) -> Any:
        if isinstance(at, str) and at.startswith("0x") and self._chain.header(_number(at)) is None:
            return None
        return answer.block(self._chain, self._header(at), full=full)

    def _block_by_hash(self, digest: str, full: bool = False) -> Any:
        header = self._chain.header_by_hash(_bytes(digest, 32))
        return None if header is None else answer.block(self._chain, header, full=full)

    def _submit(self, raw: str) -> str:
        try:
            data = _bytes(raw)
        except ValueError as error:
            raise DecodingError(f"not hex: {error}") from error
        return hex_data(self._chain.submit(data))

    def _transaction(self, digest: str) -> Any:
        key = _bytes(digest, 32)
        if mined := self._chain.mined(key):
            return answer.transaction(mined)
        waiting = self._chain.queued(key)
        return None if waiting is None else answer.queued_transaction(key, waiting[1])

    def _raw(self, digest: str) -> str | None:
        mined = self._chain.mined(_bytes(digest, 32))
        return hex_data(mined.raw) if mined else None

    def _receipt(self, digest: str) -> Any:
        mined = self._chain.mined(_bytes(digest, 32))
        return answer.receipt(mined) if mined else None

    def _logs(self, query: dict[str, Any]) -> list[Any]:
        if not isinstance(query, dict):
            raise ValueError("the filter must be an object")
        if "blockHash" in query:
            first = last = self._header({"blockHash": query["blockHash"]}).block_number
        else:
            first = self._header(query.get("fromBlock", "latest")).block_number
            last = min(self._header("latest").block_number, _upper(query.get("toBlock", "latest")))
        if last - first >= LOG_RANGE:
            raise RpcError(-32005, f"query spans more than {LOG_RANGE} blocks")
        addresses = query.get("address") or []
        wanted = {item.lower() for item in ([addresses] if isinstance(addresses, str) else addresses)}
        topics = query.get("topics") or []
        logs = (answer.log(*found) for found in self._chain.logs(first, last))
        return [log for log in logs if (not wanted or log["address"] in wanted) and _topics_match(log, topics)]

    def _fee_history(self, count: Any, newest: Any, percentiles: Any = None) -> Any:
        last = self._header(newest).block_number
        first = max(0, last - min(_number(count), 1024) + 1)
        headers = [self._header(hex(number)) for number in range(first, last + 1)]
        fees = [hex(header.base_fee_per_gas) for header in headers]
        history = {
            "oldestBlock": hex(first),
            "baseFeePerGas": [*fees, fees[-1]],
            "gasUsedRatio": [header.gas_used / header.gas_limit for header in headers],
        }
        if percentiles:
            history["reward"] = [[hex(PRIORITY_FEE)] * len(percentiles) for _ in headers]
        return history


def _parsed(call: dict[str, Any], gas: int) -> Call:
    if not isinstance(call, dict):
        raise ValueError("the call must be an object")
    return Call(
        sender=_bytes(call.get("from") or "0x" + "00" * 20, 20),
        to=_bytes(call["to"], 20) if call.get("to") else b"",
        value=_number(call.get("value") or 0),
        data=_bytes(call.get("input") or call.get("data") or "0x"),
        gas=min(gas, _number(call.get("gas") or gas)),
    )


def _topics_match(log: dict[str, Any], wanted: list[Any]) -> bool:
    if len(wanted) > len(log["topics"]):
        return False
    pairs = zip(wanted, log["topics"], strict=False)
    return all(want is None or have in ([want] if isinstance(want, str) else want) for want, have in pairs)


def _upper(at: Any) -> int:
    return 2**63 if at in ("latest", "pending", "safe", "finalized") else _number(at)


def _number(value: Any) -> int:
    number = value if isinstance(value, int) else int(value, 16)
    if number < 0:
        raise ValueError(f"{value} is negative")
    return number


def _bytes(value: str, size: int | None = None) -> bytes:
    if not isinstance(value, str) or not value.startswith("0x"):
        raise ValueError(f"{str(value)[:20]} is not a string that begins with 0x")
    data = bytes.fromhex(value[2:])
    if size is not None and len(data) != size:
        raise ValueError(f"{value[:20]} is not {size} bytes long")
    return data


def _failed(identity: Any, error: RpcError) -> dict[str, Any]:
    body: dict[str, Any] = {"code": error.code, "message": str(error)}
    if error.data is not None:
        body["data"] = error.data
    return {"jsonrpc": "2.0", "id": identity, "error": body}
