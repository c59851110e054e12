from __future__ import annotations

import pytest
from eth_account import Account
from hypothesis import given, settings
from hypothesis import strategies as st

from gateway.decoding.keccak import keccak256
from gateway.decoding.signature import CURVE_ORDER, HALF_ORDER, recover, recover_authority
from gateway.errors import DecodingError
from gateway.model.primitive import Address, Hash32

KEYS = st.integers(min_value=1, max_value=CURVE_ORDER - 1)


@settings(max_examples=30, deadline=None)
@given(key=KEYS, digest=st.binary(min_size=32, max_size=32))
def test_the_signer_is_recovered(key: int, digest: bytes) -> None:
    signer = Account.from_key(key.to_bytes(32, "big"))
    signature = signer.unsafe_sign_hash(digest)
    assert recover(Hash32(digest), signature.v - 27, signature.r, signature.s) == Address.from_hex(signer.address)


def test_a_point_that_is_not_on_the_curve_is_named() -> None:
    # x = 5 gives no point on secp256k1: 5^3 + 7 = 132 is not a square
    with pytest.raises(DecodingError, match="no public key"):
        recover(Hash32(b"\x01" * 32), 0, 5, 1)


def test_the_largest_low_s_is_taken_and_the_next_refused() -> None:
    digest = Hash32(b"\x01" * 32)
    assert recover(digest, 0, 1, HALF_ORDER)
    with pytest.raises(DecodingError, match="upper half"):
        recover(digest, 0, 1, HALF_ORDER + 1)


def test_an_authority_is_bound_to_chain_delegate_and_nonce() -> None:
    key = "0x" + "5a" * 32
    signed = Account.sign_authorization({"chainId": 10, "address": b"\x77" * 20, "nonce": 4}, key)
    delegate = Address(b"\x77" * 20)
    authority = recover_authority(10, delegate, 4, signed.y_parity, signed.r, signed.s)
    assert authority == Address.from_hex(Account.from_key(key).address)
    assert recover_authority(10, delegate, 5, signed.y_parity, signed.r, signed.s) != authority
    assert recover_authority(10, delegate, 4, 2, signed.r, signed.s) is None


def test_keccak_is_ethereums() -> None:
    assert keccak256(b"").hex() == "c5d2460186f7233c927e7db2dcc703c0e500b653ca82273b7bfad8045d85a470"
