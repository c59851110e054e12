"""P256VERIFY: ECDSA on secp256r1 as a precompile (RIP-7212, EIP-7951), which py-evm lacks.

Verification reads only public values, so plain integers are enough; about 3 ms.
"""

from __future__ import annotations

from typing import Final

_P: Final = 0xFFFFFFFF00000001000000000000000000000000FFFFFFFFFFFFFFFFFFFFFFFF
_N: Final = 0xFFFFFFFF00000000FFFFFFFFFFFFFFFFBCE6FAADA7179E84F3B9CAC2FC632551
_B: Final = 0x5AC635D8AA3A93E7B3EBBD55769886BC651D06B0CC53B0F63BCE3C3E27D2604B
_GENERATOR: Final = (
    0x6B17D1F2E12C4247F8BCE6E563A440F277037D812DEB33A0F4A13945D898C296,
    0x4FE342E2FE1A7F9B8EE7EB4A7C0F9E162BCE33576B315ECECBB6406837BF51F5,
)

_Point = tuple[int, int, int]  # Jacobian; z = 0 is infinity


def verify(data: bytes) -> bool:
    """True if the 160 bytes (digest, r, s, x, y) hold a valid signature."""
    if len(data) != 160:
        return False
    digest, r, s, x, y = (int.from_bytes(data[at : at + 32], "big") for at in range(0, 160, 32))
    if not (0 < r < _N and 0 < s < _N and x < _P and y < _P):
        return False
    if (y * y - x * x * x + 3 * x - _B) % _P:
        return False
    inverse = pow(s, -1, _N)
    point = _sum_of_products(digest * inverse % _N, r * inverse % _N, (x, y, 1))
    if point[2] == 0:
        return False
    affine = point[0] * pow(point[2], -2, _P) % _P
    return affine % _N == r


def _sum_of_products(first: int, second: int, key: _Point) -> _Point:
    """First * G + second * key, doubling once for both (Shamir's trick)."""
    generator: _Point = (*_GENERATOR, 1)
    both = _add(generator, key)
    total: _Point = (1, 1, 0)
    for bit in range(max(first.bit_length(), second.bit_length()) - 1, -1, -1):
        total = _double(total)
        choice = (first >> bit & 1, second >> bit & 1)
        if choice == (1, 1):
            total = _add(total, both)
        elif choice[0]:
            total = _add(total, generator)
        elif choice[1]:
            total = _add(total, key)
    return total


def _double(point: _Point) -> _Point:
    x, y, z = point
    if not y or not z:
        return (1, 1, 0)
    square = y * y % _P
    s = 4 * x * square % _P
    m = 3 * (x - z * z) * (x + z * z) % _P  # a = -3
    x3 = (m * m - 2 * s) % _P
    return (x3, (m * (s - x3) - 8 * square * square) % _P, 2 * y * z % _P)


def _add(left: _Point, right: _Point) -> _Point:
    if not left[2]:
        return right
    if not right[2]:
        return left
    x1, y1, z1 = left
    x2, y2, z2 = right
    z1z1, z2z2 = z1 * z1 % _P, z2 * z2 % _P
    u1, u2 = x1 * z2z2 % _P, x2 * z1z1 % _P
    s1, s2 = y1 * z2 * z2z2 % _P, y2 * z1 * z1z1 % _P
    if u1 == u2:
        return _double(left) if s1 == s2 else (1, 1, 0)
    h, r = u2 - u1, s2 - s1
    h2 = h * h % _P
    h3, u1h2 = h * h2 % _P, u1 * h2 % _P
    x3 = (r * r - h3 - 2 * u1h2) % _P
    return (x3, (r * (u1h2 - x3) - s1 * h3) % _P, h * z1 * z2 % _P)
