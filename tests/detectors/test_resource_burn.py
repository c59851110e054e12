from __future__ import annotations

import pytest

from detectors.resource_burn import ResourceBurn
from gateway.model.finding import Severity
from gateway.model.frame import FrameKind
from tests.detectors.acts import act, findings, first_held
from tests.makers import ENTRY, Tape, account


@pytest.mark.parametrize(
    ("exploit", "held_at"),
    [
        ("resources.useless-slots", 0),
        ("resources.wide-exponentiations", 0),
        ("raid-glut.accounts-for-nothing", 0),
        ("raid-glut.heaps-of-logs", 0),
        ("raid-glut.contracts-of-zeros", 0),
    ],
)
def test_it_names_the_exploit_and_the_transaction_is_held(exploit: str, held_at: int) -> None:
    found = findings(exploit, ResourceBurn.id)
    assert max(finding.severity for finding in found) is Severity.HIGH
    assert first_held(exploit) == held_at


@pytest.mark.parametrize(
    "twin",
    [
        "resources.large-merkle-batch",
        "resources.small-merkle-batch",
        "raid-glut.forty-paid",
        "raid-glut.large-contract",
        "airdrop.airdrop-of-hundreds",
    ],
)
def test_it_says_nothing_of_an_honest_twin(twin: str) -> None:
    assert findings(twin, ResourceBurn.id) == []
    assert not act(twin).held


def sent(count: int, wei: int) -> Tape:
    """So many accounts are paid so much each."""
    tape = Tape()
    with tape.call(ENTRY):
        for number in range(count):
            with tape.call(account(1_000 + number), value=wei, code=None):
                pass
    return tape


def heap(data: bytes, count: int) -> Tape:
    """So many logs of the same data."""
    tape = Tape()
    with tape.call(ENTRY), tape.call(account(40)):
        for _ in range(count):
            tape.log(account(40), (), data)
    return tape


def made(code: bytes, count: int) -> Tape:
    """So many contracts of the same code."""
    tape = Tape()
    with tape.call(ENTRY):
        for number in range(count):
            with tape.call(account(50 + number), kind=FrameKind.CREATE, output=code):
                pass
    return tape


@pytest.mark.parametrize(
    ("tape", "severity"),
    [
        (sent(300, 1), Severity.HIGH),
        (sent(150, 1), Severity.LOW),
        (sent(300, 10**15), None),
        (heap(bytes(8_000), 40), Severity.HIGH),
        (heap(bytes(8_000), 10), Severity.LOW),
        (heap(bytes(range(256)) * 31, 40), None),
        (made(bytes(24_000), 2), Severity.HIGH),
        (made(bytes(24_000), 1), Severity.LOW),
        (made(bytes(range(256)) * 90, 2), None),
    ],
)
def test_what_is_of_use_to_nobody_is_told(tape: Tape, severity: Severity | None) -> None:
    found = list(ResourceBurn().inspect(tape.subject()))
    assert [finding.severity for finding in found] == ([] if severity is None else [severity])
