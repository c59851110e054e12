"""The facts that the native engine derived, as the gateway's values: each part is made when it is asked for."""

from __future__ import annotations

from collections.abc import Mapping, Sequence, Set
from functools import partial
from typing import Any

from gateway.model.facts import NATIVE, Approval, Asset, Changes, Comeback, Facts, Reserves, Transfer
from gateway.model.lazy import cached_property
from gateway.model.primitive import ZERO_ADDRESS, Address

# The engine hands over complete rows of the right classes; see native_trace.
_transfer = partial(tuple.__new__, Transfer)
_approval = partial(tuple.__new__, Approval)
_comeback = partial(tuple.__new__, Comeback)
_reserves = partial(tuple.__new__, Reserves)
_asset = partial(tuple.__new__, Asset)


class NativeFacts(Facts):
    """Facts that the engine derived, as `gateway.inspection.trace.facts` would have."""

    def __init__(self, outcome: Any, words: Any) -> None:
        self._outcome, self._words = outcome, words

    @cached_property
    def transfers(self) -> tuple[Transfer, ...]:
        """Movements of assets, in order."""
        return tuple(map(_transfer, self._outcome.transfers(self._words)))

    @cached_property
    def approvals(self) -> tuple[Approval, ...]:
        """Approvals given, in order."""
        return tuple(map(_approval, self._outcome.approvals(self._words)))

    @cached_property
    def comebacks(self) -> tuple[Comeback, ...]:
        """Edges of re-entrancy, in the order of entry, undone ones included."""
        return tuple(map(_comeback, self._outcome.comebacks(self._words)))

    @property
    def come_back(self) -> bool:
        """True if there is such an edge."""
        return bool(self._outcome.comeback_count)

    @cached_property
    def reserves(self) -> tuple[Reserves, ...]:
        """What happened to the reserves of each pair, in the order of the first announcement."""
        return tuple(map(_reserves, self._outcome.reserves(self._words)))

    def crossings(self, cluster: Set[Address]) -> Sequence[tuple[Transfer, bool]]:
        """(movement, True if it came in) of those that came to, or left, the accounts of `cluster` together."""
        key = frozenset(cluster)
        known = self._crossings.get(key)
        if known is None:
            moves = self.transfers
            known = [(moves[index], inward) for index, inward in self._outcome.crossings(cluster)]
            self._crossings[key] = known
        return known

    @cached_property
    def _crossings(self) -> dict[frozenset[Address], list[tuple[Transfer, bool]]]:
        return {}

    @cached_property
    def outflows(self) -> Mapping[tuple[Address, Asset], tuple[Transfer, ...]]:
        """The transfers that took from each holder that lost on balance, in order."""
        moves = self.transfers
        return {
            (holder, _asset((token, item))): tuple([moves[index] for index in indices])
            for holder, token, item, indices in self._outcome.outflows(self._words)
        }

    @cached_property
    def stocks(self) -> Mapping[tuple[Address, Asset], int]:
        """(holder, asset) -> what was there before, as the ledger would have it."""
        return {
            (holder, _asset((token, item))): amount for holder, token, item, amount in self._outcome.stocks(self._words)
        }

    @cached_property
    def balance_places(self) -> Mapping[Address, Set[bytes]]:
        """Token -> the other halves of the keys under which its balances were found."""
        made: Mapping[Address, Set[bytes]] = self._outcome.balance_places(self._words)
        return made

    @cached_property
    def _sums(self) -> tuple[Changes, Mapping[Asset, int]]:
        net: dict[Address, dict[Asset, int]] = {}
        minted: dict[Asset, int] = {}
        for holder, token, item, amount in self._outcome.net(self._words):
            asset = _asset((token, item))
            if holder != ZERO_ADDRESS:
                net.setdefault(holder, {})[asset] = amount
            elif asset != NATIVE:
                minted[asset] = -amount
        return net, minted
