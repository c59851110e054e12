"""Two steps: the first makes a vault keep an entry, the second withdraws on it."""

from gateway.inspection.ledger import Asset
from gateway.inspection.memory import EMPTY_MEMORY, Memory
from gateway.inspection.registry import load
from gateway.model.finding import Finding
from tests.makers import ENTRY, SENDER, Tape, account

TOKEN, VAULT = account(10), account(11)


def enter(deposit: int, *, known: bool = False) -> Memory:
    """A deposit; the vault writes an entry for the entry contract."""
    tape = Tape()
    with tape.call(ENTRY), tape.call(VAULT):
        slot = tape.entry(ENTRY, 5)
        if known:
            tape.read(VAULT, tape.entry(ENTRY, 6), 77)
        tape.write(VAULT, slot, 0, 10**30)
        if deposit:
            with tape.call(TOKEN):
                tape.move(TOKEN, ENTRY, VAULT, deposit, had=deposit, has=1000)
    return tape.subject().after


def leave(memory: Memory, amount: int, stock: int) -> list[Finding]:
    """The vault pays `amount` of `stock` because of the entry."""
    tape = Tape()
    with tape.call(ENTRY), tape.call(VAULT):
        tape.read(VAULT, tape.entry(ENTRY, 5), 10**30)
        with tape.call(TOKEN):
            tape.move(TOKEN, VAULT, ENTRY, amount, had=stock)
    subject = tape.subject(memory)
    (detector,) = [one for one in load().detectors if one.id == "short-acquaintance"]
    return list(detector.inspect(subject))


def test_an_entry_of_nothing_that_empties_the_vault_is_seen() -> None:
    (finding,) = leave(enter(0), 900, 1000)
    assert finding.victim == VAULT
    assert finding.attacker == SENDER


def test_without_memory_the_entry_is_consent() -> None:
    assert leave(EMPTY_MEMORY, 900, 1000) == []


def test_a_deposit_that_returns_with_a_reward_is_honest() -> None:
    memory = enter(500)
    assert memory.dealt == {Asset(TOKEN): -500}
    assert leave(memory, 550, 1500) == []


def test_much_more_than_the_deposit_is_seen() -> None:
    assert leave(enter(100), 1000, 1100) != []


def test_an_old_acquaintance_stays_one() -> None:
    memory = enter(0, known=True)
    assert memory.acquainted == frozenset()
    assert leave(memory, 900, 1000) == []


def test_a_failed_step_leaves_nothing() -> None:
    tape = Tape()
    with tape.call(ENTRY):
        pass
    assert tape.subject().after == EMPTY_MEMORY
