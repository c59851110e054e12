"""When to leave a failing upstream alone, and when to try it again."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(slots=True)
class Breaker:
    """Opens after `threshold` failures in a row; after `rest` seconds it lets one request try.

    Times are seconds of one monotonic clock, passed in by the caller.
    """

    threshold: int = 3
    rest: float = 2.0
    failures: int = 0
    _opened_at: float | None = None
    _trying_since: float | None = None

    def allows(self, now: float) -> bool:
        """True if a request may be made; a True while half open takes the one place there is."""
        if self._opened_at is None:
            return True
        if now - self._opened_at < self.rest:
            return False
        # A trial that never reported back (its caller was cancelled) must not close the door for ever.
        if self._trying_since is not None and now - self._trying_since < self.rest:
            return False
        self._trying_since = now
        return True

    @property
    def open(self) -> bool:
        """True from the failure that opened it until the next success."""
        return self._opened_at is not None

    def succeeded(self) -> None:
        """The request was answered, be it with an error of JSON-RPC."""
        self.failures, self._opened_at, self._trying_since = 0, None, None

    def failed(self, now: float) -> None:
        """The request was not answered, or with nonsense."""
        self.failures += 1
        self._trying_since = None
        if self.failures >= self.threshold:
            self._opened_at = now
