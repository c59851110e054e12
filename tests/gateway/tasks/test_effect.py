from __future__ import annotations

from dataclasses import replace

from gateway.model.facts import Facts, TokenStandard, Transfer
from gateway.model.primitive import ZERO_ADDRESS, Address
from gateway.model.trace import SimulationStatus
from gateway.tasks.effect import changed_effects
from tests.cases import POOL, SENDER, TOKEN, detail, simulation

STRANGER = Address(b"\x77" * 20)


def with_moves(*moves: tuple[Address, Address, int], standard: TokenStandard = TokenStandard.ERC20) -> Facts:
    token = ZERO_ADDRESS if standard is TokenStandard.NATIVE else TOKEN
    return Facts(tuple(Transfer(at, 0, standard, token, *move) for at, move in enumerate(moves)))


BEFORE = detail(1, facts=with_moves((POOL, SENDER, 1000)))


def test_the_same_effect_and_small_drift_pass() -> None:
    assert changed_effects(BEFORE, BEFORE) == ()
    assert changed_effects(BEFORE, detail(1, facts=with_moves((POOL, SENDER, 1090)))) == ()


def test_more_less_another_receiver_and_the_other_way_round_are_told() -> None:
    for facts in (
        with_moves((POOL, SENDER, 1200)),
        with_moves((POOL, SENDER, 800)),
        with_moves((POOL, STRANGER, 1000)),
        with_moves((SENDER, POOL, 1000)),
        with_moves((POOL, SENDER, 1000), (STRANGER, SENDER, 100)),
        Facts(),
    ):
        changed = changed_effects(BEFORE, detail(1, facts=facts))
        assert changed
        assert str(TOKEN) in changed[0]


def test_dust_of_the_coin_is_no_change() -> None:
    native = TokenStandard.NATIVE
    one, other = (detail(1, facts=with_moves((POOL, SENDER, amount), standard=native)) for amount in (1, 10**13))
    assert changed_effects(one, other) == ()
    assert changed_effects(one, detail(1, facts=with_moves((POOL, SENDER, 10**15), standard=native)))


def test_a_run_that_fails_now_is_another_effect() -> None:
    failed = replace(simulation(), status=SimulationStatus.REVERTED)
    assert "reverted" in changed_effects(BEFORE, detail(1, facts=BEFORE.facts, simulation=failed))[0]


def test_what_was_never_simulated_cannot_be_compared() -> None:
    assert changed_effects(None, BEFORE) == ()
    assert changed_effects(detail(1, simulation=None), BEFORE) == ()
