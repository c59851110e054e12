"""The `stopgate` command: one module for each group of commands, settings from options over the environment."""

from __future__ import annotations

import sys
from collections.abc import Mapping
from importlib import import_module
from typing import Annotated, Any

import typer
from typer.core import TyperGroup

from gateway.cli.terminal import complain
from gateway.errors import StopgateError

COMMANDS: Mapping[str, tuple[str, str]] = {
    "serve": ("server", "serve"),
    "dashboard": ("server", "dashboard"),
    "up": ("server", "up"),
    "demo": ("demonstration", "demo"),
    "devnet": ("demonstration", "devnet"),
    "inspect": ("examination", "inspect"),
    "evaluate": ("examination", "evaluate"),
    "backtest": ("backtest", "backtest"),
    "quarantine": ("case", "cli"),
    "migrate": ("administration", "migrate"),
    "user": ("administration", "user"),
    "service": ("service", "service"),
    "audit": ("administration", "audit"),
    "signatures": ("knowledge", "signatures"),
    "trust": ("knowledge", "trust"),
    "rules": ("rules", "cli"),
}
"""command, in the order of the help -> module of this room, and the function or group in it"""


class _Lazy(TyperGroup):
    """Imports the module of a command when it is asked for: who checks a rule need not wait for engines and SQL."""

    def list_commands(self, ctx: Any) -> list[str]:
        return list(COMMANDS)

    def get_command(self, ctx: Any, cmd_name: str) -> Any:
        if cmd_name not in COMMANDS:
            return None
        module, attribute = COMMANDS[cmd_name]
        found = getattr(import_module(f"gateway.cli.{module}"), attribute)
        if isinstance(found, typer.Typer):
            command: Any = typer.main.get_group(found)
        else:
            alone = typer.Typer(add_completion=False)
            alone.command(cmd_name)(found)
            command = typer.main.get_command(alone)
        command.name = cmd_name
        return command


cli = typer.Typer(
    name="stopgate",
    cls=_Lazy,
    help="Sequencer threat-inspection gateway: simulates every transaction, forwards the clean, quarantines the rest.",
    no_args_is_help=True,
    pretty_exceptions_enable=False,
    context_settings={"help_option_names": ["-h", "--help"]},
)


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
        complain(str(error))
        sys.exit(2)
