"""`stopgate rules`: check, show and begin the rules that protocols write themselves."""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Annotated

import typer
from rich.table import Table
from rich.text import Text

from gateway.cli.terminal import clean, complain, console
from gateway.inspection.registry import load
from gateway.inspection.rules.author import IDENTITY, failures, read_rules
from gateway.inspection.rules.manuscript import RuleError
from gateway.inspection.rules.reference import reference
from gateway.inspection.rules.rule import Rule, RuleMode
from gateway.inspection.rules.shelf import rule_files
from gateway.inspection.rules.template import TEMPLATE

cli = typer.Typer(help="Rules that protocols write for their own contracts.", no_args_is_help=True)
AsJson = Annotated[bool, typer.Option("--json", help="Print JSON.")]
_STYLE = {RuleMode.ENFORCE: "bold red", RuleMode.SHADOW: "yellow", RuleMode.OFF: "dim"}


@cli.command()
def check(
    paths: Annotated[list[Path], typer.Argument(help="Rule files, or folders of them.")], as_json: AsJson = False
) -> None:
    """Read rules, run their own tests, and say what is wrong. Exit code 1 if anything is."""
    rules: list[Rule] = []
    wrong: list[str] = []
    taken = {detector.id for detector in load().detectors}
    for path in rule_files(paths):
        try:
            found = read_rules({str(path): path.read_text(encoding="utf-8")}).rules
        except RuleError as error:
            wrong.append(str(error))
            continue
        except UnicodeDecodeError as error:
            wrong.append(f"{path}: cannot be read as UTF-8 text: {error}")
            continue
        known = {rule.id: rule.source for rule in rules}
        for rule in found:
            if rule.id in taken:
                wrong.append(f"{rule.source}: {rule.id} is the id of a detector; rename the rule")
            elif rule.id in known:
                wrong.append(f"{rule.source}: {rule.id} is also the id of {known[rule.id]}; rename one")
        rules += found
    wrong += failures(rules)
    if as_json:
        typer.echo(json.dumps({"rules": [_document(rule) for rule in rules], "problems": wrong}))
    else:
        _show(rules, wrong)
    raise typer.Exit(1 if wrong else 0)


@cli.command()
def new(identity: Annotated[str, typer.Argument(metavar="ID", help="Its id, as in vault-daily-exit.")]) -> None:
    """Print a rule to begin with; it passes `check` as it is."""
    if not IDENTITY.fullmatch(identity):
        raise typer.BadParameter(f"{identity} is no kebab-case id, as in vault-daily-exit", param_hint="ID")
    typer.echo(TEMPLATE.replace("example-rule", identity), nl=False)


@cli.command()
def fields(as_json: AsJson = False) -> None:
    """Print every word that a rule may use."""
    parts = reference()
    if as_json:
        typer.echo(json.dumps(parts))
        return
    for title, rows in parts.items():
        table = Table(
            "word", "is", "meaning", box=None, padding=(0, 2), title=Text(title, "bold"), title_justify="left"
        )
        for word, (kind, meaning) in rows.items():
            table.add_row(Text(word, "cyan"), kind, Text(meaning))
        console.print(table)


def _document(rule: Rule) -> Mapping[str, object]:
    return {
        "id": rule.id,
        "title": rule.title,
        "status": rule.status,
        "mode": rule.mode,
        "severity": rule.severity.name.lower(),
        "contracts": [str(contract) for contract in sorted(rule.scope.contracts)],
        "tests": len(rule.trials),
        "expires": rule.expires.isoformat() if rule.expires else None,
        "source": rule.source,
    }


def _show(rules: list[Rule], wrong: list[str]) -> None:
    if rules:
        table = Table(box=None, padding=(0, 2, 0, 0))
        table.add_column("rule", overflow="fold")
        for column in ("mode", "status", "severity", "contracts", "tests", "expires"):
            table.add_column(column, no_wrap=True)
        for rule in sorted(rules, key=lambda one: one.id):
            contracts = str(len(rule.scope.contracts)) if rule.scope.contracts else "any"
            expires = rule.expires.isoformat() if rule.expires else "never"
            mode = Text(rule.mode, _STYLE[rule.mode])
            severity = rule.severity.name.lower()
            table.add_row(rule.id, mode, rule.status, severity, contracts, str(len(rule.trials)), expires)
        console.print(table)
    for line in wrong:
        complain(clean(line), "wrong")
    if not wrong:
        tests = sum(len(rule.trials) for rule in rules)
        console.print(
            f"{len(rules)} rules, {tests} tests passed. Next: `stopgate backtest --rules PATH --last 1000` shows what "
            "they would have held; then name them in STOPGATE_INSPECTION__RULES.",
            highlight=False,
        )
