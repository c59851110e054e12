from __future__ import annotations

from gateway.app.recollection import LIFETIME, SENDERS, TRANSACTIONS, Recollection
from gateway.inspection.memory import EMPTY_MEMORY, Memory
from gateway.model.primitive import Address, Hash32

SENDER, OTHER = Address(b"\xa1" * 20), Address(b"\xb2" * 20)
MADE = Memory(created=(Address(b"\xc3" * 20),))


class Clock:
    now = 0.0

    def __call__(self) -> float:
        return self.now


def hash_of(number: int) -> Hash32:
    return Hash32(number.to_bytes(32, "big"))


def test_the_next_transaction_of_the_sender_knows_the_one_before() -> None:
    kept = Recollection()
    kept.keep(SENDER, hash_of(1), EMPTY_MEMORY, MADE)
    assert kept.before(SENDER, hash_of(2)) == MADE
    assert kept.before(OTHER, hash_of(2)) == EMPTY_MEMORY


def test_a_second_inspection_is_not_held_against_the_transaction_itself() -> None:
    kept = Recollection()
    kept.keep(SENDER, hash_of(1), EMPTY_MEMORY, MADE)
    assert kept.before(SENDER, hash_of(1)) == EMPTY_MEMORY
    kept.keep(SENDER, hash_of(1), EMPTY_MEMORY, Memory(created=(OTHER,)))
    assert kept.before(SENDER, hash_of(2)) == MADE


def test_it_forgets_after_its_lifetime() -> None:
    clock = Clock()
    kept = Recollection(clock=clock)
    kept.keep(SENDER, hash_of(1), EMPTY_MEMORY, MADE)
    clock.now = LIFETIME
    assert kept.before(SENDER, hash_of(2)) == MADE
    clock.now = LIFETIME + 1
    assert kept.before(SENDER, hash_of(2)) == EMPTY_MEMORY


def test_it_is_bounded_in_senders_and_in_transactions() -> None:
    kept = Recollection()
    senders = [Address(number.to_bytes(20, "big")) for number in range(SENDERS + 1)]
    for sender in senders:
        kept.keep(sender, hash_of(1), EMPTY_MEMORY, MADE)
    assert kept.before(senders[0], hash_of(2)) == EMPTY_MEMORY
    assert kept.before(senders[1], hash_of(2)) == MADE
    for number in range(2, TRANSACTIONS + 3):
        kept.keep(senders[-1], hash_of(number), EMPTY_MEMORY, MADE)
    assert kept.before(senders[-1], hash_of(1)) == MADE  # too long ago to be known again
    assert kept.before(senders[-1], hash_of(TRANSACTIONS)) == EMPTY_MEMORY
