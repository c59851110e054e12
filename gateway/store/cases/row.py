"""Cases between their values and their rows: columns, search terms, look-alike groups, filters."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Collection, Iterator
from datetime import datetime
from itertools import islice
from typing import Any

from sqlalchemy import ColumnElement, Select, SQLColumnExpression, and_, exists, select, true
from sqlmodel import col

from gateway.model.case import CaseDetail, CaseOrder, CaseQuery
from gateway.model.primitive import Address, Hash32
from gateway.model.quarantine import CaseState, QuarantineEntry
from gateway.model.transaction import Client, RawTransaction
from gateway.model.verdict import Verdict
from gateway.store.document.report import verdict_from, verdict_to
from gateway.store.tables.case import CaseRow, TermRow

MAX_TERMS = 1_000
"""Words kept for one case. A protocol's account finds a case by these, so the victims of findings come first."""
_MIN_PREFIX = 4


def verdict_columns(verdict: Verdict, estimated_loss: float | None) -> dict[str, Any]:
    """The columns that follow from a verdict."""
    return {
        "verdict": json.dumps(verdict_to(verdict), separators=(",", ":")),
        "clause": verdict.clause,
        "score": verdict.score,
        "severity": max((int(finding.severity) for finding in verdict.report.findings), default=-1),
        "rank": -verdict.score * (1.0 + (estimated_loss or 0.0)),
        "loss_rank": 1.0 if estimated_loss is None else -estimated_loss,
    }


def case_columns(entry: QuarantineEntry, detail: CaseDetail) -> dict[str, Any]:
    """The row of a new case."""
    return {
        "case_id": entry.case_id,
        "hash": str(entry.hash),
        "raw": entry.raw.data,
        "sender": str(entry.sender),
        "nonce": entry.nonce,
        "to": None if entry.to is None else str(entry.to),
        "value": entry.value,
        "client_address": entry.client.address,
        "client_key": entry.client.key,
        **verdict_columns(entry.verdict, entry.estimated_loss),
        "state": entry.state.value,
        "held_at": entry.held_at,
        "expires_at": entry.expires_at,
        "estimated_loss": entry.estimated_loss,
        "decided_by": entry.decided_by,
        "decision_reason": entry.decision_reason,
        "decided_at": entry.decided_at,
        "assigned_to": entry.assigned_to,
        "group_key": group_of(entry, detail),
        "version": 1,
    }


def entry_of(row: CaseRow) -> QuarantineEntry:
    """The case that a row holds."""
    return QuarantineEntry(
        case_id=row.case_id,
        raw=RawTransaction(row.raw, Hash32.from_hex(row.hash)),
        sender=Address.from_hex(row.sender),
        nonce=row.nonce,
        to=None if row.to is None else Address.from_hex(row.to),
        value=row.value,
        client=Client(row.client_address, row.client_key),
        verdict=verdict_from(json.loads(row.verdict)),
        state=CaseState(row.state),
        held_at=row.held_at,
        expires_at=row.expires_at,
        estimated_loss=row.estimated_loss,
        decided_by=row.decided_by,
        decision_reason=row.decision_reason,
        decided_at=row.decided_at,
        assigned_to=row.assigned_to,
        group=row.group_key,
        version=row.version,
    )


def group_of(entry: QuarantineEntry, detail: CaseDetail) -> str:
    """Equal for look-alikes: same clause, recipient, selector and detectors."""
    detectors = sorted({finding.detector_id for finding in entry.verdict.report.findings})
    parts = [entry.verdict.clause, str(entry.to), detail.transaction.selector.hex(), *detectors]
    return hashlib.sha256("\n".join(parts).encode()).hexdigest()[:16]


def terms_of(entry: QuarantineEntry, detail: CaseDetail) -> list[str]:
    """The words under which a case is found, lower case, the telling ones first."""
    return list(islice(dict.fromkeys(term.lower()[:128] for term in _terms(entry, detail) if term), MAX_TERMS))


def _terms(entry: QuarantineEntry, detail: CaseDetail) -> Iterator[str]:
    yield from (str(entry.hash), entry.case_id, str(entry.sender), entry.verdict.clause)
    yield from (entry.client.address, entry.client.key)
    if entry.to is not None:
        yield str(entry.to)
    for finding in entry.verdict.report.findings:
        yield finding.detector_id
        yield from (str(who) for who in (finding.victim, finding.attacker, finding.instrument) if who is not None)
    for address, token in detail.tokens.items():
        yield from (str(address), token.symbol)
    yield from detail.labels.values()
    for transfer in detail.facts.transfers:
        yield from (str(transfer.token), str(transfer.from_), str(transfer.to))
    if detail.simulation is not None:
        for frame in detail.simulation.trace.frames:
            yield from (str(who) for who in (frame.to, frame.context) if who is not None)
        yield from (str(log.address) for log in detail.simulation.trace.logs)


def matching(query: CaseQuery, common: Collection[str] = (), *, in_order: bool = False) -> ColumnElement[bool]:
    """The filter as one condition.

    Words in `common` are looked up case by case instead of listing their many cases. `in_order`: the cases are read in
    an order that an index gives, and a filter by severity must not tempt the database to another one.
    """
    conditions: list[ColumnElement[bool]] = [true()]
    if query.states:
        conditions.append(col(CaseRow.state).in_(sorted(query.states)))
    conditions.extend(_has_term(condition, word in common) for word, condition in term_conditions(query))
    for column, wanted in (
        (CaseRow.sender, query.sender),
        (CaseRow.to, query.to),
    ):
        if wanted is not None:
            conditions.append(col(column) == str(wanted))
    if query.group:
        conditions.append(col(CaseRow.group_key) == query.group)
    if query.severity is not None:
        severity = col(CaseRow.severity)
        conditions.append((severity + 0 if in_order else severity) >= int(query.severity))
    if query.assigned_to is not None:
        wanted_name = query.assigned_to or None
        conditions.append(col(CaseRow.assigned_to).is_(None) if wanted_name is None else _assigned(wanted_name))
    conditions.extend(_within(query))
    return and_(*conditions)


def _assigned(name: str) -> ColumnElement[bool]:
    return col(CaseRow.assigned_to) == name


def _within(query: CaseQuery) -> Iterator[ColumnElement[bool]]:
    bounds: tuple[tuple[datetime | None, Any], ...] = (
        (query.held_from, lambda moment: col(CaseRow.held_at) >= moment),
        (query.held_until, lambda moment: col(CaseRow.held_at) < moment),
        (query.expires_before, lambda moment: col(CaseRow.expires_at) < moment),
    )
    for moment, condition in bounds:
        if moment is not None:
            yield condition(moment)


def term_conditions(query: CaseQuery) -> Iterator[tuple[str, ColumnElement[bool]]]:
    """Each word that a case must have, and the condition on a term to be it: the whole, or a long enough beginning."""
    for word in query.search.lower().split()[:8]:
        yield word, _word(word)
    if query.detector:
        yield query.detector.lower(), col(TermRow.term) == query.detector.lower()
    if query.touching is not None:
        yield "touching", col(TermRow.term).in_(sorted(str(contract) for contract in query.touching))


def _word(word: str) -> ColumnElement[bool]:
    term = col(TermRow.term)
    if len(word) < _MIN_PREFIX:
        return term == word
    return and_(term >= word, term < word + "\U0010ffff")


def _has_term(condition: ColumnElement[bool], common: bool) -> ColumnElement[bool]:
    """By the index of terms: a rare word names few cases, of a common one each case is asked."""
    if common:
        return exists().where(col(TermRow.case_id) == col(CaseRow.case_id), condition)
    return col(CaseRow.case_id).in_(select(col(TermRow.case_id)).where(condition))


def ordered(query: CaseQuery, select_: Select[Any]) -> Select[Any]:
    """Sort and cut to one page; the case id makes every order total."""
    rank, expires, held = col(CaseRow.rank), col(CaseRow.expires_at), col(CaseRow.held_at)
    orders: dict[CaseOrder, tuple[SQLColumnExpression[Any], ...]] = {
        CaseOrder.PRIORITY: (rank, expires),
        CaseOrder.EXPIRY: (expires,),
        CaseOrder.NEWEST: (held.desc(),),
        CaseOrder.OLDEST: (held,),
        CaseOrder.LOSS: (col(CaseRow.loss_rank),),
    }
    return select_.order_by(*orders[query.order], col(CaseRow.case_id)).offset(max(query.offset, 0)).limit(query.limit)
