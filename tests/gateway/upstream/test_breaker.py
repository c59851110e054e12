from __future__ import annotations

from gateway.upstream.breaker import Breaker


def test_opens_after_failures_in_a_row_and_lets_one_try_after_the_rest() -> None:
    breaker = Breaker(threshold=2, rest=5.0)
    breaker.failed(0.0)
    assert breaker.allows(0.0)
    breaker.failed(1.0)
    assert breaker.open
    assert not breaker.allows(5.9)
    assert breaker.allows(6.0)
    assert not breaker.allows(6.0), "half open has one place"
    breaker.failed(6.5)
    assert not breaker.allows(11.0)
    assert breaker.allows(11.6)
    breaker.succeeded()
    assert breaker.allows(11.6)
    assert not breaker.open


def test_a_success_between_failures_resets_the_count() -> None:
    breaker = Breaker(threshold=2)
    breaker.failed(0.0)
    breaker.succeeded()
    breaker.failed(1.0)
    assert not breaker.open


def test_a_trial_that_never_reports_does_not_close_the_door_for_ever() -> None:
    breaker = Breaker(threshold=1, rest=2.0)
    breaker.failed(0.0)
    assert breaker.allows(3.0)
    assert not breaker.allows(4.0)
    assert breaker.allows(5.0)
