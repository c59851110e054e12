"""What one client may ask for: calls, inspection time, gas. Who spends more waits; nobody else does."""

from __future__ import annotations

import math
import time
from collections import Counter, OrderedDict
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from types import MappingProxyType
from typing import Final

from gateway.jsonrpc.errors import Code, RpcError
from gateway.model.spending import Spending
from gateway.model.transaction import Client

MAX_CLIENTS: Final = 20_000
"""clients remembered; who was silent longest is forgotten, which forgives"""


@dataclass(frozen=True, slots=True)
class Rate:
    """So much a second, and so much at once after a rest. A rate of 0 limits nothing."""

    per_second: float
    burst: float


@dataclass(frozen=True, slots=True)
class AllowanceLimits:
    """Of one client in one gateway process."""

    requests: Rate = Rate(1000, 2000)
    """JSON-RPC calls, each item of a batch by itself"""
    seconds: Rate = Rate(0.5, 3.0)
    """time of engine and detectors: a share of one processor"""
    gas: Rate = Rate(30e6, 120e6)
    """gas that simulations used; more than a chain mines in a second only fills the pending order"""
    factors: Mapping[str, float] = field(default_factory=lambda: MappingProxyType({}))
    """key id -> what its limits are multiplied by"""


class _Bucket:
    """Fills at a rate up to its burst. What is charged afterwards may leave a debt."""

    __slots__ = ("_at", "_factor", "_level", "_rate")

    def __init__(self, rate: Rate, factor: float, now: float) -> None:
        self._rate, self._factor, self._at = rate, factor, now
        self._level = rate.burst * factor

    def missing(self, now: float, amount: float) -> float:
        """Seconds until `amount` is there; 0 if it is."""
        if not self._rate.per_second:
            return 0.0
        speed = self._rate.per_second * self._factor
        self._level = min(self._level + (now - self._at) * speed, self._rate.burst * self._factor)
        self._at = now
        return max((amount - self._level) / speed, 0.0)

    def charge(self, amount: float) -> None:
        self._level -= amount


class _Account:
    __slots__ = ("gas", "requests", "seconds")

    def __init__(self, limits: AllowanceLimits, factor: float, now: float) -> None:
        self.requests = _Bucket(limits.requests, factor, now)
        self.seconds = _Bucket(limits.seconds, factor, now)
        self.gas = _Bucket(limits.gas, factor, now)


class Allowances:
    """The accounts of all clients of this process. Every check is made here and waits for nobody.

    With several replicas a task carries what was spent here to the others (`take_spent`) and what was spent there to
    this one (`spent_elsewhere`): a burst may be had once from each replica, and is then owed.
    """

    def __init__(
        self, limits: AllowanceLimits = AllowanceLimits(), *, clock: Callable[[], float] = time.monotonic
    ) -> None:
        self._limits, self._clock = limits, clock
        self._accounts: OrderedDict[str, _Account] = OrderedDict()
        self._untold: dict[str, Spending] | None = None
        self.refusals: Counter[str] = Counter()
        """limit -> calls refused since start"""

    def __len__(self) -> int:
        return len(self._accounts)

    def request(self, client: Client) -> None:
        """Spend one call. Raises RpcError with a hint when to come back."""
        now, account = self._clock(), self._account(client)
        missing = account.requests.missing(now, 1.0)
        if missing:
            raise self._refuse("requests", "too many calls from one client", missing)
        account.requests.charge(1.0)
        self._note(client, requests=1.0)

    def inspection(self, client: Client) -> None:
        """See that the client owes nothing for earlier inspections. Raises RpcError with a hint when to come back."""
        now, account = self._clock(), self._account(client)
        missing = account.seconds.missing(now, 0.0)
        if missing:
            raise self._refuse("inspection-time", "this client's transactions took much time to inspect", missing)
        missing = account.gas.missing(now, 0.0)
        if missing:
            raise self._refuse("inspection-gas", "this client's transactions used much gas in inspection", missing)

    def charge(self, client: Client, seconds: float, gas: int) -> None:
        """What an inspection cost."""
        account = self._account(client)
        account.seconds.charge(seconds)
        account.gas.charge(gas)
        self._note(client, seconds=seconds, gas=gas)

    def take_spent(self, most: int) -> list[Spending]:
        """What was spent since the last call, of the `most` clients that called most; counted from the first call on.

        What the others spent is forgotten: clients that call so little are not those that limits are for.
        """
        untold, self._untold = self._untold or {}, {}
        return sorted(untold.values(), key=lambda spent: -spent.requests)[:most]

    def spent_elsewhere(self, spent: Spending) -> None:
        """Charge what another replica told. It may leave a debt, as what an inspection costs does."""
        account = self._owned(spent.owner, spent.key)
        account.requests.charge(spent.requests)
        account.seconds.charge(spent.seconds)
        account.gas.charge(spent.gas)

    def _note(self, client: Client, *, requests: float = 0.0, seconds: float = 0.0, gas: float = 0.0) -> None:
        if self._untold is None or len(self._untold) > MAX_CLIENTS:
            return  # nobody asks, or nobody could be told for long
        owner = client.owner
        before = self._untold.get(owner) or Spending(owner, client.key)
        self._untold[owner] = Spending(
            owner, client.key, before.requests + requests, before.seconds + seconds, before.gas + gas
        )

    def _refuse(self, limit: str, what: str, missing: float) -> RpcError:
        self.refusals[limit] += 1
        return limited(limit, what, missing)

    def _account(self, client: Client) -> _Account:
        return self._owned(client.owner, client.key)

    def _owned(self, owner: str, key: str) -> _Account:
        account = self._accounts.get(owner)
        if account is None:
            factor = self._limits.factors.get(key, 1.0) if key else 1.0
            account = self._accounts[owner] = _Account(self._limits, factor, self._clock())
            while len(self._accounts) > MAX_CLIENTS:
                self._accounts.popitem(last=False)
        self._accounts.move_to_end(owner)
        return account


def limited(limit: str, what: str, seconds: float) -> RpcError:
    """The error for who has to wait: nothing was kept or sent, and `retryAfterMs` says when to come back."""
    milliseconds = max(math.ceil(seconds * 1000), 1)
    return RpcError(
        Code.LIMIT_EXCEEDED,
        f"{what}; nothing was kept, try again in {milliseconds} ms",
        {"limit": limit, "retry": "later", "retryAfterMs": milliseconds},
    )
