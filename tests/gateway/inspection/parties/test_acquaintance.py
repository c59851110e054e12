"""Two steps: the first makes a vault keep an entry, the second withdraws on it."""

from dataclasses import replace

from gateway.inspection.past.memory import EMPTY_MEMORY, Memory
from gateway.inspection.registry import load
from gateway.inspection.trace.ledger import Asset
from gateway.model.finding import Finding
from gateway.model.primitive import Address
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


def test_who_is_named_by_a_chain_of_hashes_is_an_old_acquaintance() -> None:
    def met(named: Address) -> bool:
        tape = Tape()
        with tape.call(ENTRY), tape.call(VAULT):
            link = tape.hashed(bytes(32) + named)
            top = tape.hashed(link + account(98))
            tape.write(VAULT, 3, int.from_bytes(top, "big"), 0)
            tape.write(VAULT, tape.entry(ENTRY, 5), 0, 10**30)
        return bool(tape.subject().after.acquainted)

    assert not met(ENTRY)
    assert met(account(99))


def test_a_failed_step_leaves_nothing() -> None:
    tape = Tape()
    with tape.call(ENTRY):
        pass
    assert tape.subject().after == EMPTY_MEMORY


POOL, MONEY = account(12), account(13)


def leave_and_sell(memory: Memory, proceeds: int, kept: int) -> list[Finding]:
    """The vault pays 900 of 1000, a pool takes them for `proceeds` of its money, of which `kept` remain."""
    tape = Tape()
    with tape.call(ENTRY):
        with tape.call(VAULT):
            tape.read(VAULT, tape.entry(ENTRY, 5), 10**30)
            with tape.call(TOKEN):
                tape.move(TOKEN, VAULT, ENTRY, 900, had=1000)
        with tape.call(POOL):
            with tape.call(TOKEN):
                tape.move(TOKEN, ENTRY, POOL, 900, had=900)
            with tape.call(MONEY):
                tape.move(MONEY, POOL, ENTRY, proceeds, had=10_000)
        if kept < proceeds:
            with tape.call(MONEY):
                tape.move(MONEY, ENTRY, account(14), proceeds - kept, had=proceeds)
            with tape.call(account(14)):
                pass
    (detector,) = [one for one in load().detectors if one.id == "short-acquaintance"]
    return list(detector.inspect(tape.subject(memory)))


def test_loot_that_was_sold_is_followed_to_the_proceeds() -> None:
    (finding,) = leave_and_sell(enter(0), 500, 500)
    assert finding.victim == VAULT
    assert leave_and_sell(enter(0), 500, 100) == []


def test_a_contract_that_looked_like_a_servant_is_an_acquaintance_too() -> None:
    tape = Tape()
    with tape.call(ENTRY), tape.call(VAULT):
        tape.read(VAULT, 0, int.from_bytes(ENTRY, "big"))
    assert tape.subject().after.acquainted == frozenset()
    lent = Tape()
    with lent.call(ENTRY), lent.call(POOL):
        with lent.call(TOKEN):
            lent.move(TOKEN, POOL, VAULT, 10, had=1000)
        with lent.call(VAULT):
            lent.write(VAULT, lent.entry(ENTRY, 5), 0, 10)
    subject = lent.subject()
    assert (VAULT, lent.entry(ENTRY, 5)) in subject.after.acquainted


def take_office(value: int = 0) -> Memory:
    """The sender calls the vault himself, and it writes him down."""
    tape = Tape()
    with tape.call(VAULT, value=value):
        tape.write(VAULT, tape.entry(SENDER, 5), 0, 1)
    subject = tape.subject()
    return replace(subject, transaction=replace(subject.transaction, to=VAULT, value=value)).after


def test_who_is_written_down_for_nothing_by_a_direct_call_is_a_new_acquaintance() -> None:
    assert {contract for contract, _ in take_office().acquainted} == {VAULT}


def test_who_pays_to_be_written_down_bets_or_buys() -> None:
    assert take_office(value=5).acquainted == frozenset()
