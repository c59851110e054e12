"""What happened, counted once per transaction and small: detectors start here, not from raw frames."""

from __future__ import annotations

from collections.abc import Mapping, Sequence, Set
from enum import StrEnum
from typing import NamedTuple

from gateway.model.lazy import cached_property
from gateway.model.primitive import ZERO_ADDRESS, Address


class TokenStandard(StrEnum):
    """Which interface a movement spoke."""

    NATIVE = "native"
    ERC20 = "erc20"
    ERC721 = "erc721"
    ERC1155 = "erc1155"
    ERC777 = "erc777"
    """announced by ERC-777's own events alone; a token that also says Transfer counts as ERC20, and once"""


class Transfer(NamedTuple):
    """One movement of an asset that stood at the end of the transaction."""

    sequence: int
    frame: int
    standard: TokenStandard
    token: Address
    """zero address for the chain's own coin"""
    from_: Address
    to: Address
    amount: int
    """smallest unit; 1 for an ERC-721 token"""
    token_id: int | None = None


class Approval(NamedTuple):
    """One allowance that was set; `amount` is None for an approval of all tokens (ERC-721/1155)."""

    sequence: int
    frame: int
    token: Address
    owner: Address
    spender: Address
    amount: int | None


class Comeback(NamedTuple):
    """A frame on an account that was open already, with another account's frame in between."""

    account: Address
    outer: int
    """outermost open frame of the account"""
    inner: int
    """frame that came back"""


class Reserves(NamedTuple):
    """What a pair announced with `Sync(uint112,uint112)`."""

    pool: Address
    before: tuple[int, int] | None
    """the packed reserves that its storage held before the transaction; None if no changed slot holds them"""
    after: tuple[int, int] | None
    """as announced last; None if that announcement was malformed"""


class Asset(NamedTuple):
    """A token, one item of it, or the chain's own coin (zero address)."""

    token: Address
    item: int | None = None
    """token id of an ERC-721 or ERC-1155 item"""


NATIVE = Asset(ZERO_ADDRESS)

Changes = Mapping[Address, Mapping[Asset, int]]
"""holder -> asset -> what it gained (negative: lost); zero entries are left out, so is the zero address"""


class Facts:
    """Derived facts of one transaction; only what stood at its end. Engines may subclass it and make parts lazily."""

    def __init__(
        self,
        transfers: Sequence[Transfer] = (),
        approvals: Sequence[Approval] = (),
        comebacks: Sequence[Comeback] = (),
        reserves: Sequence[Reserves] = (),
    ) -> None:
        self._transfers, self._approvals = tuple(transfers), tuple(approvals)
        self._comebacks, self._reserves = tuple(comebacks), tuple(reserves)

    @property
    def transfers(self) -> tuple[Transfer, ...]:
        """Movements of assets, in order."""
        return self._transfers

    @cached_property
    def tokens(self) -> frozenset[Address]:
        """The tokens that moved; the zero address stands for the chain's own coin."""
        return frozenset([move.token for move in self.transfers])

    @property
    def approvals(self) -> tuple[Approval, ...]:
        """Approvals given, in order."""
        return self._approvals

    @property
    def comebacks(self) -> tuple[Comeback, ...]:
        """Edges of re-entrancy, in the order of entry, undone ones included."""
        return self._comebacks

    @property
    def come_back(self) -> bool:
        """True if there is such an edge."""
        return bool(self._comebacks)

    @property
    def reserves(self) -> tuple[Reserves, ...]:
        """What happened to the reserves of each pair, in the order of the first announcement."""
        return self._reserves

    def crossings(self, cluster: Set[Address]) -> Sequence[tuple[Transfer, bool]]:
        """(movement, True if it came in) of those that came to, or left, the accounts of `cluster` together."""
        return [
            (move, inward) for move in self.transfers if (inward := move.to in cluster) is not (move.from_ in cluster)
        ]

    @cached_property
    def outflows(self) -> Mapping[tuple[Address, Asset], tuple[Transfer, ...]]:
        """The transfers that took from each holder that lost on balance, in order."""
        lost = {
            holder: {asset for asset, amount in changes.items() if amount < 0} for holder, changes in self.net.items()
        }
        taken: dict[tuple[Address, Asset], list[Transfer]] = {}
        for move in self.transfers:
            assets = lost.get(move.from_)
            if assets and move.from_ != move.to and move.amount:
                asset = Asset(move.token, move.token_id)
                if asset in assets:
                    taken.setdefault((move.from_, asset), []).append(move)
        return {holding: tuple(moves) for holding, moves in taken.items()}

    @property
    def stocks(self) -> Mapping[tuple[Address, Asset], int] | None:
        """(holder, asset) -> what was there before, as far as it is seen; None: the ledger finds it."""
        return None

    @property
    def balance_places(self) -> Mapping[Address, Set[bytes]] | None:
        """Token -> the other halves of the keys under which balances were seen; None: the ledger finds them."""
        return None

    @cached_property
    def _sums(self) -> tuple[Changes, Mapping[Asset, int]]:
        return sum_up(self.transfers)

    @property
    def net(self) -> Changes:
        """What each account has more or less of by these transfers."""
        return self._sums[0]

    @property
    def minted(self) -> Mapping[Asset, int]:
        """Asset -> net amount that came out of the zero address (negative: burnt); the chain's coin left out."""
        return self._sums[1]

    def __eq__(self, other: object) -> bool:
        return isinstance(other, Facts) and self._parts() == other._parts()

    def __hash__(self) -> int:
        return hash(self.transfers)

    def __repr__(self) -> str:
        return f"Facts{self._parts()!r}"

    def _parts(self) -> tuple[object, ...]:
        return self.transfers, self.approvals, self.comebacks, self.reserves


def sum_up(transfers: Sequence[Transfer]) -> tuple[Changes, dict[Asset, int]]:
    """(net changes, minted) of some transfers, in the order of first touch; linear."""
    sums: dict[tuple[Address, Asset], int] = {}
    for transfer in transfers:
        if transfer.from_ == transfer.to or not transfer.amount:
            continue
        asset = Asset(transfer.token, transfer.token_id)
        sums[transfer.from_, asset] = sums.get((transfer.from_, asset), 0) - transfer.amount
        sums[transfer.to, asset] = sums.get((transfer.to, asset), 0) + transfer.amount
    net: dict[Address, dict[Asset, int]] = {}
    minted: dict[Asset, int] = {}
    for (holder, asset), amount in sums.items():
        if not amount:
            continue
        if holder != ZERO_ADDRESS:
            net.setdefault(holder, {})[asset] = amount
        elif asset != NATIVE:
            minted[asset] = -amount
    return net, minted
