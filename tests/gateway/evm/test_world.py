from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from gateway.decoding.keccak import keccak256
from gateway.evm.world import LayeredWorld
from gateway.model.primitive import Address, Hash32
from gateway.model.state import AccountState, StateBatch
from gateway.model.trace import AccountDiff
from tests.gateway.evm.scenes import CONTRACT, OTHER, SENDER, account

WRITES = st.lists(st.tuples(st.integers(0, 3), st.integers(0, 5), st.integers(0, 9), st.booleans()), max_size=60)


@given(WRITES)
def test_forks_read_as_copies_of_a_dictionary_would(writes: list[tuple[int, int, int, bool]]) -> None:
    worlds, models = [LayeredWorld()], [dict[tuple[Address, int], int]()]
    for which, slot, value, fork in writes:
        which %= len(worlds)
        if fork and len(worlds) < 6:
            worlds.append(worlds[which].fork())
            models.append(dict(models[which]))
        worlds[which].load(StateBatch(slots={(CONTRACT, slot): value}))
        models[which][CONTRACT, slot] = value
    for world, model in zip(worlds, models, strict=True):
        assert {slot: world.slot(CONTRACT, slot) for slot in range(6)} == {
            slot: model.get((CONTRACT, slot)) for slot in range(6)
        }
        assert world.storage(CONTRACT) == {slot: value for (_, slot), value in model.items()}


def test_layers_stay_few() -> None:
    world = LayeredWorld()
    for number in range(1000):
        world.load(StateBatch(slots={(CONTRACT, number): number}))
        world.fork()
    assert len(world.freeze()) <= 12
    assert all(world.slot(CONTRACT, number) == number for number in range(1000))


def test_a_frozen_layer_never_changes() -> None:
    world = LayeredWorld()
    world.load(StateBatch({SENDER: account(balance=1)}))
    seen = world.freeze()
    sizes = [(segment.id, segment.size) for segment in seen]
    world.load(StateBatch({OTHER: account(balance=2)}))
    world.load(StateBatch({SENDER: account(balance=3)}))
    assert [(segment.id, segment.size) for segment in seen] == sizes
    assert seen[0].accounts[SENDER].balance == 1


def test_a_zero_that_was_loaded_is_known_and_one_that_was_not_is_unknown() -> None:
    world = LayeredWorld()
    world.load(StateBatch({OTHER: AccountState()}, {(CONTRACT, 1): 0}, {7: Hash32(b"\x07" * 32)}))
    assert world.slot(CONTRACT, 1) == 0
    assert world.slot(CONTRACT, 2) is None
    assert world.account(OTHER) == AccountState()
    assert world.account(SENDER) is None
    assert world.block_hash(7) == b"\x07" * 32
    assert world.block_hash(8) is None


def test_effects_are_applied_to_known_accounts_alone() -> None:
    diff = {
        CONTRACT: AccountDiff(nonce=(0, 1), code=(b"", b"\x01"), storage={5: (0, 6)}),
        OTHER: AccountDiff(balance=(1, 2)),
    }
    world = LayeredWorld()
    world.load(StateBatch({CONTRACT: account(balance=9)}))
    world.apply(diff)
    assert world.account(CONTRACT) == AccountState(1, 9, b"\x01", keccak256(b"\x01"))
    assert world.slot(CONTRACT, 5) == 6
    assert world.account(OTHER) is None

    everything = LayeredWorld(complete=True)
    everything.apply(diff)
    assert everything.account(OTHER) == AccountState(balance=2)
