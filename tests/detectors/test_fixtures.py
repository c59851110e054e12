"""Every recorded act: exploits are held, honest acts pass."""

from __future__ import annotations

import pytest

from tests.detectors.acts import FOLDER, act

NAMES = sorted(path.name.removesuffix(".json.zst") for path in FOLDER.glob("*.json.zst"))


@pytest.mark.parametrize("name", NAMES)
def test_the_act_is_judged_right(name: str) -> None:
    result = act(name)
    assert result.held is not result.case.honest
