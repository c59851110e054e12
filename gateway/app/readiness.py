"""Which parts must work before a submission is accepted, and how each of them fares."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable

from gateway.errors import StopgateError

_INTERVAL = 2.0
_START_INTERVAL = 0.1
_PATIENCE = 5.0
REQUIRED = ("rules", "chain", "head")
"""Without these no verdict is possible. Redis and SQL have policy answers of their own for when they are away."""


class Readiness:
    """Filled by whoever learns something; read by /readyz and before each submission."""

    def __init__(self) -> None:
        self._parts: dict[str, str | None] = dict.fromkeys(REQUIRED, "not started")

    def set(self, part: str, problem: str | None) -> None:
        """`problem` None means that the part works."""
        self._parts[part] = problem

    def parts(self) -> dict[str, str | None]:
        """Every part with its problem, or None."""
        return dict(self._parts)

    def missing(self) -> str | None:
        """Which part keeps submissions from being accepted; None if none does.

        Its name alone: clients are told, and the problem names hosts behind the gateway. /readyz tells operators.
        """
        return next((part for part in REQUIRED if self._parts[part] is not None), None)

    async def watch(self, part: str, probe: Callable[[], Awaitable[object]]) -> None:
        """Probe `part` every two seconds for ever, more often until it works. Errors and silence are its problem."""
        worked = False
        while True:
            try:
                async with asyncio.timeout(_PATIENCE):
                    await probe()
            except StopgateError as error:
                self.set(part, str(error))
            except TimeoutError:
                self.set(part, f"no answer within {_PATIENCE:g} s")
            else:
                self.set(part, None)
                worked = True
            await asyncio.sleep(_INTERVAL if worked else _START_INTERVAL)
