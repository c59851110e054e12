from __future__ import annotations

from dataclasses import dataclass

import pytest

from gateway.jsonrpc.errors import Code, RpcError
from gateway.model.transaction import Client
from gateway.proxy.allowance import MAX_CLIENTS, AllowanceLimits, Allowances, Rate

ANY, OTHER, KEYED = Client("192.0.2.1"), Client("192.0.2.2"), Client("192.0.2.1", "partner")
LIMITS = AllowanceLimits(Rate(2, 4), Rate(0.5, 1.0), Rate(1000, 5000), {"partner": 2.0})


@dataclass
class Time:
    now: float = 100.0

    def __call__(self) -> float:
        return self.now


def spend(accounts: Allowances, client: Client) -> int:
    """Calls that pass before one is refused."""
    passed = 0
    while passed < 10_000:
        try:
            accounts.request(client)
        except RpcError:
            return passed
        passed += 1
    return passed


def test_calls_come_back_at_their_rate_and_the_refusal_says_when() -> None:
    time = Time()
    accounts = Allowances(LIMITS, clock=time)
    assert spend(accounts, ANY) == 4
    with pytest.raises(RpcError) as refused:
        accounts.request(ANY)
    assert refused.value.error.code == Code.LIMIT_EXCEEDED
    assert refused.value.error.data == {"limit": "requests", "retry": "later", "retryAfterMs": 500}
    time.now += 0.5
    assert spend(accounts, ANY) == 1
    time.now += 3600
    assert spend(accounts, ANY) == 4, "never more than the burst"
    assert accounts.refusals["requests"] == 4


def test_each_client_has_its_own_and_a_key_has_its_factor() -> None:
    accounts = Allowances(LIMITS, clock=Time())
    assert [spend(accounts, client) for client in (ANY, OTHER, KEYED, ANY)] == [4, 4, 8, 0]


def test_inspections_leave_a_debt_that_has_to_be_waited_for() -> None:
    time = Time()
    accounts = Allowances(LIMITS, clock=time)
    accounts.inspection(ANY)
    accounts.charge(ANY, 2.0, 0)
    with pytest.raises(RpcError) as refused:
        accounts.inspection(ANY)
    assert refused.value.error.data == {"limit": "inspection-time", "retry": "later", "retryAfterMs": 2000}
    accounts.inspection(OTHER)
    time.now += 2.0
    accounts.inspection(ANY)
    accounts.charge(ANY, 0.0, 8000)
    with pytest.raises(RpcError, match="gas"):
        accounts.inspection(ANY)


def test_a_rate_of_nothing_limits_nothing() -> None:
    accounts = Allowances(AllowanceLimits(Rate(0, 1), Rate(0, 1), Rate(0, 1)), clock=Time())
    assert spend(accounts, ANY) == 10_000
    accounts.charge(ANY, 1e6, 10**12)
    accounts.inspection(ANY)


def test_the_accounts_of_a_network_are_one_and_all_are_bounded() -> None:
    accounts = Allowances(LIMITS, clock=Time())
    assert spend(accounts, Client("2001:db8::1")) == 4
    assert spend(accounts, Client("2001:db8:0:0:ffff::7")) == 0
    assert spend(accounts, Client("2001:db8:0:1::7")) == 4
    for number in range(MAX_CLIENTS + 10):
        accounts.request(Client(f"host {number}"))
    assert len(accounts) == MAX_CLIENTS
