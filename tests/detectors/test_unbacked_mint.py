from __future__ import annotations

import pytest

from detectors.unbacked_mint import UnbackedMint
from gateway.model.finding import Severity
from gateway.model.primitive import ZERO_ADDRESS
from tests.detectors.acts import act, findings, first_held
from tests.makers import ENTRY, Tape, account, word


@pytest.mark.parametrize(
    ("exploit", "held_at"),
    [
        ("unbacked-mint.unbacked-issue", 0),
    ],
)
def test_it_names_the_exploit_and_the_transaction_is_held(exploit: str, held_at: int) -> None:
    found = findings(exploit, UnbackedMint.id)
    assert max(finding.severity for finding in found) is Severity.HIGH
    assert first_held(exploit) == held_at


@pytest.mark.parametrize(
    "twin",
    [
        "unbacked-mint.backed-issue",
        "unbacked-mint.bridge-mint",
        "unbacked-mint.redemption",
    ],
)
def test_it_says_nothing_of_an_honest_twin(twin: str) -> None:
    assert findings(twin, UnbackedMint.id) == []
    assert not act(twin).held


TOKEN, POOL, MONEY = (account(number) for number in range(10, 13))


@pytest.mark.parametrize(
    ("made", "proceeds", "stake", "held"),
    [(5, 200, 0, True), (5, 50, 0, False), (1, 200, 0, False), (5, 200, 7, False), (30, 50, 0, True)],
    ids=["sold for much", "sold for little", "next to nothing", "made for a stake", "much"],
)
def test_a_small_mint_counts_if_its_sale_moved_the_buyer(made: int, proceeds: int, stake: int, held: bool) -> None:
    tape = Tape()
    with tape.call(ENTRY):
        with tape.call(TOKEN):
            if stake:
                tape.read(TOKEN, tape.entry(ENTRY, 6), stake)
            tape.write(TOKEN, 2, 1000, 1000 + made)
            tape.write(TOKEN, tape.entry(ENTRY), 0, made)
            tape.transfer(TOKEN, ZERO_ADDRESS, ENTRY, made)
        with tape.call(POOL):
            with tape.call(TOKEN):
                tape.move(TOKEN, ENTRY, POOL, made, had=made, has=50)
            with tape.call(MONEY):
                tape.move(MONEY, POOL, ENTRY, proceeds, had=1000)
    assert bool(list(UnbackedMint().inspect(tape.subject()))) is held


@pytest.mark.parametrize(
    ("units", "named", "held"),
    [(900, False, False), (900, True, True), (1100, False, True)],
    ids=["handed out", "asked for", "more than there was"],
)
def test_a_token_may_hand_out_what_nobody_named(units: int, named: bool, held: bool) -> None:
    tape = Tape()
    with tape.call(ENTRY), tape.call(TOKEN, data=b"mine" + (word(units) if named else b"")):
        tape.write(TOKEN, 2, 1000, 1000 + units)
        tape.write(TOKEN, tape.entry(ENTRY), 0, units)
        tape.transfer(TOKEN, ZERO_ADDRESS, ENTRY, units)
    assert bool(list(UnbackedMint().inspect(tape.subject()))) is held


@pytest.mark.parametrize(
    ("number", "counted", "known", "held"),
    [(60, 400, False, True), (60, 400, True, False), (20, 400, False, False), (60, 9000, False, False)],
    ids=["many", "by an office", "a few", "of very many"],
)
def test_many_items_for_a_stranger_are_a_mint_too(number: int, counted: int, known: bool, held: bool) -> None:
    tape = Tape()
    with tape.call(ENTRY), tape.call(POOL):
        if known:
            tape.read(POOL, 0, int.from_bytes(ENTRY, "big"))
        with tape.call(TOKEN):
            tape.read(TOKEN, 0, int.from_bytes(POOL, "big"))
            tape.write(TOKEN, 1, counted, counted + number)
            for item in range(number):
                tape.log(TOKEN, (*Tape.transfer_topics(ZERO_ADDRESS, ENTRY), word(item)), b"")
    assert bool(list(UnbackedMint().inspect(tape.subject()))) is held
