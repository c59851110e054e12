"""Checks a KZG opening (EIP-4844) with two pairings in Python.

The C library needs all 4,096 points of the ceremony for it, and seconds to read them; one of them is enough.
About half a second, so it stays within the wall clock of a run.
"""

from __future__ import annotations

from functools import cache
from pathlib import Path
from typing import Any, Final

from eth.precompiles.point_evaluation import TRUSTED_SETUP_PATH
from py_ecc.bls.g2_primitives import pubkey_to_G1, signature_to_G2, subgroup_check
from py_ecc.optimized_bls12_381 import FQ12, G1, G2, add, curve_order, final_exponentiate, multiply, neg, pairing

_FIRST_G2_LINE: Final = 2 + 4096
"""of the ceremony's file: two counts, then 4,096 points of G1, then those of G2"""


def opens_to(commitment: bytes, z: bytes, y: bytes, proof: bytes) -> bool:
    """True if the polynomial of `commitment` has the value `y` at `z`; False also for malformed points or numbers.

    The equation is e(C - [y]G1, G2) = e(proof, [s]G2 - [z]G2).
    """
    at, value = int.from_bytes(z, "big"), int.from_bytes(y, "big")
    if at >= curve_order or value >= curve_order:
        return False
    try:
        committed, opening = pubkey_to_G1(commitment), pubkey_to_G1(proof)
    except ValueError:
        return False
    if not (subgroup_check(committed) and subgroup_check(opening)):
        return False
    left = add(committed, neg(multiply(G1, value)))
    right = add(_secret(), neg(multiply(G2, at)))
    both = pairing(neg(G2), left, final_exponentiate=False) * pairing(right, opening, final_exponentiate=False)
    return bool(final_exponentiate(both) == FQ12.one())


@cache
def _secret() -> Any:
    """[s]G2 of the ceremony."""
    lines = Path(TRUSTED_SETUP_PATH).read_text(encoding="ascii").splitlines()
    return signature_to_G2(bytes.fromhex(lines[_FIRST_G2_LINE + 1]))
