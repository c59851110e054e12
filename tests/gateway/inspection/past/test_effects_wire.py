from __future__ import annotations

import pytest

from gateway.inspection.past.deal import Deal
from gateway.inspection.past.effects import Effects, Taking
from gateway.inspection.past.effects_wire import MOST, Told, decode_effects, encode_effects
from gateway.inspection.past.memory import Memory
from gateway.model.primitive import ZERO_ADDRESS, Hash32
from tests.makers import account

BIG = 2**256 - 1
MEMORY = Memory(
    created=(account(1), account(2)),
    acquainted=frozenset({(account(3), BIG), (account(3), 0)}),
    dealt={(account(4), None): -BIG, (account(4), 7): 1, (ZERO_ADDRESS, None): 0},
    codes=((account(1), b"k" * 16),),
    claimed=(account(5),),
    signatures=(b"s" * 16,),
    deals={(account(7), account(4), None): Deal(BIG, 0, 1, True), (account(7), account(4), 3): Deal(1, 1, 0, False)},
)


def told(memory: Memory = MEMORY, to: int | None = 9) -> Told:
    heirs = {account(12): {(account(7), account(4), None): Deal(1, 2, 3, True)}}
    effects = Effects(memory, (Taking(account(6), ZERO_ADDRESS, BIG, BIG),), heirs)
    return Told(Hash32(b"\x01" * 32), account(8), None if to is None else account(to), 1.5, effects)


@pytest.mark.parametrize("to", [9, None])
def test_a_message_says_what_was_told(to: int | None) -> None:
    assert decode_effects(encode_effects(told(to=to))) == told(to=to)


def test_a_huge_memory_is_cut_and_its_message_is_small() -> None:
    many = Memory(
        created=tuple(account(number) for number in range(256)),
        acquainted=frozenset((account(number), BIG - number) for number in range(512)),
        dealt={(account(number), BIG): BIG for number in range(64)},
        codes=tuple((account(number), b"k" * 16) for number in range(256)),
        claimed=tuple(account(number) for number in range(64)),
        signatures=tuple(number.to_bytes(16, "big") for number in range(256)),
    )
    data = encode_effects(told(many))
    assert len(data) < 20_000
    assert decode_effects(data).effects.added.created == many.created[-MOST:]


@pytest.mark.parametrize("data", [b"", b"\x90", b"nonsense", encode_effects(told())[:-1]])
def test_other_bytes_are_refused(data: bytes) -> None:
    with pytest.raises(ValueError, match="no effects"):
        decode_effects(data)
