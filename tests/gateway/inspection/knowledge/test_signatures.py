"""Copies match whatever is cheap to change; honest neighbours, too little material and withdrawn signatures do not."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime, timedelta

import pytest

from gateway.inspection.knowledge.signatures import (
    MINIMUM_CODE_BYTES,
    SignatureIndex,
    build,
    call_shape,
    masked_calldata,
    masked_code,
)
from gateway.model.primitive import Address, Hash32
from gateway.model.signature import SignatureKind, SignatureState
from gateway.model.trace import CallFrame, FrameKind, Trace
from gateway.model.transaction import RawTransaction, Transaction, TransactionType

NOW = datetime(2026, 1, 1, tzinfo=UTC)
SENDER, ATTACK, VICTIM = (Address(bytes([n]) * 20) for n in (1, 2, 3))
SELECTOR = bytes.fromhex("aabbccdd")


def word(value: int | bytes) -> bytes:
    return value.to_bytes(32, "big") if isinstance(value, int) else value.rjust(32, b"\0")


def calldata(recipient: Address, amount: int) -> bytes:
    return SELECTOR + b"".join(word(x) for x in (recipient, amount, 0xA0, 1, 3, VICTIM, amount * 7, 64))


def transaction(data: bytes) -> Transaction:
    raw = RawTransaction(data, Hash32())
    return Transaction(raw, TransactionType.DYNAMIC_FEE, 1, SENDER, 0, ATTACK, 0, data, 10**6, 10**9, 1)


def frame(index: int, parent: int, selector: int, kind: FrameKind = FrameKind.CALL) -> CallFrame:
    data = selector.to_bytes(4, "big") + bytes(32)
    return CallFrame(index, parent, 0, kind, ATTACK, VICTIM, VICTIM, None, 0, 0, 0, data, b"", None, None, 0, 0, False)


def attack_trace(rounds: int, *, last: int = 99) -> Trace:
    """A root, `rounds` of a three-call loop body with one call below each, and a tail."""
    frames = [frame(0, -1, 1)]
    for _ in range(rounds):
        for selector in (10, 11, 12):
            frames.append(frame(len(frames), 0, selector))
            frames.append(frame(len(frames), len(frames) - 1, selector + 100, FrameKind.STATICCALL))
    for selector in (20, 21, 22, 23, 24, last):
        frames.append(frame(len(frames), 0, selector))
    return Trace(frames)


def code(owner: Address, *, metadata: bytes = b"\x11" * 32, selector: bytes = SELECTOR) -> bytes:
    body = b"\x73" + owner + b"\x63" + selector + b"\x57" * MINIMUM_CODE_BYTES
    trailer = b"\xa1\x64solc" + metadata
    return body + trailer + len(trailer).to_bytes(2, "big")


def index(state: SignatureState = SignatureState.ENFORCED, rounds: int = 3) -> SignatureIndex:
    made = build(
        transaction(calldata(SENDER, 10**20)),
        attack_trace(rounds),
        {ATTACK: code(SENDER)},
        case_id="c-1",
        author="lead",
        now=NOW,
    )
    assert {signature.kind for signature in made} == set(SignatureKind)
    assert all(signature.state is SignatureState.SHADOW for signature in made)
    return SignatureIndex(replace(signature, state=state) for signature in made)


def kinds(matches: object) -> set[SignatureKind]:
    return {match.signature.kind for match in matches}  # type: ignore[attr-defined]


def test_a_copy_with_other_recipient_amounts_and_constants_matches_before_simulation() -> None:
    copy = transaction(calldata(Address(b"\x77" * 20), 5 * 10**19))
    found = index().before_simulation(copy, code(Address(b"\x66" * 20), metadata=b"\x22" * 32), NOW)
    assert kinds(found) == {SignatureKind.CALLDATA, SignatureKind.CODE}


def test_trailing_padding_does_not_hide_a_copy() -> None:
    copy = transaction(calldata(SENDER, 10**20) + b"\xff" * 31)
    assert kinds(index().before_simulation(copy, None, NOW)) == {SignatureKind.CALLDATA}


def test_a_copy_with_other_loop_count_matches_by_shape() -> None:
    assert kinds(index(rounds=3).after_simulation(attack_trace(40), {}, NOW)) == {SignatureKind.SHAPE}


def test_another_call_in_the_tree_is_another_shape() -> None:
    assert not kinds(index().after_simulation(attack_trace(3, last=98), {}, NOW))


def test_created_code_matches_after_simulation() -> None:
    found = index().after_simulation(attack_trace(1, last=1), {ATTACK: code(VICTIM)}, NOW)
    assert kinds(found) == {SignatureKind.CODE}


def test_code_with_other_selectors_is_other_code() -> None:
    assert not kinds(index().before_simulation(transaction(b""), code(SENDER, selector=b"abcd"), NOW))


@pytest.mark.parametrize("state", [SignatureState.WITHDRAWN])
def test_a_withdrawn_signature_is_silent(state: SignatureState) -> None:
    assert not kinds(index(state).before_simulation(transaction(calldata(SENDER, 10**20)), None, NOW))


def test_an_expired_signature_is_silent() -> None:
    later = NOW + timedelta(days=365)
    assert not kinds(index().before_simulation(transaction(calldata(SENDER, 10**20)), None, later))


def test_too_little_material_makes_no_signature() -> None:
    plain = bytes.fromhex("a9059cbb") + word(VICTIM) + word(10**18)
    assert masked_calldata(plain) is None
    assert (
        masked_code(bytes.fromhex("363d3d373d3d3d363d73") + VICTIM + bytes.fromhex("5af43d82803e903d91602b57fd5bf3"))
        is None
    )
    assert call_shape(Trace([frame(0, -1, 1), frame(1, 0, 2)])) is None
    assert build(transaction(plain), Trace([]), {}, case_id="c", author="lead", now=NOW) == ()


def test_a_hundred_thousand_frames_take_one_pass() -> None:
    # a chain of the deepest possible calls over and over: quadratic work would take minutes
    frames = [frame(0, -1, 1)]
    for number in range(100_000):
        frames.append(frame(len(frames), 0 if number % 1000 == 0 else len(frames) - 1, number % 7))
    assert call_shape(Trace(frames)) is not None
