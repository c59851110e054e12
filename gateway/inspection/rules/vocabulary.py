"""Every word that a rule may use, once: what it means, of what type it is, and how it is read.

The tables are the documentation too (`docs/rules.md` is made from them), so that a name which is not here is an error
when the rule is loaded and never a silent miss. Amounts are whole numbers in the smallest unit, addresses and hashes
are values of their own and are never compared with numbers.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from enum import StrEnum
from typing import Any

from gateway.inspection.rules.reading import (
    WORD,
    argument,
    as_address,
    balance_changes,
    held,
    mapping_slot,
    selector,
    share_lost,
    slot_changes,
    slot_value,
    standing_logs,
    taken_before,
    topic,
    word_at,
)
from gateway.inspection.subject import Inspection
from gateway.inspection.trace.ledger import Asset
from gateway.model.primitive import ZERO_ADDRESS

ALL = 2**256 - 1
"""the amount of an approval without a limit"""


class Type(StrEnum):
    """What a value is; only like is compared with like."""

    NUMBER = "number"
    TRUTH = "truth"
    ADDRESS = "address"
    SELECTOR = "selector"
    WORD = "32 bytes"
    TEXT = "text"


@dataclass(frozen=True, slots=True)
class Field:
    """One value that can be read off something."""

    type: Type
    read: Callable[[Any], Any]
    meaning: str


@dataclass(frozen=True, slots=True)
class Reader:
    """A value of an item that is found by its number."""

    type: Type
    read: Callable[[Any, int], Any]
    meaning: str


@dataclass(frozen=True, slots=True)
class Function:
    """A question about the whole transaction; pure, and constant in time once the facts are there."""

    takes: tuple[Type, ...]
    gives: Type
    answer: Callable[..., Any]
    """called with the inspection and one value for each of `takes`"""
    shown: str
    """the arguments in words"""
    meaning: str


@dataclass(frozen=True, slots=True)
class Collection:
    """Things that happened, in their order, and what a quantifier may ask of each."""

    items: Callable[[Inspection], Sequence[Any]]
    fields: Mapping[str, Field]
    meaning: str
    readers: Mapping[str, Reader] = field(default_factory=dict)
    frame: Callable[[Any], int] | None = None
    """index of the call frame an item belongs to, for the evidence"""


_NUMBER, _TRUTH, _ADDRESS = Type.NUMBER, Type.TRUTH, Type.ADDRESS

COLLECTIONS: Mapping[str, Collection] = {
    "calls": Collection(
        lambda subject: subject.simulation.trace.frames,
        {
            "kind": Field(
                Type.TEXT, lambda f: f.kind.value, "CALL, STATICCALL, DELEGATECALL, CREATE and so on, as text"
            ),
            "depth": Field(_NUMBER, lambda f: f.depth, "0 for the transaction itself"),
            "from": Field(_ADDRESS, lambda f: f.from_, "who calls"),
            "to": Field(
                _ADDRESS, lambda f: f.to or ZERO_ADDRESS, "who is called; for a DELEGATECALL the code's address"
            ),
            "context": Field(_ADDRESS, lambda f: f.context or ZERO_ADDRESS, "whose storage and balance it acts on"),
            "value": Field(_NUMBER, lambda f: f.value, "wei that go along"),
            "gas_used": Field(_NUMBER, lambda f: f.gas_used, "gas"),
            "selector": Field(
                Type.SELECTOR, lambda f: selector(f.input), "first four bytes of the input; zeros if shorter"
            ),
            "size": Field(_NUMBER, lambda f: len(f.input), "bytes of input"),
            "failed": Field(_TRUTH, lambda f: f.error is not None, "this call itself failed"),
            "undone": Field(_TRUTH, lambda f: f.reverted, "it, or a call above it, failed"),
        },
        "Every call frame in the order of entry, undone ones too.",
        {
            "argument": Reader(
                _NUMBER, argument, "the n-th 32-byte word behind the selector, from 0; 0 beyond the end"
            ),
            "address_argument": Reader(
                _ADDRESS, lambda f, n: as_address(argument(f, n)), "the same word as an address"
            ),
        },
        lambda f: int(f.index),
    ),
    "transfers": Collection(
        lambda subject: subject.facts.transfers,
        {
            "token": Field(_ADDRESS, lambda t: t.token, "the token; `coin` for the chain's own coin"),
            "from": Field(_ADDRESS, lambda t: t.from_, "who had it; the zero address when it was minted"),
            "to": Field(_ADDRESS, lambda t: t.to, "who has it; the zero address when it was burnt"),
            "amount": Field(_NUMBER, lambda t: t.amount, "smallest units; 1 for an item"),
            "item": Field(_NUMBER, lambda t: -1 if t.token_id is None else t.token_id, "token id; -1 if it has none"),
            "standard": Field(Type.TEXT, lambda t: t.standard.value, "native, erc20, erc721, erc1155 or erc777"),
        },
        "Movements of coin and tokens that stood at the end.",
        frame=lambda t: int(t.frame),
    ),
    "approvals": Collection(
        lambda subject: subject.facts.approvals,
        {
            "token": Field(_ADDRESS, lambda a: a.token, "the token"),
            "owner": Field(_ADDRESS, lambda a: a.owner, "whose tokens"),
            "spender": Field(_ADDRESS, lambda a: a.spender, "who may move them"),
            "amount": Field(
                _NUMBER, lambda a: ALL if a.amount is None else a.amount, "allowance; 2^256-1 for all items"
            ),
        },
        "Allowances that were set.",
        frame=lambda a: int(a.frame),
    ),
    "logs": Collection(
        standing_logs,
        {
            "address": Field(_ADDRESS, lambda entry: entry.address, "the contract that speaks"),
            "topic": Field(
                Type.WORD, lambda entry: topic(entry, 0), "hash of the event's signature; zeros if anonymous"
            ),
            "size": Field(_NUMBER, lambda entry: len(entry.data), "bytes of data"),
        },
        "Events that stood at the end.",
        {
            "indexed": Reader(
                _NUMBER, lambda e, n: int.from_bytes(topic(e, n), "big"), "the n-th indexed value, from 1"
            ),
            "indexed_address": Reader(
                _ADDRESS, lambda e, n: as_address(int.from_bytes(topic(e, n), "big")), "the same as an address"
            ),
            "data": Reader(
                _NUMBER, lambda e, n: word_at(e.data, WORD * n), "the n-th 32-byte word of the data, from 0"
            ),
            "data_address": Reader(
                _ADDRESS, lambda e, n: as_address(word_at(e.data, WORD * n)), "the same as an address"
            ),
        },
        lambda entry: int(entry.frame),
    ),
    "storage": Collection(
        slot_changes,
        {
            "address": Field(_ADDRESS, lambda s: s.address, "the contract"),
            "slot": Field(_NUMBER, lambda s: s.slot, "number of the slot"),
            "before": Field(_NUMBER, lambda s: s.before, "value before the transaction"),
            "after": Field(_NUMBER, lambda s: s.after, "value after it"),
        },
        "Storage slots that end with another value.",
    ),
    "balances": Collection(
        balance_changes,
        {
            "holder": Field(_ADDRESS, lambda b: b.holder, "whose balance"),
            "token": Field(_ADDRESS, lambda b: b.asset.token, "the token; `coin` for the chain's own coin"),
            "item": Field(
                _NUMBER, lambda b: -1 if b.asset.item is None else b.asset.item, "token id; -1 if it has none"
            ),
            "change": Field(_NUMBER, lambda b: b.change, "what the holder has more; negative: less"),
        },
        "What each account has more or less of, by the transfers that stood.",
    ),
    "created": Collection(
        lambda subject: subject.simulation.created,
        {"address": Field(_ADDRESS, lambda address: address, "the new contract")},
        "Contracts that this transaction created.",
    ),
}

GLOBALS: Mapping[str, Field] = {
    "transaction.sender": Field(_ADDRESS, lambda s: s.transaction.sender, "who signed"),
    "transaction.to": Field(_ADDRESS, lambda s: s.transaction.to or ZERO_ADDRESS, "zero address for a creation"),
    "transaction.creates": Field(_TRUTH, lambda s: s.transaction.to is None, "it creates a contract"),
    "transaction.value": Field(_NUMBER, lambda s: s.transaction.value, "wei"),
    "transaction.nonce": Field(_NUMBER, lambda s: s.transaction.nonce, "how many the sender sent before"),
    "transaction.type": Field(_NUMBER, lambda s: int(s.transaction.type), "EIP-2718 type, 0 to 4"),
    "transaction.selector": Field(Type.SELECTOR, lambda s: selector(s.transaction.input), "first four bytes of input"),
    "transaction.size": Field(_NUMBER, lambda s: len(s.transaction.input), "bytes of input"),
    "transaction.gas_limit": Field(_NUMBER, lambda s: s.transaction.gas_limit, "gas"),
    "transaction.max_fee": Field(_NUMBER, lambda s: s.transaction.max_fee_per_gas, "wei for each gas, at the most"),
    "transaction.authorizations": Field(
        _NUMBER, lambda s: len(s.transaction.authorization_list), "EIP-7702 delegations in it"
    ),
    "result.succeeded": Field(_TRUTH, lambda s: s.simulation.succeeded, "its effects stand"),
    "result.gas_used": Field(_NUMBER, lambda s: s.simulation.gas_used, "gas"),
    "block.number": Field(_NUMBER, lambda s: s.simulation.block.number, "the block it is simulated in"),
    "block.timestamp": Field(_NUMBER, lambda s: s.simulation.block.timestamp, "seconds since 1970"),
    "block.base_fee": Field(_NUMBER, lambda s: s.simulation.block.base_fee, "wei"),
    "block.chain_id": Field(_NUMBER, lambda s: s.simulation.block.chain_id, "the chain"),
}

FUNCTIONS: Mapping[str, Function] = {
    "net": Function(
        (_ADDRESS, _ADDRESS), _NUMBER,
        lambda s, holder, token: s.ledger.net.get(holder, {}).get(Asset(token), 0),
        "holder, token", "what the holder has more of the token in the end; negative: less",
    ),
    "minted": Function(
        (_ADDRESS,), _NUMBER, lambda s, token: s.ledger.minted.get(Asset(token), 0),
        "token", "units that came into being; negative: burnt",
    ),
    "held": Function(
        (_ADDRESS, _ADDRESS, _NUMBER), _NUMBER, held,
        "holder, token, otherwise", "the balance before; `otherwise` where the transaction does not show it",
    ),
    "share_lost": Function(
        (_ADDRESS, _ADDRESS, _NUMBER), _NUMBER, share_lost,
        "holder, token, otherwise",
        "hundredths of a percent (0 to 10000) of its stock that the holder lost; `otherwise` where it lost some and "
        "the transaction does not show of how much",
    ),
    "taken_before": Function(
        (_ADDRESS, _ADDRESS), _NUMBER, taken_before,
        "holder, token",
        "units of it that other transactions of the last half hour, by anybody, took from the holder by its own hand "
        "without anything that shows its consent; 0 if the gateway remembers none",
    ),
    "before": Function(
        (_ADDRESS, _NUMBER, _NUMBER), _NUMBER, lambda s, address, slot, other: slot_value(s, address, slot, other, 0),
        "address, slot, otherwise", "the slot's value before; `otherwise` if it did not change",
    ),
    "after": Function(
        (_ADDRESS, _NUMBER, _NUMBER), _NUMBER, lambda s, address, slot, other: slot_value(s, address, slot, other, 1),
        "address, slot, otherwise", "the slot's value after; `otherwise` if it did not change",
    ),
    "mapping_slot": Function(
        (_NUMBER, _ADDRESS), _NUMBER, mapping_slot,
        "base, key", "the slot of a Solidity `mapping(address => ...)` that is declared at slot `base`",
    ),
    "as_address": Function(
        (_NUMBER,), _ADDRESS, lambda s, number: as_address(number), "number", "its lower 20 bytes as an address"
    ),
    "units": Function(
        (_NUMBER, _NUMBER), _NUMBER, lambda s, amount, decimals: amount * 10 ** min(max(decimals, 0), 77),
        "amount, decimals", "so many whole tokens in smallest units",
    ),
}  # fmt: skip
