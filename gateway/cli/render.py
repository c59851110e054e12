"""A judged transaction in the terminal: findings, call tree, balance changes."""

from __future__ import annotations

from collections.abc import Iterable

from rich.console import Group, RenderableType
from rich.table import Table
from rich.text import Text
from rich.tree import Tree

from gateway.cli.terminal import address_text, clean, ether, shortened
from gateway.model.case import asset_changes
from gateway.model.facts import Facts, TokenStandard
from gateway.model.finding import InspectionReport, OutcomeStatus, Severity
from gateway.model.trace import CallFrame, SimulationResult
from gateway.model.transaction import Transaction
from gateway.model.verdict import Action, Verdict

_ACTION_STYLE = {Action.FORWARD: "bold green", Action.HOLD: "bold yellow", Action.DEFER: "yellow", Action.REJECT: "red"}
_SEVERITY_STYLE = {Severity.CRITICAL: "bold red", Severity.HIGH: "red", Severity.MEDIUM: "yellow"}
_FRAMES = 200
_CHANGES = 40


def verdict_text(verdict: Verdict) -> Text:
    """The action, the clause that chose it, and why."""
    text = Text()
    text.append(verdict.action.upper(), style=_ACTION_STYLE[verdict.action])
    text.append(f" by clause {verdict.clause}", style="bold")
    text.append(f" (score {verdict.score:.2f}{', observed only' if verdict.observed else ''})\n{clean(verdict.reason)}")
    return text


def transaction_table(transaction: Transaction) -> Table:
    """Its main fields, one a row."""
    table = Table.grid(padding=(0, 2))
    for name, value in (
        ("transaction", str(transaction.hash)),
        ("from", str(transaction.sender)),
        ("to", address_text(transaction.to)),
        ("value", ether(transaction.value)),
        ("nonce", str(transaction.nonce)),
        ("input", f"0x{transaction.selector.hex()} and {max(len(transaction.input) - 4, 0)} more bytes"),
    ):
        table.add_row(Text(name, style="dim"), Text(value))
    return table


def findings_table(report: InspectionReport) -> RenderableType:
    """Findings, and every detector that did not complete."""
    table = Table(box=None, padding=(0, 2), show_header=bool(report.findings))
    for heading in ("severity", "confidence", "detector", "what was seen"):
        table.add_column(heading, style=None, header_style="dim", overflow="fold")
    for finding in report.findings:
        style = _SEVERITY_STYLE.get(finding.severity, "")
        severity = Text(finding.severity.name.lower(), style=style)
        row = Text(clean(finding.summary))
        table.add_row(severity, finding.confidence.name.lower(), finding.detector_id, row)
    notes = [
        f"{outcome.detector_id} {outcome.status}{': ' + clean(outcome.error) if outcome.error else ''}"
        for outcome in report.outcomes
        if outcome.status is not OutcomeStatus.COMPLETED
    ]
    for problem in (report.error, report.truncated):
        if problem:
            notes.append(clean(problem))
    lines: list[RenderableType] = [table] if report.findings else [Text("no findings", style="dim")]
    lines.extend(Text(f"not complete: {note}", style="yellow") for note in notes)
    return Group(*lines)


def call_tree(simulation: SimulationResult) -> Tree:
    """The frames as a tree, the first 200 of them."""
    frames = simulation.trace.frames
    root = Tree(_frame_text(frames[0]) if frames else Text("no frames"), guide_style="dim")
    nodes = {0: root}
    for frame in frames[1:_FRAMES]:
        parent = nodes.get(frame.parent, root)
        nodes[frame.index] = parent.add(_frame_text(frame))
    if len(frames) > _FRAMES:
        root.add(Text(f"… and {len(frames) - _FRAMES} more frames", style="dim"))
    return root


def _frame_text(frame: CallFrame) -> Text:
    text = Text()
    text.append(f"{frame.kind} ", style="dim")
    text.append(shortened(str(frame.to)) if frame.to is not None else "new contract")
    if frame.input[:4]:
        text.append(f" 0x{frame.input[:4].hex()}", style="cyan")
    if frame.value and frame.kind != "DELEGATECALL":
        text.append(f" {ether(frame.value)}", style="green")
    text.append(f" {frame.gas_used:,} gas", style="dim")
    if frame.error:
        text.append(f" {clean(frame.error)}", style="red")
        if frame.revert_reason:
            text.append(f": {clean(frame.revert_reason)}", style="red")
    return text


def changes_table(facts: Facts) -> RenderableType:
    """Who ended with more or less of what."""
    changes = asset_changes(facts.transfers)
    if not changes:
        return Text("no balance changes", style="dim")
    table = Table(box=None, padding=(0, 2))
    for heading in ("address", "asset", "change"):
        table.add_column(heading, header_style="dim", justify="right" if heading == "change" else "left")
    for change in changes[:_CHANGES]:
        native = change.standard is TokenStandard.NATIVE
        asset = "ETH" if native else shortened(str(change.token))
        if change.token_id is not None:
            asset += f" #{change.token_id}"
        amount = ether(change.amount) if native else f"{change.amount:,}"
        table.add_row(str(change.address), asset, Text(amount, style="green" if change.amount > 0 else "red"))
    if len(changes) > _CHANGES:
        table.add_row(f"… and {len(changes) - _CHANGES} more", "", "")
    return table


def sections(parts: Iterable[tuple[str, RenderableType]]) -> Group:
    """Titled parts, one under the other."""
    lines: list[RenderableType] = []
    for title, part in parts:
        lines += [Text(f"\n{title}", style="bold underline"), part]
    return Group(*lines)
