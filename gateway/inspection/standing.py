"""Who had a standing with whom: contracts that knew their caller, orders that stand, and who is a stranger."""

from __future__ import annotations

from dataclasses import dataclass
from operator import attrgetter

from gateway.inspection.derived import Derived
from gateway.inspection.harm.loss import Loss
from gateway.inspection.harm.ways import HELPER_FRAMES
from gateway.inspection.knowledge.provenance import is_made_by
from gateway.model.fold import STRUCT_SPAN
from gateway.model.lazy import cached_property
from gateway.model.primitive import Address

WORKS_EXAMINED = 4
"""contracts of which it is asked whether the sender created them, about two milliseconds each"""
_ENTERED = attrgetter("entered")


@dataclass(frozen=True)
class Standing(Derived):
    """Answers about who knew whom before."""

    def was_proven(self, loss: Loss) -> bool:
        """True if an office that a contract on the way to a loss knew was shown a proof, or struck off an order.

        A bridge mints at the word of its messenger, who has seen that the message was sent.
        """
        consent, cluster = self.consent, self.roles.cluster
        chain = {account for at in loss.frames for account, _ in self.simulation.trace.path(at)}
        offices = (cluster | chain) & (consent.proven | consent.ordered) - self.roles.own
        return any(consent.knows(account, office) for account in chain - cluster for office in offices)

    def has_standing_order(self, holder: Address) -> bool:
        """True if a contract that is no party of token movements kept a record of `holder`: it may act for him."""
        tokens = self.facts.tokens
        return any(
            holder in known and contract not in tokens
            for record in (self.consent.entries, self.consent.stored)
            for contract, known in record.items()
        )

    def was_promised(self, contract: Address, slot: int, named: Address | None) -> bool:
        """True if `contract` had kept a hash behind which lies the name of whom it now writes down in `slot`."""
        preimages = self.simulation.trace.preimages or {}
        place = next((found for back in range(STRUCT_SPAN) if (found := preimages.get(slot - back)) is not None), b"")
        words = [place[at : at + 32] for at in range(0, len(place) - 31, 32)]
        names = [word[12:] for word in words if not any(word[:12]) and any(word[12:22])] + ([named] if named else [])
        return any(
            terms.find(name) >= 0 for keeper, terms in self.consent.promises if keeper == contract for name in names
        )

    def stranger(self, contract: Address, frame: int, before: int, *, door: bool = False) -> Address | None:
        """Who made `contract` act in `frame` (index) if nothing shows that it knew them; None if it did.

        A registry that the contract had named before, and asks on the way, may answer for the caller. `door`: ask
        this also of the contract that the transaction calls, which is otherwise taken for the origin's own.
        """
        called = contract == self.transaction.to and contract not in self.memory.created
        if contract in self.roles.cluster and not (door and called):
            return None
        return self.unknown_caller(contract, frame, before)

    def unknown_caller(self, contract: Address, frame: int, before: int) -> Address | None:
        """The same, whether `contract` is taken for the origin's tool or not."""
        chain = self.simulation.trace.path(frame)
        position = max((at for at, (account, _) in enumerate(chain) if account == contract), default=0)
        caller = chain[position - 1][0] if position else self.roles.origin
        parties = frozenset((caller, self.roles.origin))
        if self.consent.bonds(contract, parties, before=before):
            return None
        first = chain[position][1]
        tokens = self.facts.tokens
        last = self.simulation.trace.entered_since(before)  # it may ask within the same call, behind frame `frame`
        for helper in self.simulation.trace.contexts(first, min(last, first + HELPER_FRAMES + 1)):
            if helper in self.roles.cluster or not self.consent.knows(contract, helper):
                continue
            if self.consent.bonds(helper, parties, before=before, entries=helper not in tokens):
                return None
        return None if self._is_own_work(contract) else caller

    def _is_own_work(self, contract: Address) -> bool:
        """True if one of the sender's latest transactions created `contract`, whether anybody remembers it or not."""
        known = self._works.get(contract)
        if known is None:
            sender, nonce = self.transaction.sender, self.transaction.nonce
            known = len(self._works) < WORKS_EXAMINED and is_made_by(contract, sender, nonce)
            self._works[contract] = known
        return known

    @cached_property
    def _works(self) -> dict[Address, bool]:
        return {}
