"""Every named error of the gateway.

StopgateError
├── InvalidTransaction      the bytes are no transaction this chain takes; the sender can mend it
│   ├── DecodingError       not canonical, not signed well, unknown or refused type
│   └── Unexecutable        nonce, balance, gas: a node would refuse it too
├── SimulationError         the engine could not finish; says nothing about the transaction
│   └── StateMissing        the engine needs these keys first
├── UpstreamError           the sequencer's RPC could not be used
│   ├── UpstreamUnreachable nothing was sent; another upstream may be tried
│   ├── UpstreamSilent      sent, but no whole answer came: a submission may have been taken
│   ├── UpstreamNonsense    it answered, but not JSON-RPC, or not to this question
│   └── UpstreamRefused     a JSON-RPC error, with its code, message and data
├── StoreError              Redis or SQL did not answer
│   ├── QueueUnavailable    Redis
│   └── RecordUnavailable   SQL
└── ConfigurationError      settings, rules or detectors that cannot be started with
"""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from gateway.model.state import StateKeys


class StopgateError(Exception):
    """Base of all; the message names what failed, where, and what to do."""


class InvalidTransaction(StopgateError):
    """The transaction cannot be accepted; nothing was forwarded."""


class DecodingError(InvalidTransaction):
    """The bytes do not decode to a transaction of an accepted type."""


class Unexecutable(InvalidTransaction):
    """Decoded, but a node would refuse it. `reason` is geth's text, for example "nonce too low"."""

    def __init__(self, reason: str, detail: str = "") -> None:
        super().__init__(f"{reason}: {detail}" if detail else reason)
        self.reason = reason


class SimulationError(StopgateError):
    """The engine failed on its own account: crashed, was killed, or its answer makes no sense."""


class StateMissing(SimulationError):
    """The engine met state that it does not know. Load `keys` and run again."""

    def __init__(self, keys: StateKeys) -> None:
        super().__init__(f"{len(keys.accounts)} accounts and {len(keys.slots)} slots are not loaded")
        self.keys = keys


class UpstreamError(StopgateError):
    """The upstream RPC could not be used."""


class UpstreamUnreachable(UpstreamError):
    """No byte of the request left: another upstream may be tried, for submissions too."""


class UpstreamSilent(UpstreamError):
    """The request went out and no whole answer came. A submission may have been taken: look it up by hash."""


class UpstreamNonsense(UpstreamError):
    """The answer is not JSON-RPC, is too large, or answers another question. A submission may have been taken."""


class UpstreamRefused(UpstreamError):
    """The upstream answered with a JSON-RPC error: an answer, not a failure of the upstream."""

    def __init__(self, code: int, message: str, data: object = None) -> None:
        super().__init__(f"upstream error {code}: {message}")
        self.code, self.message, self.data = code, message, data


class StoreError(StopgateError):
    """A store did not answer."""


class QueueUnavailable(StoreError):
    """Redis did not answer."""


class RecordUnavailable(StoreError):
    """The SQL database did not answer."""


class ConfigurationError(StopgateError):
    """The process refuses to start as configured."""
