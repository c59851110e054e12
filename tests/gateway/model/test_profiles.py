from __future__ import annotations

from itertools import pairwise

import pytest

from gateway.model.block import Fork
from gateway.model.chain import ChainProfile
from gateway.model.profiles import BASE, ETHEREUM, OP_MAINNET, PROFILES
from gateway.model.transaction import TransactionType


@pytest.mark.parametrize("profile", PROFILES.values(), ids=lambda profile: profile.name)
def test_each_profile_is_sound(profile: ChainProfile) -> None:
    times = [time for time, _ in profile.forks]
    forks = [fork for _, fork in profile.forks]
    assert times[0] == 0
    assert times == sorted(set(times))
    assert all(later.at_least(earlier) for earlier, later in pairwise(forks))
    assert PROFILES[profile.chain_id] is profile
    assert not set(profile.native_types) & set(TransactionType)
    assert len({known.name for known in PROFILES.values()}) == len(PROFILES)


@pytest.mark.parametrize(
    ("profile", "second", "fork"),
    [
        (ETHEREUM, 1_710_338_134, Fork.SHANGHAI),
        (ETHEREUM, 1_710_338_135, Fork.CANCUN),
        (ETHEREUM, 1_746_612_311, Fork.PRAGUE),
        (ETHEREUM, 1_800_000_000, Fork.OSAKA),
        (BASE, 1_746_806_400, Fork.CANCUN),
        (OP_MAINNET, 1_746_806_401, Fork.PRAGUE),
    ],
)
def test_the_fork_follows_the_clock(profile: ChainProfile, second: int, fork: Fork) -> None:
    assert profile.fork_at(second) is fork
