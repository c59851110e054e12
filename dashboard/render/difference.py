"""A case as it was judged beside the same transaction run again: what is gone, what is new, whose balance differs."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from dashboard.render.changes import address_roles
from dashboard.render.quantity import amount_text, asset_of
from dashboard.render.text import clean
from gateway.model.case import AssetChange, CaseDetail, asset_changes
from gateway.model.finding import Finding, InspectionReport, finding_key
from gateway.model.primitive import ZERO_ADDRESS, Address

MOST_ROWS = 80


@dataclass(frozen=True, slots=True)
class FindingDifference:
    """The findings of two reports."""

    gone: tuple[Finding, ...]
    new: tuple[Finding, ...]
    same: tuple[Finding, ...]

    @property
    def words(self) -> str:
        """For a list: "the same findings", "2 new, 1 gone"."""
        if not self.gone and not self.new:
            return "the same findings" if self.same else "no finding, as before"
        counts = ((len(self.new), "new"), (len(self.gone), "gone"))
        return ", ".join(f"{count} {word}" for count, word in counts if count)


@dataclass(frozen=True, slots=True)
class BalanceRow:
    """One asset of one address, then and now."""

    address: Address
    label: str
    role: str
    before: str
    """empty: it did not change then"""
    after: str
    gain_before: bool
    gain_after: bool
    same: bool


def finding_difference(before: InspectionReport, after: InspectionReport) -> FindingDifference:
    """By what `finding_key` calls the same finding."""
    then = {finding_key(finding): finding for finding in before.findings}
    now = {finding_key(finding): finding for finding in after.findings}
    return FindingDifference(
        gone=tuple(finding for key, finding in then.items() if key not in now),
        new=tuple(finding for key, finding in now.items() if key not in then),
        same=tuple(finding for key, finding in now.items() if key in then),
    )


def balance_rows(before: CaseDetail, after: CaseDetail, native: str) -> tuple[BalanceRow, ...]:
    """Net asset changes side by side, those that differ first."""
    then, now = _by_asset(before), _by_asset(after)
    roles = address_roles(before) | address_roles(after)
    tokens = {**before.tokens, **after.tokens}
    rows: list[BalanceRow] = []

    def text(change: AssetChange | None) -> str:
        if change is None:
            return ""
        shown = amount_text(change.amount, asset_of(change.token, change.standard, tokens, native), change.token_id)
        return shown if change.amount < 0 else f"+{shown}"

    for key in {**then, **now}:
        old, new = then.get(key), now.get(key)
        rows.append(
            BalanceRow(
                address=key[0],
                label=clean(before.labels.get(key[0], "") or after.labels.get(key[0], ""), 40),
                role=roles.get(key[0], ""),
                before=text(old),
                after=text(new),
                gain_before=old is not None and old.amount > 0,
                gain_after=new is not None and new.amount > 0,
                same=old is not None and new is not None and old.amount == new.amount,
            )
        )
    rows.sort(key=lambda row: (row.same, row.role not in ("victim", "sender", "attacker")))
    return tuple(rows[:MOST_ROWS])


def _by_asset(detail: CaseDetail) -> dict[tuple[Address, object, Address, int | None], AssetChange]:
    changes: Sequence[AssetChange] = asset_changes(detail.facts.transfers)
    return {
        (change.address, change.standard, change.token, change.token_id): change
        for change in changes
        if change.address != ZERO_ADDRESS
    }
