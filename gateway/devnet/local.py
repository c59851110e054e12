"""One local chain for development and the demonstration: anvil where it is installed, else the py-evm chain."""

from __future__ import annotations

import contextlib
import sys
from collections.abc import Iterator
from dataclasses import dataclass
from enum import StrEnum
from pathlib import Path

from gateway.devnet.anvil import anvil, find_anvil
from gateway.devnet.child import free_port, serving

_START = 60.0
"""seconds; importing py-evm takes two on an idle machine"""


class ChainKind(StrEnum):
    """Which program runs the chain."""

    ANVIL = "anvil"
    PY_EVM = "py-evm"


@dataclass(frozen=True, slots=True)
class LocalChain:
    """A running local chain."""

    url: str
    kind: ChainKind


@contextlib.contextmanager
def local_chain(
    kind: ChainKind | None = None,
    *,
    port: int | None = None,
    folder: Path | None = None,
    log: Path | None = None,
) -> Iterator[LocalChain]:
    """Run a local chain until the block is left.

    Args:
        kind: which one; None takes anvil if it is found.
        port: of 127.0.0.1; a free one if None.
        folder: where `node_modules` lies; default the working directory.
        log: file that takes the chain's output.

    Raises:
        ConfigurationError: it is not installed or did not start.
    """
    kind = kind or (ChainKind.ANVIL if find_anvil(folder) else ChainKind.PY_EVM)
    port = port or free_port()
    if kind is ChainKind.ANVIL:
        with anvil(folder=folder, port=port, log=log) as url:
            yield LocalChain(url, kind)
        return
    command = [sys.executable, "-m", "gateway.devnet", str(port)]
    with serving(command, port, log=log, patience=_START) as url:
        yield LocalChain(url, kind)
