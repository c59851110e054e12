"""Joins what is learned from cases and from history to the stores and the chain."""

from __future__ import annotations

from dataclasses import dataclass

from gateway.app.chain import Chain
from gateway.app.stores import OpenStores
from gateway.errors import UpstreamNonsense
from gateway.inspection.past.recollection import Recollection
from gateway.model.primitive import Hash32
from gateway.store.knowledge.deployments import Deployments
from gateway.store.knowledge.signatures import Signatures
from gateway.store.knowledge.trust import TrustBook
from gateway.tasks.knowledge import Knowledge
from gateway.tasks.reputation import ReputationKeeper
from gateway.upstream.client import Upstream


@dataclass(frozen=True, slots=True)
class Learned:
    """The tasks that learn; both are asked while judging."""

    knowledge: Knowledge
    reputation: ReputationKeeper


def build_learned(stores: OpenStores, chain: Chain, upstream: Upstream, recollection: Recollection) -> Learned:
    """Signatures, trust, deployments and reputation of one process."""
    book = TrustBook(stores.database)

    async def mined(number: int) -> frozenset[Hash32]:
        block = await upstream.call("eth_getBlockByNumber", [hex(number), False])
        try:
            listed = block["transactions"] if isinstance(block, dict) else ()
            return frozenset(Hash32.from_hex(hash) for hash in listed)
        except (KeyError, TypeError, ValueError, AttributeError) as error:
            raise UpstreamNonsense(f"block {number} lists no transactions: {error}") from error

    def head() -> int | None:
        header = chain.live.head
        return header.number if header is not None else None

    reputation = ReputationKeeper(book, mined, head)
    knowledge = Knowledge(
        stores.record,
        Signatures(stores.database),
        book,
        Deployments(stores.database),
        code_of=chain.live.code,
        reputation=reputation.of,
        creator=recollection.creator,
    )
    return Learned(knowledge, reputation)
