"""The development chain's values in JSON-RPC's hex forms."""

from __future__ import annotations

from typing import Any

from gateway.devnet.chain import DevChain, Mined

Json = dict[str, Any]


def hex_data(data: bytes) -> str:
    """Bytes as 0x and two digits each."""
    return "0x" + data.hex()


def _address(data: bytes) -> str | None:
    return hex_data(data) if data else None


def block(chain: DevChain, header: Any, *, full: bool) -> Json:
    """A block with its transactions, or their hashes."""
    mined = chain.block(header.block_number)
    return {
        "number": hex(header.block_number),
        "hash": hex_data(header.hash),
        "parentHash": hex_data(header.parent_hash),
        "nonce": hex_data(header.nonce),
        "sha3Uncles": hex_data(header.uncles_hash),
        "logsBloom": _bloom(header.bloom),
        "transactionsRoot": hex_data(header.transaction_root),
        "stateRoot": hex_data(header.state_root),
        "receiptsRoot": hex_data(header.receipt_root),
        "miner": hex_data(header.coinbase),
        "difficulty": hex(header.difficulty),
        "extraData": hex_data(header.extra_data),
        "gasLimit": hex(header.gas_limit),
        "gasUsed": hex(header.gas_used),
        "timestamp": hex(header.timestamp),
        "baseFeePerGas": hex(header.base_fee_per_gas),
        "mixHash": hex_data(header.mix_hash),
        "withdrawals": [],
        "withdrawalsRoot": hex_data(header.withdrawals_root),
        "blobGasUsed": hex(header.blob_gas_used),
        "excessBlobGas": hex(header.excess_blob_gas),
        "parentBeaconBlockRoot": hex_data(header.parent_beacon_block_root),
        "requestsHash": hex_data(header.requests_hash),
        "size": hex(sum(len(item.raw) for item in mined)),
        "uncles": [],
        "transactions": [transaction(item) if full else hex_data(item.hash) for item in mined],
    }


def transaction(mined: Mined) -> Json:
    """A mined transaction."""
    base_fee = mined.header.base_fee_per_gas
    tip = min(mined.transaction.max_priority_fee_per_gas, mined.transaction.max_fee_per_gas - base_fee)
    place = {
        "blockHash": hex_data(mined.header.hash),
        "blockNumber": hex(mined.header.block_number),
        "transactionIndex": "0x0",
    }
    return _fields(mined.hash, mined.transaction, base_fee + tip) | place


def queued_transaction(digest: bytes, item: Any) -> Json:
    """A transaction that waits for an earlier nonce."""
    place = {"blockHash": None, "blockNumber": None, "transactionIndex": None}
    return _fields(digest, item, item.max_fee_per_gas) | place


def _fields(digest: bytes, item: Any, price: int) -> Json:
    kind = item.type_id or 0
    fields: Json = {
        "type": hex(kind),
        "hash": hex_data(digest),
        "from": hex_data(item.sender),
        "to": _address(item.to),
        "nonce": hex(item.nonce),
        "value": hex(item.value),
        "input": hex_data(item.data),
        "gas": hex(item.gas),
        "gasPrice": hex(price),
        "r": hex(item.r),
        "s": hex(item.s),
        "v": hex(item.y_parity if kind else item.v),
    }
    if item.chain_id is not None:
        fields["chainId"] = hex(item.chain_id)
    if kind >= 1:
        fields["yParity"] = hex(item.y_parity)
        fields["accessList"] = [
            {"address": hex_data(address), "storageKeys": [f"0x{slot:064x}" for slot in slots]}
            for address, slots in item.access_list
        ]
    if kind >= 2:
        fields["maxFeePerGas"] = hex(item.max_fee_per_gas)
        fields["maxPriorityFeePerGas"] = hex(item.max_priority_fee_per_gas)
    if kind == 4:
        fields["authorizationList"] = [_authorization(entry) for entry in item.authorization_list]
    return fields


def _authorization(entry: Any) -> Json:
    return {
        "chainId": hex(entry.chain_id),
        "address": hex_data(entry.address),
        "nonce": hex(entry.nonce),
        "yParity": hex(entry.y_parity),
        "r": hex(entry.r),
        "s": hex(entry.s),
    }


def receipt(mined: Mined) -> Json:
    """The receipt of a mined transaction."""
    known = transaction(mined)
    return {
        "type": known["type"],
        "transactionHash": known["hash"],
        "transactionIndex": "0x0",
        "blockHash": known["blockHash"],
        "blockNumber": known["blockNumber"],
        "from": known["from"],
        "to": known["to"],
        "contractAddress": hex_data(mined.created) if mined.created and mined.status else None,
        "status": hex(mined.status),
        "gasUsed": hex(mined.gas_used),
        "cumulativeGasUsed": hex(mined.gas_used),
        "effectiveGasPrice": known["gasPrice"],
        "logsBloom": _bloom(int(mined.receipt.bloom)),
        "logs": [log(mined, index, item) for index, item in enumerate(mined.receipt.logs)],
    }


def log(mined: Mined, index: int, item: Any) -> Json:
    """One event of a mined transaction."""
    return {
        "address": hex_data(item.address),
        "topics": [f"0x{topic:064x}" for topic in item.topics],
        "data": hex_data(item.data),
        "blockNumber": hex(mined.header.block_number),
        "blockHash": hex_data(mined.header.hash),
        "blockTimestamp": hex(mined.header.timestamp),
        "transactionHash": hex_data(mined.hash),
        "transactionIndex": "0x0",
        "logIndex": hex(index),
        "removed": False,
    }


def _bloom(bloom: int) -> str:
    return f"0x{int(bloom):0512x}"
