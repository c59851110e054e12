"""anvil from npm as a child process."""

from __future__ import annotations

import contextlib
import shutil
from collections.abc import Iterator
from pathlib import Path

from gateway.devnet.child import free_port, serving
from gateway.errors import ConfigurationError

CHAIN_ID = 31337
_START = 20.0
"""seconds; it takes 0.2 on an idle machine"""


def find_anvil(folder: Path | None = None) -> Path | None:
    """The anvil binary: that of npm below `folder` (default: the working directory), else one on the PATH.

    The binary of the platform package is taken, not npm's wrapper: killing the wrapper would orphan it.
    """
    packages = (folder or Path.cwd()) / "node_modules" / "@foundry-rs"
    for binary in sorted(packages.glob("anvil-*/bin/anvil*")):
        return binary
    found = shutil.which("anvil")
    return Path(found) if found else None


@contextlib.contextmanager
def anvil(
    *,
    folder: Path | None = None,
    port: int | None = None,
    hardfork: str = "prague",
    arguments: tuple[str, ...] = (),
    log: Path | None = None,
) -> Iterator[str]:
    """Run anvil until the block is left; yields its URL. Mines at once; block gas limit 30,000,000.

    Args:
        folder: where `node_modules` lies.
        port: of 127.0.0.1; a free one if None.
        hardfork: rule set, in anvil's words.
        arguments: more command-line arguments.
        log: file that takes its output.

    Raises:
        ConfigurationError: anvil is not installed or did not start.
    """
    binary = find_anvil(folder)
    if binary is None:
        raise ConfigurationError(
            "anvil is not installed: run `make setup` on a machine with npm, or use the py-evm chain"
        )
    port = port or free_port()
    command = [str(binary), "--host", "127.0.0.1", "--port", str(port), "--hardfork", hardfork]
    command += ["--chain-id", str(CHAIN_ID), "--gas-limit", "30000000", *arguments]
    with serving(command, port, log=log, patience=_START) as url:
        yield url
