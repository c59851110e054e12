"""A rule may ask what earlier transactions took; it hears what the gateway's memory knows, for as long as it does."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest

from gateway.inspection.past.effects import Effects, Taking
from gateway.inspection.past.recollection import LIFETIME, Recollection
from gateway.inspection.rules.author import read_rules
from gateway.model.primitive import Address, Hash32

PATH = Path(__file__).parents[4] / "docs" / "rules" / "vault-slices.yaml"
VAULT, DOLLAR = (Address.from_hex("0x" + ending.rjust(40, "0")) for ending in ("a1", "c1"))
THIEF = Address(b"\x77" * 20)


@pytest.mark.parametrize(
    ("slices", "later", "fires"),
    [([60], 60.0, True), ([10, 20], 60.0, False), ([20, 40], 60.0, True), ([60], LIFETIME + 1, False)],
)
def test_slices_of_other_transactions_count_until_they_are_forgotten(
    slices: list[int], later: float, fires: bool
) -> None:
    (rule,) = read_rules({PATH.name: PATH.read_text("utf-8")}).rules
    now = [1_000_000.0]
    memory = Recollection(clock=lambda: now[0])
    for number, part in enumerate(slices):
        taking = Taking(VAULT, DOLLAR, part * 10**9, 1_000 * 10**9)
        memory.keep(Hash32(bytes([number + 1]) * 32), THIEF, VAULT, Effects(takings=(taking,)))
    now[0] += later
    subject = rule.trials[0].subject
    past = memory.before(subject.transaction, subject.simulation)
    asked = replace(subject, taken=past.taken)
    assert bool(rule.inspect(asked)) is fires
    if fires:
        (finding,) = rule.inspect(asked)
        assert finding.evidence["earlier"] == f"{sum(slices) * 10**9:,}"


def test_a_transaction_does_not_hear_of_itself() -> None:
    (rule,) = read_rules({PATH.name: PATH.read_text("utf-8")}).rules
    memory = Recollection()
    subject = rule.trials[0].subject
    taking = Taking(VAULT, DOLLAR, 60 * 10**9, 1_000 * 10**9)
    memory.keep(subject.transaction.hash, subject.transaction.sender, VAULT, Effects(takings=(taking,)))
    past = memory.before(subject.transaction, subject.simulation)
    assert rule.inspect(replace(subject, taken=past.taken)) == ()
