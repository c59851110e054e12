from gateway.inspection.trace.ledger import NATIVE, Asset, keep
from gateway.model.primitive import ZERO_ADDRESS
from tests.makers import ENTRY, SENDER, Tape, account

TOKEN, VAULT = account(10), account(11)


def test_net_stock_and_share_of_a_transfer() -> None:
    tape = Tape()
    with tape.call(ENTRY), tape.call(TOKEN):
        tape.move(TOKEN, VAULT, ENTRY, 250, had=1000)
    ledger = tape.subject().ledger
    assert ledger.net[VAULT] == {Asset(TOKEN): -250}
    assert ledger.net[ENTRY] == {Asset(TOKEN): 250}
    assert ledger.before[VAULT, Asset(TOKEN)] == 1000
    assert ledger.share_lost(VAULT, Asset(TOKEN)) == 0.25
    assert ledger.share_lost(ENTRY, Asset(TOKEN)) is None


def test_what_goes_round_leaves_nothing() -> None:
    tape = Tape()
    with tape.call(ENTRY), tape.call(TOKEN):
        tape.transfer(TOKEN, VAULT, ENTRY, 7)
        tape.transfer(TOKEN, ENTRY, VAULT, 7)
        tape.transfer(TOKEN, VAULT, VAULT, 5)
    assert tape.subject().ledger.net == {}


def test_mint_supply_and_coin() -> None:
    tape = Tape()
    with tape.call(ENTRY, value=3), tape.call(TOKEN):
        tape.write(TOKEN, 2, 100, 140)
        tape.transfer(TOKEN, ZERO_ADDRESS, ENTRY, 40)
    tape.balance(SENDER, 10, 7)
    subject = tape.subject()
    ledger = keep(subject.facts, subject.simulation)
    assert ledger.minted == {Asset(TOKEN): 40}
    assert ledger.supply == {Asset(TOKEN): 100}
    assert ledger.net[SENDER] == {NATIVE: -3}
    assert ledger.before[SENDER, NATIVE] == 10
