from gateway.inspection.past.memory import Memory
from gateway.inspection.trace.ledger import NATIVE, Asset
from gateway.model.primitive import ZERO_ADDRESS, Hash32
from tests.makers import ENTRY, SENDER, Tape, account, word

TOKEN, VAULT, SERVANT, OWNER = account(10), account(11), account(12), account(13)


def test_sender_and_the_contract_it_calls_gain_together() -> None:
    tape = Tape()
    with tape.call(ENTRY), tape.call(VAULT), tape.call(TOKEN):
        tape.transfer(TOKEN, VAULT, ENTRY, 9)
    roles = tape.subject().roles
    assert roles.cluster == {SENDER, ENTRY}
    assert roles.gained == {Asset(TOKEN): 9}


def test_a_called_contract_that_pays_the_sender_is_the_other_side() -> None:
    tape = Tape()
    with tape.call(ENTRY), tape.call(TOKEN):
        tape.transfer(TOKEN, ENTRY, SENDER, 9)
    assert tape.subject().roles.cluster == {SENDER}


def test_coin_thrown_away_pays_nobody() -> None:
    tape = Tape()
    with tape.call(ENTRY, value=10**18):
        with tape.call(ZERO_ADDRESS, value=10**18, code=None):
            pass
        with tape.call(TOKEN):
            tape.transfer(TOKEN, VAULT, ENTRY, 9)
    subject = tape.subject()
    assert NATIVE not in subject.roles.gave
    assert subject.gained_for_little


def servant(*, keeps: int, known: bool = False) -> Tape:
    tape = Tape()
    with tape.call(ENTRY), tape.call(SERVANT):
        tape.read(SERVANT, 0, int.from_bytes(ENTRY, "big"))
        with tape.call(TOKEN):
            tape.transfer(TOKEN, VAULT, SERVANT, 9)
            tape.transfer(TOKEN, SERVANT, ENTRY, 9 - keeps)
        if known:
            with tape.call(VAULT):
                tape.read(VAULT, 0, int.from_bytes(SERVANT, "big"))
    return tape


def test_a_servant_that_keeps_nothing_belongs_to_its_master() -> None:
    assert SERVANT in servant(keeps=0).subject().roles.cluster


def test_who_keeps_what_strangers_pay_it_belongs_to_whom_it_obeys() -> None:
    roles = servant(keeps=1).subject().roles
    assert SERVANT in roles.cluster
    assert roles.gained == {Asset(TOKEN): 9}


def test_who_keeps_something_and_was_known_to_the_payer_stands_for_itself() -> None:
    assert SERVANT not in servant(keeps=1, known=True).subject().roles.cluster


def test_who_may_spend_for_others_stands_for_itself() -> None:
    tape = servant(keeps=1)
    with tape.call(ENTRY), tape.call(TOKEN):
        tape.read(TOKEN, tape.allowance(OWNER, SERVANT), 5)
    assert SERVANT not in tape.subject().roles.cluster


def test_code_hashes_are_no_part_of_a_role() -> None:
    tape = Tape()
    with tape.call(ENTRY, code=Hash32(b"\x99" * 32)), tape.call(TOKEN):
        tape.transfer(TOKEN, VAULT, ENTRY, 9)
    assert tape.subject().roles.cluster == {SENDER, ENTRY}


def registrar(*, known: bool) -> Tape:
    """The sender pays the called contract 5 coins, which stay there, and gets another's item by its hand."""
    tape = Tape()
    with tape.call(ENTRY, value=5 * 10**18), tape.call(TOKEN):
        if known:
            tape.read(TOKEN, tape.entry(ENTRY, 2), 1)
        tape.log(TOKEN, (*Tape.transfer_topics(OWNER, SENDER), word(7)), b"")
    return tape


def test_a_till_that_the_sellers_token_knows_is_paid() -> None:
    roles = registrar(known=True).subject().roles
    assert ENTRY not in roles.cluster
    assert roles.gave == {NATIVE: 5 * 10**18}


def test_a_contract_that_nobody_knows_keeps_the_senders_own_coin() -> None:
    roles = registrar(known=False).subject().roles
    assert ENTRY in roles.cluster
    assert not roles.gave


def test_tokens_that_it_made_itself_pay_nobody() -> None:
    tape = Tape()
    with tape.call(ENTRY):
        with tape.call(OWNER):
            tape.move(OWNER, ENTRY, VAULT, 5, had=5)
        with tape.call(VAULT), tape.call(TOKEN):
            tape.move(TOKEN, VAULT, ENTRY, 9, had=10)
    assert tape.subject().roles.gave == {Asset(OWNER): 5}
    assert tape.subject(Memory(created=(OWNER,))).roles.gave == {}
