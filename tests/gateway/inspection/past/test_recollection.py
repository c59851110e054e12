from __future__ import annotations

from dataclasses import replace

import pytest

from gateway.inspection.past.deal import Deal
from gateway.inspection.past.effects import Effects, Taking, difference, joined
from gateway.inspection.past.memory import EMPTY_MEMORY, Memory
from gateway.inspection.past.moved import Moved
from gateway.inspection.past.recollection import (
    ALLIES,
    KEYS,
    LASTING,
    LASTING_KEYS,
    LIFETIME,
    TRANSACTIONS,
    VICTIMS,
    Past,
    Recollection,
)
from gateway.model.primitive import Address, Hash32
from gateway.model.transaction import Transaction
from tests.makers import TRANSACTION, Tape, account

SENDER, OTHER, FRESH, PUBLIC, VAULT, TOKEN = (account(number) for number in range(11, 17))
MADE = Effects(Memory(created=(FRESH,)))
FREE = Effects(Memory(acquainted=frozenset({(VAULT, 9)})))
STAGED = Effects(Memory(acquainted=frozenset({(VAULT, 7)}), dealt={(TOKEN, None): -5}))


class Clock:
    now = 1_000_000.0

    def __call__(self) -> float:
        return self.now


def hash_of(number: int) -> Hash32:
    return Hash32(number.to_bytes(32, "big"))


def sent(number: int, sender: Address = SENDER, to: Address | None = PUBLIC) -> Transaction:
    return replace(TRANSACTION, raw=replace(TRANSACTION.raw, hash=hash_of(number)), sender=sender, to=to)


@pytest.fixture
def clock() -> Clock:
    return Clock()


@pytest.fixture
def kept(clock: Clock) -> Recollection:
    return Recollection(clock=clock)


def keep(kept: Recollection, number: int, effects: Effects, sender: Address = SENDER, to: Address = PUBLIC) -> None:
    kept.keep(hash_of(number), sender, to, effects)


def taken(kept: Recollection, number: int, holder: Address = VAULT) -> Past:
    tape = Tape()
    with tape.call(holder):
        pass
    return kept.before(sent(number, OTHER, holder), tape.result())


def slice_of(amount: int, holder: Address = VAULT) -> Effects:
    return Effects(takings=(Taking(holder, TOKEN, amount, 1_000),))


def test_the_next_transaction_of_the_sender_knows_the_one_before(kept: Recollection) -> None:
    keep(kept, 1, MADE)
    assert kept.before(sent(2)).memory == MADE.added
    assert kept.before(sent(2, OTHER)).memory == EMPTY_MEMORY


def test_a_second_inspection_is_not_held_against_the_transaction_itself(kept: Recollection) -> None:
    keep(kept, 1, MADE)
    assert kept.before(sent(1)).memory == EMPTY_MEMORY
    keep(kept, 1, STAGED)
    assert kept.before(sent(2)).memory == MADE.added, "the same transaction twice is one"


def test_it_forgets_after_its_lifetime(kept: Recollection, clock: Clock) -> None:
    keep(kept, 1, MADE)
    keep(kept, 2, slice_of(5), to=VAULT)
    clock.now += LIFETIME
    assert kept.before(sent(3)).memory == MADE.added
    assert taken(kept, 3).taken
    clock.now += 1
    assert kept.before(sent(3)).memory == EMPTY_MEMORY
    assert taken(kept, 3).taken == {}
    assert kept.size[1] == 0


def test_what_was_told_too_late_is_not_taken_in(kept: Recollection, clock: Clock) -> None:
    kept.keep(hash_of(1), SENDER, PUBLIC, MADE, at=clock.now - LIFETIME - 1)
    assert kept.size == (0, 0)


def test_a_contract_carries_its_stage_to_another_sender(kept: Recollection) -> None:
    keep(kept, 1, MADE)
    keep(kept, 2, STAGED, to=FRESH)
    strike = kept.before(sent(3, OTHER, FRESH)).memory
    assert strike.acquainted == STAGED.added.acquainted
    assert strike.dealt == STAGED.added.dealt
    assert strike.created == (), "the ally does not own what its creator made"
    assert kept.before(sent(3, OTHER, PUBLIC)).memory == EMPTY_MEMORY
    assert kept.creator(FRESH) == SENDER


def test_what_the_sender_dealt_through_its_own_contract_counts_once(kept: Recollection) -> None:
    keep(kept, 1, MADE)
    keep(kept, 2, STAGED, to=FRESH)
    assert kept.before(sent(3, SENDER, FRESH)).memory.dealt == STAGED.added.dealt


def test_a_fresh_contract_that_many_people_use_is_nobody_s_ally(kept: Recollection) -> None:
    keep(kept, 1, MADE)
    for number in range(ALLIES):
        keep(kept, 10 + number, STAGED, sender=account(100 + number), to=FRESH)
    assert kept.before(sent(3, OTHER, FRESH)).memory == EMPTY_MEMORY


def test_slices_of_one_victim_add_up_over_senders(kept: Recollection) -> None:
    keep(kept, 1, slice_of(15), sender=account(1), to=VAULT)
    keep(kept, 2, slice_of(14), sender=account(2), to=VAULT)
    found = taken(kept, 3).taken[VAULT, TOKEN]
    assert (found.amount, found.times, found.stock) == (29, 2, 1_000)
    assert found.takers == {account(1), account(2)}
    assert taken(kept, 2).taken[VAULT, TOKEN].amount == 15, "its own slice is left out"
    assert taken(kept, 3, account(99)).taken == {}


def test_it_is_bounded_in_keys_transactions_and_victims(kept: Recollection) -> None:
    senders = [account(number) for number in range(1_000, 1_000 + KEYS + 1)]
    for sender in senders:
        keep(kept, 1, STAGED, sender=sender)
    assert kept.size[0] == KEYS
    assert kept.before(sent(2, senders[0])).memory == EMPTY_MEMORY
    for number in range(2, TRANSACTIONS + 3):
        keep(kept, number, Effects(Memory(created=(account(number),))), sender=senders[-1])
    assert len(kept.before(sent(500, senders[-1])).memory.created) == TRANSACTIONS + 1, "the oldest are summed up"
    for number in range(VICTIMS + 1):
        keep(kept, number, slice_of(1, account(50_000 + number)), to=VAULT)
    assert kept.size[1] == VICTIMS
    for number in range(TRANSACTIONS * 2):
        keep(kept, number, slice_of(1), to=VAULT)
    found = taken(kept, 500).taken[VAULT, TOKEN]
    assert (found.amount, found.times) == (TRANSACTIONS * 2, TRANSACTIONS)


def test_a_difference_brings_back_what_was_taken_away() -> None:
    before = Memory(created=(FRESH,), dealt={(TOKEN, None): 3}, signatures=(b"s",))
    after = Memory(
        created=(FRESH, VAULT),
        acquainted=frozenset({(VAULT, 1)}),
        dealt={(TOKEN, None): -4, (VAULT, 9): 1},
        codes=((VAULT, b"c"),),
        claimed=(PUBLIC,),
        signatures=(b"s", b"t"),
    )
    assert joined(before, difference(before, after)) == after
    assert difference(after, after) == EMPTY_MEMORY


def test_what_is_staged_without_anything_moving_is_remembered_for_a_day(kept: Recollection, clock: Clock) -> None:
    keep(kept, 1, FREE)
    clock.now += LASTING - 1
    assert kept.before(sent(2)).memory.acquainted == FREE.added.acquainted
    clock.now += 2
    assert kept.before(sent(2)).memory == EMPTY_MEMORY


def test_a_stage_that_is_told_late_is_still_kept(kept: Recollection, clock: Clock) -> None:
    kept.keep(hash_of(1), SENDER, PUBLIC, FREE, at=clock.now - 2 * LIFETIME)
    assert kept.before(sent(2)).memory.acquainted


def test_who_gives_something_later_is_remembered_no_longer_than_others(kept: Recollection, clock: Clock) -> None:
    keep(kept, 1, FREE)
    clock.now += 2 * LIFETIME
    keep(kept, 2, STAGED)
    assert len(kept.before(sent(3)).memory.acquainted) == 2
    clock.now += LIFETIME + 1
    assert kept.before(sent(3)).memory == EMPTY_MEMORY


def test_stages_stand_beside_the_others_and_are_bounded_too(kept: Recollection) -> None:
    keep(kept, 0, FREE)
    for number in range(1, KEYS + 10):
        keep(kept, number, STAGED, sender=account(1000 + number))
    assert kept.before(sent(1)).memory.acquainted == FREE.added.acquainted
    for number in range(KEYS + 10, KEYS + LASTING_KEYS + 10):
        keep(kept, number, FREE, sender=account(1000 + number))
    assert kept.size[0] <= KEYS + LASTING_KEYS
    keep(kept, 1, STAGED, sender=account(7))
    assert kept.size[0] <= KEYS + LASTING_KEYS


def test_an_heir_has_the_dealings_of_who_handed_on(kept: Recollection) -> None:
    deals = {(VAULT, TOKEN, None): Deal(5, 3, 100, True)}
    keep(kept, 1, Effects(heirs={OTHER: deals}))
    assert kept.before(sent(2, OTHER)).memory == Memory(deals=deals)
    assert kept.before(sent(2)).memory == EMPTY_MEMORY


def test_a_pool_that_one_bent_is_bent_for_another(kept: Recollection, clock: Clock) -> None:
    move = Moved((TOKEN, FRESH), (1_000, 1_000), (2_000, 500))
    keep(kept, 1, Effects(Memory(moved={VAULT: move})))
    assert taken(kept, 2).leaned == {VAULT: move}
    clock.now += LIFETIME + 1
    assert taken(kept, 2).leaned == {}, "what stands so long is the price"
    assert kept.before(sent(3)).memory.moved == {VAULT: move}, "but of who bent it more is remembered"
