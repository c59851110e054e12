"""Makes a waiting transaction visible to its sender: present, in no block, without a receipt."""

from __future__ import annotations

from collections.abc import Callable

import msgspec

from gateway.decoding import rlp
from gateway.errors import InvalidTransaction, RecordUnavailable
from gateway.jsonrpc.message import Request
from gateway.model.primitive import Hash32
from gateway.model.quarantine import WAITING, CaseState
from gateway.model.transaction import Transaction, TransactionType
from gateway.proxy.reply import Answer
from gateway.store.quarantine import Record

_encode = msgspec.json.Encoder().encode
_VISIBLE = WAITING | {CaseState.RELEASED}


class Overlay:
    """Answers `eth_getTransactionByHash` and `eth_getTransactionReceipt`: the upstream first, then what waits here."""

    def __init__(self, *, record: Record, decode: Callable[[bytes], Transaction]) -> None:
        self._record, self._decode = record, decode

    async def answer(self, upstream: Answer, request: Request, hash: Hash32) -> Answer:
        """What to say instead of the upstream's answer; that answer itself if nothing waits here under the hash."""
        if upstream.member == b"result" and upstream.value != b"null":
            return upstream
        transaction = await self._waiting(hash)
        if transaction is None:
            return upstream
        if request.method == "eth_getTransactionByHash":
            return Answer(b"result", _encode(transaction_document(transaction)))
        # An error instead of a receipt makes wallets show a failure; this transaction simply has none yet.
        return Answer(b"result", b"null")

    async def _waiting(self, hash: Hash32) -> Transaction | None:
        try:
            entry = await self._record.by_hash(hash)
        except RecordUnavailable:
            return None  # the upstream's own answer stands
        if entry is None or entry.state not in _VISIBLE:
            return None
        try:
            return self._decode(entry.raw.data)
        except InvalidTransaction:
            return None  # held under other chain settings; what is not decodable now cannot be shown


def transaction_document(transaction: Transaction) -> dict[str, object]:
    """A transaction in no block, in geth's words."""
    kind = transaction.type
    document: dict[str, object] = {
        "blockHash": None,
        "blockNumber": None,
        "transactionIndex": None,
        "hash": str(transaction.hash),
        "type": hex(kind),
        "from": str(transaction.sender),
        "to": None if transaction.to is None else str(transaction.to),
        "nonce": hex(transaction.nonce),
        "value": hex(transaction.value),
        "gas": hex(transaction.gas_limit),
        "gasPrice": hex(transaction.max_fee_per_gas),
        "input": "0x" + transaction.input.hex(),
    }
    if transaction.chain_id is not None:
        document["chainId"] = hex(transaction.chain_id)
    if kind >= TransactionType.ACCESS_LIST:
        document["accessList"] = [
            {"address": str(entry.address), "storageKeys": [f"0x{slot:064x}" for slot in entry.slots]}
            for entry in transaction.access_list
        ]
    if kind >= TransactionType.DYNAMIC_FEE:
        document["maxFeePerGas"] = hex(transaction.max_fee_per_gas)
        document["maxPriorityFeePerGas"] = hex(transaction.max_priority_fee_per_gas)
    if transaction.authorization_list:
        document["authorizationList"] = [
            {
                "chainId": hex(item.chain_id),
                "address": str(item.address),
                "nonce": hex(item.nonce),
                "yParity": hex(item.y_parity),
                "r": hex(item.r),
                "s": hex(item.s),
            }
            for item in transaction.authorization_list
        ]
    return {**document, **_signature(transaction)}


def _signature(transaction: Transaction) -> dict[str, str]:
    """Every accepted type ends with (v or y parity, r, s); clients rebuild the hash from them."""
    data = transaction.raw.data
    legacy = transaction.type is TransactionType.LEGACY
    fields = rlp.decode(data if legacy else data[1:])
    v, r, s = (hex(int.from_bytes(item)) for item in fields[-3:] if isinstance(item, bytes))
    return {"v": v, "r": r, "s": s} | ({} if legacy else {"yParity": v})
