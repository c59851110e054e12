"""The `stopgate` command: one module for each group of commands, settings from options over the environment."""

from __future__ import annotations

import sys
from typing import Annotated

import typer

from gateway.cli import administration, backtest, case, demonstration, examination, knowledge, rules, server, service
from gateway.cli.terminal import problems
from gateway.errors import StopgateError

cli = typer.Typer(
    name="stopgate",
    help="Sequencer threat-inspection gateway: simulates every transaction, forwards the clean, quarantines the rest.",
    no_args_is_help=True,
    pretty_exceptions_enable=False,
    context_settings={"help_option_names": ["-h", "--help"]},
)
cli.command()(server.serve)
cli.command()(server.dashboard)
cli.command()(server.up)
cli.command()(demonstration.demo)
cli.command()(demonstration.devnet)
cli.command()(examination.inspect)
cli.command()(examination.evaluate)
cli.command()(backtest.backtest)
cli.add_typer(case.cli, name="quarantine")
cli.command()(administration.migrate)
cli.add_typer(administration.user, name="user")
cli.add_typer(service.service, name="service")
cli.add_typer(administration.audit, name="audit")
cli.add_typer(knowledge.signatures, name="signatures")
cli.add_typer(knowledge.trust, name="trust")
cli.add_typer(rules.cli, name="rules")


@cli.callback(invoke_without_command=True)
def _version(
    show: Annotated[bool, typer.Option("--version", help="Print the version and leave.", is_eager=True)] = False,
) -> None:
    if show:
        from importlib.metadata import version

        typer.echo(f"stopgate {version('stopgate')}")
        raise typer.Exit


def main() -> None:
    """Run the command line; a named error becomes one line and exit code 2."""
    try:
        cli()
    except StopgateError as error:
        problems.print(f"[bold red]stopgate:[/] {error}", highlight=False, markup=True)
        sys.exit(2)
