"""What a transaction would do, in the order in which the case page says it."""

from __future__ import annotations

from dataclasses import dataclass

from dashboard.render.call_tree import TreeStep, tree_steps
from dashboard.render.changes import AccountRow, AddressChanges, account_rows, address_changes
from dashboard.render.flow import Flow, flow_of
from gateway.model.case import CaseDetail

FRAMES_ON_CASE = 80


@dataclass(frozen=True, slots=True)
class Effects:
    """Nothing, for a case of which nothing was stored."""

    changes: tuple[AddressChanges, ...] = ()
    flow: Flow | None = None
    tree: tuple[TreeStep, ...] = ()
    frames: int = 0
    """of the whole trace"""
    accounts: tuple[AccountRow, ...] = ()
    slots_left_out: int = 0


def effects_of(detail: CaseDetail, native: str) -> Effects:
    """Work it out: tens of milliseconds for a trace of ten thousand frames. `native`: the symbol of the coin."""
    executed = detail.simulation.trace if detail.simulation else None
    focus = {index for finding in detail.report.findings for index in finding.frames}
    accounts, left_out = account_rows(detail, native)
    return Effects(
        changes=address_changes(detail, native),
        flow=flow_of(detail, native),
        tree=()
        if executed is None
        else tuple(
            tree_steps(
                executed, focus=focus, labels=detail.labels, tokens=detail.tokens, native=native, most=FRAMES_ON_CASE
            )
        ),
        frames=len(executed.frames) if executed else 0,
        accounts=accounts,
        slots_left_out=left_out,
    )
