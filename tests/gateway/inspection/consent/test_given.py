from __future__ import annotations

import pytest

from gateway.decoding.keccak import keccak256
from gateway.inspection.consent.given import ECRECOVER, HALF_ORDER, Bond
from gateway.model.facts import TokenStandard, Transfer
from gateway.model.primitive import Address
from gateway.model.trace import FrameKind
from tests.makers import ENTRY, SENDER, Tape, account, word

DROP, TOKEN = account(10), account(11)
LEAF, SIBLING = (keccak256(bytes([number])) for number in range(2))
ROOT = keccak256(LEAF + SIBLING)


def processed(before: int, after: int) -> bool:
    """Whether a bridge that finds `before` under a message's hash and leaves `after` there agreed to its payout."""
    tape = Tape()
    with tape.call(ENTRY), tape.call(DROP):
        preimage = LEAF + bytes(32)
        tape.hashed(preimage)
        tape.write(DROP, int.from_bytes(keccak256(preimage), "big"), before, after)
        with tape.call(TOKEN):
            tape.move(TOKEN, DROP, ENTRY, 9, had=10)
    (loss,) = tape.subject().losses
    return loss.agreed


def test_a_message_proved_earlier_and_struck_off_is_consent() -> None:
    assert processed(before=int.from_bytes(ROOT, "big"), after=2)
    assert processed(before=1, after=0)


def test_a_message_that_nobody_had_noted_is_none() -> None:
    assert not processed(before=0, after=2)
    assert not processed(before=10**20, after=10**19)


def test_what_was_created_here_obeys_its_maker() -> None:
    child = account(12)
    tape = Tape()
    with tape.call(ENTRY), tape.call(DROP):
        tape.read(DROP, 0, int.from_bytes(SENDER, "big"))
        with tape.call(child, kind=FrameKind.CREATE):
            pass
        with tape.call(child), tape.call(TOKEN):
            tape.move(TOKEN, child, ENTRY, 9, had=10)
    subject = tape.subject()
    assert Bond.MAKER in subject.consent.bonds(child, {DROP}, before=0)
    assert Bond.MAKER not in subject.consent.bonds(child, {ENTRY}, before=0)


PAIRING = Address(b"\0" * 19 + b"\x08")
LENDER, STRANGER, SIGNER, REGISTER, BOOK = (account(number) for number in range(30, 35))


def bonds_of(tape: Tape, contract: Address) -> tuple[Bond, ...]:
    """Why `contract` may have let a stranger take what itself holds."""
    return tape.subject().consent.bonds(contract, {account(99)}, before=10**6)


def test_a_proof_argues_for_those_who_knew_whom_they_asked() -> None:
    """A wallet asks a verifier that it stores; a lender that calls a stranger back has been told nothing."""
    wallet, verifier = account(40), account(41)
    tape = Tape()
    with tape.call(ENTRY):
        with tape.call(wallet):
            tape.read(wallet, 0, int.from_bytes(verifier, "big"))
            with tape.call(verifier), tape.call(PAIRING, output=word(1)):
                pass
        with tape.call(LENDER), tape.call(STRANGER), tape.call(PAIRING, output=word(1)):
            pass
    for contract in (wallet, verifier, STRANGER):
        assert Bond.ARGUMENT in bonds_of(tape, contract)
    assert Bond.ARGUMENT not in bonds_of(tape, LENDER)


def recovered(*asking: Address) -> Tape:
    """The accounts `asking`, each called by the one before, have a signature checked; the lender knows its signer."""
    tape = Tape()
    with tape.call(ENTRY), tape.call(LENDER):
        tape.read(LENDER, tape.entry(SIGNER, 2), 1)
        _recover(tape, asking)
    return tape


def _recover(tape: Tape, asking: tuple[Address, ...]) -> None:
    if not asking:
        with tape.call(ECRECOVER, output=word(SIGNER)):
            return
    with tape.call(asking[0]):
        _recover(tape, asking[1:])


def test_a_signature_that_a_stranger_had_checked_is_his_own_word() -> None:
    assert Bond.SIGNATURE in bonds_of(recovered(), LENDER)
    assert Bond.SIGNATURE not in bonds_of(recovered(STRANGER), LENDER)


def test_an_unknown_wallet_that_is_asked_speaks_for_what_it_pays() -> None:
    """ERC-1271: the settlement had never heard of the wallet whose tokens it moves."""
    consent = recovered(STRANGER).subject().consent
    own, other = (
        Transfer(10**6, 0, TokenStandard.ERC20, TOKEN, holder, ENTRY, 5) for holder in (STRANGER, account(41))
    )
    assert Bond.SIGNATURE in consent.bonds(LENDER, {account(99)}, before=10**6, move=own)
    assert Bond.SIGNATURE not in consent.bonds(LENDER, {account(99)}, before=10**6, move=other)


def test_a_signer_whom_nobody_had_noted_signs_nothing() -> None:
    tape = Tape()
    with tape.call(ENTRY), tape.call(LENDER):
        _recover(tape, ())
    assert Bond.SIGNATURE not in bonds_of(tape, LENDER)


def test_a_signer_may_be_noted_in_a_register_that_a_book_of_addresses_names() -> None:
    tape = Tape()
    with tape.call(ENTRY), tape.call(LENDER):
        _recover(tape, ())
        tape.read(LENDER, 0, int.from_bytes(BOOK, "big"))
        with tape.call(BOOK):
            tape.read(BOOK, 1, int.from_bytes(REGISTER, "big"))
        with tape.call(REGISTER):
            tape.read(REGISTER, tape.entry(SIGNER, 1), 1)
    assert Bond.SIGNATURE in bonds_of(tape, LENDER)


def test_a_wallet_made_here_may_name_its_owner_only_now() -> None:
    child = account(42)
    tape = Tape()
    with tape.call(ENTRY):
        with tape.call(child, kind=FrameKind.CREATE):
            pass
        with tape.call(child):
            _recover(tape, ())
    assert Bond.SIGNATURE in bonds_of(tape, child)


def nested(inner: bytes, *, told: bool) -> bool:
    """Whether a book that keeps a number under the caller, and below it under `inner`, knows the caller."""
    tape = Tape()
    key = inner if len(inner) == 32 else word(Address(inner))
    with tape.call(ENTRY), tape.call(LENDER):
        tape.read(LENDER, int.from_bytes(tape.hashed(key + word(tape.entry(ENTRY, 3))), "big"), 7)
        if told:
            with tape.call(TOKEN):
                tape.move(TOKEN, LENDER, ENTRY, 9, had=10)
        with tape.call(STRANGER):
            pass
    return ENTRY in tape.subject().consent.entries.get(LENDER, ())


def test_what_he_has_of_a_token_or_of_a_number_is_his_record() -> None:
    assert nested(TOKEN, told=True)
    assert nested(word(100), told=False)


def test_whom_he_lets_spend_is_no_record_of_his() -> None:
    assert not nested(STRANGER, told=False)


def listed(*, said: dict[Address, int], written: bool = False) -> bool:
    """Whether the token's list of agents, of which `said` was read, makes the caller one."""
    tape = Tape()
    with tape.call(TOKEN):
        for party, value in said.items():
            slot = tape.entry(party, 4)
            tape.write(TOKEN, slot, value, 1) if written else tape.read(TOKEN, slot, value)
        tape.move(TOKEN, LENDER, STRANGER, 9, had=10)
    (loss,) = tape.subject().losses
    return loss.agreed


def test_an_agent_on_the_tokens_list_may_move_what_others_hold() -> None:
    assert listed(said={SENDER: 1})
    assert listed(said={SENDER: 1, LENDER: 0})


def test_a_list_of_everybody_or_a_number_is_no_office() -> None:
    assert not listed(said={SENDER: 0})
    assert not listed(said={SENDER: 1, LENDER: 1})
    assert not listed(said={SENDER: 1_700_000_000})
    assert not listed(said={SENDER: 0}, written=True)


@pytest.mark.parametrize(("digests", "signed"), [((1, 2), True), ((1, 1), False)], ids=["two orders", "one twice"])
def test_a_signature_that_is_shown_twice_is_none(digests: tuple[int, ...], signed: bool) -> None:
    tape = Tape()
    with tape.call(ENTRY), tape.call(LENDER):
        tape.read(LENDER, tape.entry(SIGNER, 2), 1)
        for digest in digests:
            with tape.call(ECRECOVER, data=word(digest) + bytes(96), output=word(SIGNER)):
                pass
    assert (Bond.SIGNATURE in bonds_of(tape, LENDER)) is signed


@pytest.mark.parametrize(("second", "signed"), [(HALF_ORDER, True), (HALF_ORDER + 1, False)], ids=["lower", "upper"])
def test_the_twin_of_a_signature_is_none(second: int, signed: bool) -> None:
    tape = Tape()
    with tape.call(ENTRY), tape.call(LENDER):
        tape.read(LENDER, tape.entry(SIGNER, 2), 1)
        with tape.call(ECRECOVER, data=word(7) + word(27) + word(5) + word(second), output=word(SIGNER)):
            pass
    assert (Bond.SIGNATURE in bonds_of(tape, LENDER)) is signed


@pytest.mark.parametrize(("whose", "agreed"), [(ENTRY, True), (LENDER, False)], ids=["own", "another's"])
def test_an_account_may_be_kept_under_the_hash_of_its_owner_and_a_number(whose: Address, agreed: bool) -> None:
    tape = Tape()
    with tape.call(ENTRY), tape.call(DROP):
        key = tape.hashed(bytes(whose) + word(0))
        place = tape.hashed(key + word(5))
        tape.write(DROP, int.from_bytes(tape.hashed(word(1) + place), "big"), 9, 0)
        with tape.call(TOKEN):
            tape.move(TOKEN, DROP, ENTRY, 9, had=10)
    assert tape.subject().losses[0].agreed is agreed


@pytest.mark.parametrize(("listed_before", "appointed"), [(False, True), (True, False)], ids=["added", "kept"])
def test_who_came_into_a_list_that_is_kept_as_a_hash_was_appointed_here(listed_before: bool, appointed: bool) -> None:
    tape = Tape()
    with tape.call(ENTRY), tape.call(BOOK):
        old = tape.hashed(word(account(90)) + word(SIGNER if listed_before else account(91)))
        new = tape.hashed(word(SIGNER) + word(account(90)))
        tape.write(BOOK, 1, int.from_bytes(old, "big"), int.from_bytes(new, "big"))
        with tape.call(ECRECOVER, output=word(SIGNER)):
            pass
    assert (SIGNER in tape.subject().consent.appointed) is appointed
