"""A detector's sentence as people read it: addresses by name or shortened, amounts in the token's own unit.

Detectors know neither names nor decimals; the page does. Whatever does not match stays as it was written.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass

from dashboard.render.quantity import amount_text, asset_of
from dashboard.render.text import clean, shorten
from gateway.model.case import TokenInfo
from gateway.model.facts import TokenStandard
from gateway.model.primitive import ZERO_ADDRESS, Address

_AMOUNT = re.compile(r"\b(\d{1,78}) units of (the chain's own coin|0x[0-9a-fA-F]{40}\b)")
_LONG_HEX = re.compile(r"\b0x[0-9a-fA-F]{40,64}\b")
_ADDRESS = re.compile(r"0x[0-9a-fA-F]{40}")
_WHOLE_NUMBER = re.compile(r"[0-9]{1,78}")
_OF_TOKEN, _AMOUNT_KEY = ("asset", "token"), "amount"
"""names that detectors give to an amount in smallest units, and to the token that it is of"""
_LONGEST = 4_000
"""Longer sentences are not searched: they are cut when printed."""


def readable(
    text: str,
    native: str,
    labels: Mapping[Address, str] | None = None,
    tokens: Mapping[Address, TokenInfo] | None = None,
) -> str:
    """The sentence with amounts and addresses in words."""
    names, known = labels or {}, tokens or {}

    def amount(match: re.Match[str]) -> str:
        if match[2].startswith("0x"):
            token = Address.from_hex(match[2])
            if token not in known:
                return match[0]
            return amount_text(int(match[1]), asset_of(token, TokenStandard.ERC20, known, native))
        return amount_text(int(match[1]), asset_of(ZERO_ADDRESS, TokenStandard.NATIVE, known, native))

    def name(match: re.Match[str]) -> str:
        label = names.get(Address.from_hex(match[0])) if len(match[0]) == 42 else None
        return clean(label, 40) if label else shorten(match[0])

    return _LONG_HEX.sub(name, _AMOUNT.sub(amount, text[:_LONGEST])) + text[_LONGEST:]


def mentioned_tokens(sentences: Iterable[str]) -> frozenset[Address]:
    """The tokens whose decimals these sentences wait for."""
    return frozenset(
        Address.from_hex(match[2])
        for sentence in sentences
        for match in _AMOUNT.finditer(sentence[:_LONGEST])
        if match[2].startswith("0x")
    )


@dataclass(frozen=True, slots=True)
class Evidence:
    """One line of a finding's evidence."""

    name: str
    text: str
    address: Address | None = None
    """if the whole value is one"""


def evidence_lines(
    evidence: Mapping[str, str], native: str, tokens: Mapping[Address, TokenInfo]
) -> tuple[Evidence, ...]:
    """What a detector attached, amounts in the token's own unit where one line names the token of another."""
    token = next((evidence[key] for key in _OF_TOKEN if _ADDRESS.fullmatch(evidence.get(key, ""))), None)
    lines = []
    for name, value in evidence.items():
        if name in _OF_TOKEN and value == str(ZERO_ADDRESS):
            lines.append(Evidence(name, native))
        elif _ADDRESS.fullmatch(value):
            lines.append(Evidence(name, value, Address.from_hex(value)))
        elif name == _AMOUNT_KEY and token is not None and _WHOLE_NUMBER.fullmatch(value):
            lines.append(Evidence(name, readable(f"{value} units of {_of(token)}", native, tokens=tokens)))
        else:
            lines.append(Evidence(name, f"{int(value):,}" if _WHOLE_NUMBER.fullmatch(value) else value))
    return tuple(lines)


def _of(token: str) -> str:
    return "the chain's own coin" if token == str(ZERO_ADDRESS) else token
