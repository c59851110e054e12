"""The answers to a submission: how it came in, what may be said about it, and in which words."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from typing import NamedTuple

from gateway.jsonrpc.errors import Code, RpcError, submission_data
from gateway.model.policy import Policy
from gateway.model.primitive import Hash32
from gateway.model.quarantine import PublicStatus, TransactionStatus
from gateway.model.transaction import Client
from gateway.model.verdict import ReasonClass

_MESSAGES = {
    PublicStatus.HELD: "Transaction held for review by chain policy",
    PublicStatus.DEFERRED: "Transaction is still being inspected and is forwarded by itself if it is clean",
    PublicStatus.PARKED: "Transaction waits for an earlier nonce of the same sender",
    PublicStatus.RELEASED: "Transaction was released after review and is being forwarded",
    PublicStatus.REJECTED: "Transaction rejected by chain policy",
    PublicStatus.EXPIRED: "Transaction expired in review and was not forwarded; sign a new one",
    PublicStatus.SUPERSEDED: "Transaction was replaced: its nonce was used by another",
}
_FINAL = frozenset({PublicStatus.REJECTED, PublicStatus.EXPIRED, PublicStatus.SUPERSEDED})


class Answer(NamedTuple):
    """A member of the JSON-RPC answer, `result` or `error`, and its raw value."""

    member: bytes
    value: bytes


@dataclass(frozen=True, slots=True)
class Arrival:
    """How a submission came in."""

    method: str
    client: Client
    at: datetime
    deadline: float
    """`time.monotonic` value by which there must be a verdict"""


@dataclass(frozen=True, slots=True)
class Terms:
    """What the answers depend on beside the verdict."""

    policy: Policy
    public_url: str
    """without a trailing slash"""

    def status_url(self, hash: Hash32) -> str:
        """Where anybody may ask about `hash`."""
        return f"{self.public_url}/status/{hash}"


def hash_answer(hash: Hash32) -> Answer:
    """The answer to a submission that was taken."""
    return Answer(b"result", b'"%s"' % str(hash).encode())


def not_forwarded(status: TransactionStatus, terms: Terms) -> RpcError:
    """The error for a transaction that was not forwarded, or not yet: its status, never the rule."""
    return RpcError(
        Code.TRANSACTION_REJECTED,
        _MESSAGES[status.status],
        submission_data(
            status=status.status,
            reason_class=status.reason_class or ReasonClass.POLICY,
            retry="no" if status.status in _FINAL else "same-hash",
            case_id=status.case_id,
            status_url=terms.status_url(status.hash),
            expires_at=None if status.expires_at is None else status.expires_at.isoformat(),
        ),
    )


def record_unavailable() -> RpcError:
    """The error while SQL is away: nothing can be held, so nothing is accepted."""
    return RpcError(
        Code.TRANSACTION_REJECTED,
        "Transaction not accepted: the gateway cannot keep its records at present; submit again later",
        submission_data(status=PublicStatus.REJECTED, reason_class=ReasonClass.UNAVAILABLE, retry="later"),
    )


def upstream_unavailable(what: str) -> RpcError:
    """The error while the sequencer's RPC is away and nothing left this process."""
    return RpcError(
        Code.INTERNAL,
        f"{what}; nothing was sent, submit again",
        submission_data(status=PublicStatus.UNKNOWN, reason_class=ReasonClass.UNAVAILABLE, retry="later"),
    )


def unsettled(hash: Hash32, terms: Terms) -> RpcError:
    """The error for a transaction that was sent once and whose fate is open."""
    return RpcError(
        Code.INTERNAL,
        "the sequencer did not answer; the transaction may have been taken, ask for its status",
        submission_data(
            status=PublicStatus.RECEIVED,
            reason_class=ReasonClass.UNAVAILABLE,
            retry="same-hash",
            status_url=terms.status_url(hash),
        ),
    )
