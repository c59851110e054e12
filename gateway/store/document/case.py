"""Cases as versioned, compressed JSON, and back: the detail for the record, the entry for the live queue.

Bytes are hex, 256-bit integers are hex strings, times are ISO 8601. Pure functions; nothing here can execute.
"""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime
from typing import Any

import msgspec
import zstandard

from gateway.errors import StopgateError
from gateway.model.case import CaseDetail, LossBasis, LossEstimate, TokenInfo
from gateway.model.facts import Approval, Facts, TokenStandard, Transfer
from gateway.model.primitive import Address, Hash32
from gateway.model.quarantine import CaseState, QuarantineEntry
from gateway.model.transaction import (
    AccessListEntry,
    Authorization,
    Client,
    RawTransaction,
    Transaction,
    TransactionType,
)
from gateway.store.document.report import report_from, report_to, verdict_from, verdict_to
from gateway.store.document.trace import (
    Bounds,
    Budget,
    address_or_none,
    simulation_from,
    simulation_to,
    text_or_none,
    to_bytes,
    to_hex,
)

VERSION = 1
MAX_DOCUMENT_BYTES = 256 * 1024 * 1024
"""A document that unpacks to more is refused: ours are bounded far below."""


class DocumentError(StopgateError):
    """A stored document cannot be read: damaged, or written by a newer version."""


def encode_detail(detail: CaseDetail, bounds: Bounds = Bounds()) -> bytes:
    """Serialise a detail within `bounds`; what was cut is told in the `truncated` of the decoded one."""
    budget = Budget(bounds)
    document = {
        "v": VERSION,
        "transaction": transaction_to(detail.transaction),
        "report": report_to(detail.report, budget),
        "simulation": simulation_to(detail.simulation, budget) if detail.simulation else None,
        "facts": _facts_to(detail.facts, budget),
        "timings": dict(detail.timings),
        "labels": {str(address): budget.text(label) for address, label in detail.labels.items()},
        "tokens": {
            str(address): [budget.text(token.symbol), token.decimals, budget.text(token.name)]
            for address, token in detail.tokens.items()
        },
        "sender_history": {budget.text(key): budget.text(value) for key, value in detail.sender_history.items()},
    }
    if detail.loss is not None:
        document["loss"] = [detail.loss.amount, detail.loss.unit, detail.loss.basis.value, detail.loss.unpriced]
    document["truncated"] = [*detail.truncated, *budget.sentences()]
    return zstandard.ZstdCompressor(level=3).compress(msgspec.json.encode(document))


def decode_detail(data: bytes) -> CaseDetail:
    """Read what `encode_detail` wrote.

    Raises:
        DocumentError: damaged or of an unknown version.
    """
    try:
        document = msgspec.json.decode(zstandard.ZstdDecompressor().decompress(data, MAX_DOCUMENT_BYTES))
        _check_version(document)
        return CaseDetail(
            transaction=transaction_from(document["transaction"]),
            report=report_from(document["report"]),
            simulation=simulation_from(document["simulation"]) if document["simulation"] else None,
            facts=_facts_from(document["facts"]),
            timings=document["timings"],
            labels={Address.from_hex(key): label for key, label in document["labels"].items()},
            tokens={Address.from_hex(key): TokenInfo(*token) for key, token in document["tokens"].items()},
            sender_history=document["sender_history"],
            truncated=tuple(document["truncated"]),
            loss=_loss_from(document["loss"]) if "loss" in document else None,
        )
    except (zstandard.ZstdError, msgspec.DecodeError, KeyError, TypeError, ValueError) as error:
        raise DocumentError(f"a case detail of {len(data)} bytes cannot be read: {error!r}") from error


def encode_entry(entry: QuarantineEntry) -> bytes:
    """Serialise an entry for the live queue."""
    return msgspec.json.encode(
        {
            "v": VERSION,
            "case_id": entry.case_id,
            "raw": to_hex(entry.raw.data),
            "hash": str(entry.raw.hash),
            "sender": str(entry.sender),
            "nonce": entry.nonce,
            "to": text_or_none(entry.to),
            "value": hex(entry.value),
            "client": [entry.client.address, entry.client.key],
            "verdict": verdict_to(entry.verdict),
            "state": entry.state.value,
            "held_at": entry.held_at.isoformat(),
            "expires_at": entry.expires_at.isoformat(),
            "estimated_loss": entry.estimated_loss,
            "decided_by": entry.decided_by,
            "decision_reason": entry.decision_reason,
            "decided_at": entry.decided_at.isoformat() if entry.decided_at else None,
            "assigned_to": entry.assigned_to,
            "group": entry.group,
            "version": entry.version,
        }
    )


def decode_entry(data: bytes) -> QuarantineEntry:
    """Read what `encode_entry` wrote.

    Raises:
        DocumentError: damaged or of an unknown version.
    """
    try:
        document = msgspec.json.decode(data)
        _check_version(document)
        return QuarantineEntry(
            case_id=document["case_id"],
            raw=RawTransaction(to_bytes(document["raw"]), Hash32.from_hex(document["hash"])),
            sender=Address.from_hex(document["sender"]),
            nonce=document["nonce"],
            to=address_or_none(document["to"]),
            value=int(document["value"], 16),
            client=Client(*document["client"]),
            verdict=verdict_from(document["verdict"]),
            state=CaseState(document["state"]),
            held_at=datetime.fromisoformat(document["held_at"]),
            expires_at=datetime.fromisoformat(document["expires_at"]),
            estimated_loss=document["estimated_loss"],
            decided_by=document["decided_by"],
            decision_reason=document["decision_reason"],
            decided_at=datetime.fromisoformat(document["decided_at"]) if document["decided_at"] else None,
            assigned_to=document["assigned_to"],
            group=document["group"],
            version=document["version"],
        )
    except (msgspec.DecodeError, KeyError, TypeError, ValueError) as error:
        raise DocumentError(f"a queue entry of {len(data)} bytes cannot be read: {error!r}") from error


def transaction_to(transaction: Transaction) -> dict[str, Any]:
    """A decoded transaction as plain JSON values, whole: its size is bounded at the edge."""
    return {
        "raw": to_hex(transaction.raw.data),
        "hash": str(transaction.raw.hash),
        "type": int(transaction.type),
        "chain_id": transaction.chain_id,
        "sender": str(transaction.sender),
        "nonce": transaction.nonce,
        "to": text_or_none(transaction.to),
        "value": hex(transaction.value),
        "input": to_hex(transaction.input),
        "gas_limit": transaction.gas_limit,
        "fees": [
            hex(fee)
            for fee in (
                transaction.max_fee_per_gas,
                transaction.max_priority_fee_per_gas,
                transaction.max_fee_per_blob_gas,
            )
        ],
        "access_list": [[str(e.address), [hex(slot) for slot in e.slots]] for e in transaction.access_list],
        "authorization_list": [
            [hex(a.chain_id), str(a.address), a.nonce, a.y_parity, hex(a.r), hex(a.s), text_or_none(a.authority)]
            for a in transaction.authorization_list
        ],
        "blobs": [str(blob) for blob in transaction.blob_versioned_hashes],
    }


def transaction_from(document: Mapping[str, Any]) -> Transaction:
    """The transaction that `transaction_to` wrote."""
    fee, priority, blob = (int(text, 16) for text in document["fees"])
    return Transaction(
        raw=RawTransaction(to_bytes(document["raw"]), Hash32.from_hex(document["hash"])),
        type=TransactionType(document["type"]),
        chain_id=document["chain_id"],
        sender=Address.from_hex(document["sender"]),
        nonce=document["nonce"],
        to=address_or_none(document["to"]),
        value=int(document["value"], 16),
        input=to_bytes(document["input"]),
        gas_limit=document["gas_limit"],
        max_fee_per_gas=fee,
        max_priority_fee_per_gas=priority,
        access_list=tuple(
            AccessListEntry(Address.from_hex(address), tuple(int(slot, 16) for slot in slots))
            for address, slots in document["access_list"]
        ),
        authorization_list=tuple(
            Authorization(int(chain, 16), Address.from_hex(address), nonce, parity, int(r, 16), int(s, 16), _auth)
            for chain, address, nonce, parity, r, s, _auth in (
                (*fields[:6], address_or_none(fields[6])) for fields in document["authorization_list"]
            )
        ),
        max_fee_per_blob_gas=blob,
        blob_versioned_hashes=tuple(Hash32.from_hex(blob_hash) for blob_hash in document["blobs"]),
    )


def _facts_to(facts: Facts, budget: Budget) -> dict[str, Any]:
    return {
        "transfers": [
            [
                t.sequence,
                t.frame,
                t.standard.value,
                str(t.token),
                str(t.from_),
                str(t.to),
                hex(t.amount),
                None if t.token_id is None else hex(t.token_id),
            ]
            for t in budget.items("transfers", facts.transfers)
        ],
        "approvals": [
            [
                a.sequence,
                a.frame,
                str(a.token),
                str(a.owner),
                str(a.spender),
                None if a.amount is None else hex(a.amount),
            ]
            for a in budget.items("approvals", facts.approvals)
        ],
    }


def _facts_from(document: Mapping[str, Any]) -> Facts:
    address = Address.from_hex
    return Facts(
        transfers=tuple(
            Transfer(
                sequence,
                frame,
                TokenStandard(standard),
                address(token),
                address(from_),
                address(to),
                int(amount, 16),
                None if token_id is None else int(token_id, 16),
            )
            for sequence, frame, standard, token, from_, to, amount, token_id in document["transfers"]
        ),
        approvals=tuple(
            Approval(
                sequence,
                frame,
                address(token),
                address(owner),
                address(spender),
                None if amount is None else int(amount, 16),
            )
            for sequence, frame, token, owner, spender, amount in document["approvals"]
        ),
    )


def _loss_from(row: tuple[float, str, str, int]) -> LossEstimate:
    amount, unit, basis, unpriced = row
    return LossEstimate(amount, unit, LossBasis(basis), unpriced)


def _check_version(document: Mapping[str, Any]) -> None:
    if document["v"] != VERSION:
        raise DocumentError(f"document version {document['v']}, this program reads {VERSION}; upgrade it")
