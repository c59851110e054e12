"""Who signed: secp256k1 recovery for transactions and EIP-7702 authorizations."""

from __future__ import annotations

from coincurve import PublicKey

from gateway.decoding import rlp
from gateway.decoding.keccak import keccak256
from gateway.errors import DecodingError
from gateway.model.primitive import Address, Hash32

CURVE_ORDER = 0xFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFEBAAEDCE6AF48A03BBFD25E8CD0364141
HALF_ORDER = CURVE_ORDER // 2
"""EIP-2: a signature with a larger s is refused, for its mirror image would be a second hash."""

_AUTHORIZATION_MAGIC = b"\x05"  # EIP-7702


def recover(digest: Hash32, y_parity: int, r: int, s: int) -> Address:
    """The address whose key signed `digest`; 61 us.

    Raises:
        DecodingError: a value out of range, a high s (EIP-2), or no such point on the curve.
    """
    if y_parity not in (0, 1):
        raise DecodingError(f"invalid signature: y parity is {y_parity}, it must be 0 or 1")
    if not 0 < r < CURVE_ORDER:
        raise DecodingError("invalid signature: r is zero or not below the curve order")
    if not 0 < s < CURVE_ORDER:
        raise DecodingError("invalid signature: s is zero or not below the curve order")
    if s > HALF_ORDER:
        raise DecodingError("invalid signature: s is in the upper half of the curve order (EIP-2)")
    packed = r.to_bytes(32, "big") + s.to_bytes(32, "big") + bytes([y_parity])
    try:
        key = PublicKey.from_signature_and_message(packed, digest, hasher=None)
    except Exception as error:
        # coincurve raises a bare Exception when libsecp256k1 finds no point with this r
        raise DecodingError("invalid signature: no public key fits it") from error
    return Address(keccak256(key.format(compressed=False)[1:])[12:])


def recover_authority(chain_id: int, delegate: Address, nonce: int, y_parity: int, r: int, s: int) -> Address | None:
    """The account that signed an EIP-7702 authorization; None if its signature is not valid.

    None is an answer, not a failure: the chain skips such a tuple and executes the transaction.
    """
    digest = keccak256(_AUTHORIZATION_MAGIC + rlp.encode([chain_id, delegate, nonce]))
    try:
        return recover(digest, y_parity, r, s)
    except DecodingError:
        return None
