from __future__ import annotations

from hashlib import new, sha256

import pytest

from gateway.decoding.keccak import keccak256
from gateway.inspection.consent.keys import known_by_key
from gateway.model.primitive import Address
from tests.makers import ENTRY, Tape, account

DROP = account(10)
SHA256, RIPEMD160 = (Address(number.to_bytes(20, "big")) for number in (2, 3))
POINT = keccak256(b"x") + keccak256(b"y")
SIGNER = Address(keccak256(POINT)[12:])
INNER = sha256(POINT).digest()
OUTER = new("ripemd160", INNER).digest()


def known(key: bytes, *, before: int = 7, chained: bool = True) -> bool:
    """Whether a contract that keeps something under `key` knows the signer, whose key was hashed here twice."""
    tape = Tape()
    with tape.call(ENTRY), tape.call(DROP):
        tape.hashed(POINT)
        with tape.call(SHA256, data=POINT if chained else bytes(64), output=INNER):
            pass
        with tape.call(RIPEMD160, data=INNER, output=OUTER.rjust(32, b"\0")):
            pass
        place = tape.hashed(key.ljust(32, b"\0") + bytes(32))
        tape.read(DROP, int.from_bytes(place, "big"), before)
    return SIGNER in known_by_key(tape.result(), {SIGNER}).get(DROP, ())


@pytest.mark.parametrize("key", [OUTER, INNER, keccak256(POINT), POINT[:32]], ids=["ripemd", "sha", "keccak", "half"])
def test_who_is_noted_by_his_key_is_known(key: bytes) -> None:
    assert known(key)


def test_another_key_an_empty_record_or_another_hash_says_nothing() -> None:
    assert not known(sha256(b"other").digest())
    assert not known(OUTER, before=0)
    assert not known(OUTER, chained=False)
