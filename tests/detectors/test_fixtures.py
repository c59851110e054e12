"""Every recorded act: exploits are held, honest acts pass. Known errors are listed and must still be there."""

from __future__ import annotations

import pytest

from gateway.inspection.registry import load
from tests.detectors.acts import FOLDER, act

NAMES = sorted(path.name.removesuffix(".json.zst") for path in FOLDER.glob("*.json.zst"))

OPEN = {
    "everyday-layouts.listed-in-code": "a list kept as the code of another contract is not read",
    "everyday-estates.throne": "a game that notes its last mover twice looks like two offices",
    "everyday-ledgers.sale-taken-by-bot": "what was paid is burnt, and was earned by selling what was bought",
    "everyday-payrolls.faucet": "a gift to anybody is a payment to a stranger",
}
"""acts that are judged wrongly, and why; whoever mends one takes it off the list"""


@pytest.mark.parametrize("name", NAMES)
def test_the_act_is_judged_right(name: str) -> None:
    result = act(name)
    assert result.held is (result.case.honest is (name in OPEN))


def test_the_open_ones_exist() -> None:
    assert set(OPEN) <= set(NAMES)


def test_every_detector_speaks_of_an_exploit_here() -> None:
    """That each has honest look-alikes is what the scenes' own test says: two in the scene of every exploit."""
    spoke = {
        finding.detector_id
        for name in NAMES
        if not act(name).case.honest
        for judged in act(name).judged
        for finding in judged.verdict.report.findings
    }
    assert spoke == {detector.id for detector in load().detectors}
