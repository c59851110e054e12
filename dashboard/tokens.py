"""What tokens say of themselves, laid over a stored case."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace

from gateway.model.case import CaseDetail, TokenInfo
from gateway.model.facts import TokenStandard
from gateway.model.primitive import Address


def wanted_tokens(detail: CaseDetail) -> frozenset[Address]:
    """The tokens whose amounts the page prints."""
    moved = {move.token for move in detail.facts.transfers if move.standard is not TokenStandard.NATIVE}
    return frozenset(moved | {approval.token for approval in detail.facts.approvals})


def with_tokens(detail: CaseDetail, told: Mapping[Address, TokenInfo]) -> CaseDetail:
    """The same case; a token that has no name of ours is called by its own symbol, said to be its own."""
    if not told:
        return detail
    named = {address: f"{token.symbol[:24]} token" for address, token in told.items() if token.symbol.strip()}
    return replace(detail, tokens={**detail.tokens, **told}, labels={**named, **detail.labels})
