from __future__ import annotations

import pytest

from detectors.sliced_drain import SlicedDrain
from gateway.inspection.past.effects import Taken, TakenFrom, Taking
from gateway.inspection.subject import Inspection
from gateway.model.finding import Finding, Severity
from gateway.model.primitive import ZERO_ADDRESS, Address
from tests.detectors.acts import act, findings, first_held
from tests.makers import ENTRY, SENDER, TRANSACTION, Tape, account

VAULT, TOKEN = account(20), account(21)


def test_the_slice_that_makes_it_grave_is_held_though_three_senders_share_the_loot() -> None:
    (found,) = findings("slices.three-thieves", SlicedDrain.id)
    assert found.severity is Severity.HIGH
    assert "in 3 slices to 3 senders" in found.summary
    assert first_held("slices.three-thieves") == 2


@pytest.mark.parametrize(
    ("twin", "hints"), [("slices.faucet", True), ("slices.claims", False), ("airdrop.airdrop-of-hundreds", False)]
)
def test_contracts_that_pay_many_people_by_design_pass(twin: str, hints: bool) -> None:
    found = findings(twin, SlicedDrain.id)
    assert bool(found) is hints
    assert all(finding.severity is Severity.MEDIUM for finding in found)
    assert not act(twin).held


def looked(taken: TakenFrom, amount: int = 15, stock: int = 1_000) -> list[Finding]:
    tape = Tape()
    with tape.call(ENTRY), tape.call(VAULT), tape.call(TOKEN):
        tape.move(TOKEN, VAULT, SENDER, amount, had=stock)
    return list(SlicedDrain().inspect(Inspection(TRANSACTION, tape.result(), taken=taken)))


def past(amount: int, times: int = 2, stock: int = 1_000, token: Address = TOKEN) -> TakenFrom:
    return {(VAULT, token): Taken(stock, amount, times, frozenset({account(30)}))}


def test_slices_add_up() -> None:
    (found,) = looked(past(30))
    assert found.victim == VAULT
    assert found.evidence["amount"] == "45"
    assert found.evidence["slices"] == "3"


@pytest.mark.parametrize(
    "taken",
    [{}, past(10), past(30, times=1), past(30, stock=10_000), past(30, token=ZERO_ADDRESS)],
    ids=["nothing before", "too little", "two slices", "a large stock", "another asset"],
)
def test_what_stays_small_or_rare_is_no_finding(taken: TakenFrom) -> None:
    assert looked(taken) == []


def test_the_slice_itself_is_remembered() -> None:
    tape = Tape()
    with tape.call(ENTRY), tape.call(VAULT), tape.call(TOKEN):
        tape.move(TOKEN, VAULT, SENDER, 15, had=1_000)
    assert tape.subject().effects.takings == (Taking(VAULT, TOKEN, 15, 1_000),)
