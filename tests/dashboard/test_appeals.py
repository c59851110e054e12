from __future__ import annotations

from datetime import UTC, datetime, timedelta

import pytest
from coincurve import PrivateKey

from dashboard.appeals import AppealRefused, issued_at, message_for, plain, signer_of
from gateway.decoding.keccak import keccak256
from gateway.model.primitive import Address, Hash32
from tests.dashboard.signing import personal_sign

NOW = datetime(2026, 5, 1, 12, 0, tzinfo=UTC)


def test_a_signature_made_by_a_known_wallet_is_read() -> None:
    # the first key of every development chain
    key = "ac0974bec39a17e36ba4a6b4d238ff944bacb478cbed5efcae784d7bf4f2ff80"
    assert signer_of("hello", personal_sign(key, "hello")) == Address.from_hex(
        "0xf39Fd6e51aad88F6F4ce6aB8827279cffFb92266"
    )


def test_the_compact_form_and_both_spellings_of_v_are_read() -> None:
    key = "59c6995e998f97a5a0044966f0945389dc9e86dae88c7a8412f4603b6b78690d"
    for text in ("a", "b", "c", "d"):  # both parities
        long = personal_sign(key, text)
        who = signer_of(text, long)
        data = bytes.fromhex(long[2:])
        assert signer_of(text, (data[:64] + bytes([data[64] - 27])).hex()) == who
        compact = data[:32] + bytes([data[32] | (data[64] - 27) << 7]) + data[33:64]
        assert signer_of(text, compact.hex()) == who
        assert signer_of(text + " ", long) != who


@pytest.mark.parametrize("signature", ["", "0x", "0xzz", "0x" + "00" * 65, "0x" + "ff" * 65, "11" * 66, "00" * 64])
def test_what_is_no_signature_is_refused_by_name(signature: str) -> None:
    with pytest.raises(AppealRefused, match="signature"):
        signer_of("text", signature)


def test_the_text_names_chain_transaction_and_minute() -> None:
    text = message_for(8453, Hash32(b"\x11" * 32), NOW, "it is ours")
    assert text.splitlines() == [
        "Stopgate appeal",
        "Chain: 8453",
        "Transaction: 0x" + "11" * 32,
        "Issued: 2026-05-01T12:00:00Z",
        "",
        "it is ours",
    ]


@pytest.mark.parametrize("written", ["", "yesterday", "2026-05-01T10:59:59Z", "2026-05-01T12:03:00Z", "9" * 300])
def test_an_old_a_future_and_an_unreadable_time_are_refused(written: str) -> None:
    with pytest.raises(AppealRefused):
        issued_at(written, NOW)


def test_a_time_within_the_hour_is_taken() -> None:
    assert issued_at("2026-05-01T11:01:00Z", NOW) == NOW - timedelta(minutes=59)


def test_hidden_letters_and_line_ends_of_browsers_are_taken_out() -> None:
    assert plain("  one\r\ntwo\u202e\u200b\x00three  ") == "one\ntwothree"
    assert len(plain("x" * 5000)) == 1000


def test_the_digest_is_that_of_eip_191() -> None:
    key = PrivateKey(b"\x01" * 32)
    address = Address(keccak256(key.public_key.format(compressed=False)[1:])[12:])
    assert signer_of("\u00e4", personal_sign("01" * 32, "\u00e4")) == address
