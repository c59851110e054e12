"""The language of rules: what it means, what it refuses and in which words, and that its work is bounded."""

from __future__ import annotations

from typing import Any

import pytest

from gateway.inspection.rules.compiler import compile_expression
from gateway.inspection.rules.expression import ExpressionError, Names, constants
from gateway.inspection.rules.moment import STEPS, Moment, OutOfSteps
from gateway.inspection.rules.vocabulary import Type
from gateway.inspection.subject import Inspection
from gateway.model.primitive import Address
from tests.makers import ENTRY, SENDER, Tape, account, word

VAULT, TOKEN, THIEF = account(5), account(6), account(7)


def subject() -> Inspection:
    """The vault pays 300 and 50 of a token; the thief's loot is below a nested call; a slot and an event change."""
    tape = Tape()
    with tape.call(ENTRY), tape.call(VAULT, data=bytes.fromhex("2e1a7d4d") + word(7) + word(THIEF)):
        tape.transfer(TOKEN, VAULT, THIEF, 300)
        tape.transfer(TOKEN, VAULT, SENDER, 50)
        tape.write(VAULT, 3, 10, 11)
    return tape.subject()


@pytest.fixture(scope="module")
def seen() -> Inspection:
    return subject()


def ask(text: str, seen: Inspection, names: Names = Names()) -> Any:
    return compile_expression(text, names).run(Moment(seen), None)


@pytest.mark.parametrize(
    ("text", "value"),
    [
        ("1 + 2 * 3 - 10 // 4 % 5", 5),
        ("-(2 - 5)", 3),
        ("2 < 3 <= 3", True),
        ("2 < 3 < 3", False),
        ("not (true and false) or 1 // 0 == 1", True),
        ("count(transfers)", 2),
        (f"count(transfers, from == {VAULT} and amount > 100)", 1),
        (f"sum(transfers, amount, token == {TOKEN})", 350),
        ("max(transfers, amount)", 300),
        ("min(transfers, amount, amount > 1000)", 0),
        ("all(transfers, amount >= 50)", True),
        ("all(transfers, amount > 50)", False),
        (f"net({VAULT}, {TOKEN})", -350),
        (f"any(calls, to == {VAULT} and selector == 0x2e1a7d4d and argument(0) == 7)", True),
        (f"any(calls, address_argument(1) == {THIEF})", True),
        ("any(calls, argument(900) != 0)", False),
        (f"any(transfers, any(calls, to == outer.from and outer.to == {THIEF}))", True),
        ("any(storage, slot == 3 and after - before == 1)", True),
        (f"after({VAULT}, 3, 0) - before({VAULT}, 3, 0)", 1),
        (f"after({VAULT}, 4, 99)", 99),
        (f"transaction.sender == {SENDER} and transaction.to == {ENTRY}", True),
        ("any(transfers, standard == 'erc20')", True),
        ("units(5, 18) == 5000000000000000000", True),
        ("5 if count(created) == 0 else 6", 5),
        (f"transaction.sender in [{SENDER}, {THIEF}]", True),
        (f"any(balances, holder == {THIEF} and change == 300)", True),
        (f"held({VAULT}, {TOKEN}, 1234)", 1234),
        (f"as_address(5) != {VAULT}", True),
        ("115792089237316195423570985008687907853269984665640564039457584007913129639935 * 2 > 0", True),
    ],
)
def test_means_what_it_says(text: str, value: object, seen: Inspection) -> None:
    assert ask(text, seen) == value


def test_the_slot_of_a_mapping_is_soliditys(seen: Inspection) -> None:
    """keccak256(key . base), as the Solidity documentation lays storage out."""
    from gateway.decoding.keccak import keccak256

    expected = int.from_bytes(keccak256(word(THIEF) + word(2)), "big")
    assert ask(f"mapping_slot(2, {THIEF})", seen) == expected


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("any(transfers, ammount > 5)", ["`ammount` is not known", "fields of transfers", "amount"]),
        ("transfers", ["is not known"]),
        ("transaction.from == 5", ["`transaction.from` is not known", "transaction.sender"]),
        ("1 / 2", ["`1 / 2` would give fractions"]),
        ("10 ** 18", ["units(amount, decimals)"]),
        ("transaction.value == 1.5", ["no whole number"]),
        (f"transaction.value == {VAULT}", ["is an address where a number is needed"]),
        (f"{VAULT} < {TOKEN}", ["only numbers"]),
        ("not transaction.value", ["is a number where a truth is needed"]),
        ("__import__('os').system('true')", ["is not part of the language"]),
        ("().__class__", ["is not part of the language"]),
        ("(lambda: 1)()", ["is not part of the language"]),
        ("[x for x in calls]", ["is not part of the language"]),
        ("open('/etc/passwd')", ["asks for what is not there"]),
        ("any(calls)", ["is written any(collection, condition)"]),
        ("any(friends, true)", ["begins with what is to be looked at"]),
        ("any(calls, any(calls, any(calls, true)))", ["stands within 2 others"]),
        ("count(calls, depth)", ["is a number where a truth is needed"]),
        ("transaction.value in contracts", ["looks for a number in a list of address values"]),
        ("transaction.value is 5", ["not part of the language"]),
        ("transaction.value ==", ["is no expression"]),
        ("(" * 300 + ")" * 300, ["is no expression"]),
        ("not " * 900 + "true", ["deep"]),
        ("[]", ["is empty"]),
        (f"[1, {VAULT}]", ["stands in a list of number values"]),
        ("transaction.valuе == 1", ["not ASCII"]),
        ("1" * 5000, ["at most 4096 characters"]),
        ("net(5, 6)", ["is a number where an address is needed"]),
        ("units(5)", ["takes amount, decimals"]),
        ("a", ["leads back to itself: a -> b -> a"]),
    ],
)
def test_refuses_in_words_that_help(text: str, words: list[str]) -> None:
    names = Names({"contracts": constants(Type.ADDRESS, [VAULT])}, {"a": "b", "b": "a"})
    with pytest.raises(ExpressionError) as caught:
        compile_expression(text, names)
    for part in words:
        assert part in str(caught.value)


def test_work_is_bounded_and_says_so(seen: Inspection) -> None:
    moment = Moment(seen, steps=5)
    with pytest.raises(OutOfSteps, match="narrow its scope"):
        compile_expression("any(calls, count(transfers, amount > outer.depth) > 99)").run(moment, None)
    assert STEPS >= 10_000


def test_frames_of_what_matched_are_kept(seen: Inspection) -> None:
    moment = Moment(seen)
    compile_expression(f"any(calls, to == {VAULT})").run(moment, None)
    assert [seen.simulation.trace.frames[index].to for index in moment.frames] == [VAULT]


def test_macros_are_read_where_they_stand(seen: Inspection) -> None:
    names = Names(
        {"contracts": constants(Type.ADDRESS, [VAULT])},
        {"paid_out": "from in contracts", "large": "paid_out and amount > 100"},
    )
    assert ask("count(transfers, paid_out)", seen, names) == 2
    assert ask("count(transfers, large)", seen, names) == 1
    with pytest.raises(ExpressionError, match="`from` is not known"):
        compile_expression("paid_out", names)


def test_an_address_is_no_number_even_with_leading_zeros() -> None:
    found = compile_expression("0x00000000000000000000000000000000000000aa")
    assert (found.type, found.constant) == (Type.ADDRESS, Address(bytes(19) + b"\xaa"))
    assert compile_expression("0xaa").constant == 170
