"""What anybody may learn about a transaction by its hash: status, class of reason, time limit; never the rule."""

from __future__ import annotations

from collections.abc import Callable

from gateway.errors import RecordUnavailable, UpstreamError
from gateway.model.primitive import Hash32
from gateway.model.quarantine import PublicStatus, TransactionStatus
from gateway.proxy.reply import Terms
from gateway.store.quarantine import Record
from gateway.upstream.client import Upstream

_FLASHBOTS = {
    PublicStatus.INCLUDED: "INCLUDED",
    PublicStatus.REJECTED: "FAILED",
    PublicStatus.EXPIRED: "FAILED",
    PublicStatus.SUPERSEDED: "CANCELLED",
    PublicStatus.UNKNOWN: "UNKNOWN",
}
"""The vocabulary of Flashbots Protect's status API, which wallets already read; anything else is PENDING."""


class StatusDesk:
    """Answers `stopgate_getTransactionStatus`, GET /status/{hash} and GET /tx/{hash}."""

    def __init__(
        self, *, record: Record, upstream: Upstream, terms: Terms, is_in_flight: Callable[[Hash32], bool]
    ) -> None:
        self._record, self._upstream, self._terms, self._is_in_flight = record, upstream, terms, is_in_flight

    async def status(self, hash: Hash32) -> TransactionStatus:
        """The present status. What is on chain counts before what was recorded.

        Raises:
            RecordUnavailable: neither the record nor the chain could say.
        """
        if self._is_in_flight(hash):
            return TransactionStatus(PublicStatus.RECEIVED, hash)
        try:
            status = await self._record.status(hash)
        except RecordUnavailable:
            if await self._is_included(hash):
                return TransactionStatus(PublicStatus.INCLUDED, hash)
            raise
        if status.status in (PublicStatus.FORWARDED, PublicStatus.RELEASED, PublicStatus.UNKNOWN) and (
            await self._is_included(hash)
        ):
            return TransactionStatus(PublicStatus.INCLUDED, hash, status.case_id)
        return status

    def document(self, status: TransactionStatus) -> dict[str, object]:
        """The status as plain JSON values."""
        document: dict[str, object] = {
            "hash": str(status.hash),
            "status": status.status,
            "statusUrl": self._terms.status_url(status.hash),
        }
        if status.case_id is not None:
            document["caseId"] = status.case_id
        if status.reason_class is not None:
            document["reasonClass"] = status.reason_class
        if status.expires_at is not None:
            document["expiresAt"] = status.expires_at.isoformat()
        return document

    def flashbots_document(self, status: TransactionStatus) -> dict[str, object]:
        """The status in the shape of Flashbots Protect, with ours beside it."""
        word = _FLASHBOTS.get(status.status, "PENDING")
        return {
            "status": word,
            "hash": str(status.hash),
            "maxBlockNumber": 0,
            "transaction": {},
            "fastMode": False,
            "seenInMempool": status.status in (PublicStatus.FORWARDED, PublicStatus.INCLUDED),
            "stopgate": self.document(status),
        }

    async def _is_included(self, hash: Hash32) -> bool:
        try:
            receipt = await self._upstream.call("eth_getTransactionReceipt", [str(hash)], within=2.0)
        except UpstreamError:
            return False
        return isinstance(receipt, dict)
