"""The OP-Stack's extra fees, by the specification's own numbers."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gateway.evm.data_fee import BASE_FEE, BLOB_BASE_FEE, OPERATOR, SCALARS, compressed_size, data_fee, operator_fee


def slots(*, base_scalar: int = 2, blob_scalar: int = 3, operator: int = 0) -> dict[int, int]:
    return {
        BASE_FEE: 1_000 * 10**6,
        BLOB_BASE_FEE: 10 * 10**6,
        SCALARS: 7 << 224 | base_scalar << 96 | blob_scalar << 64 | 99,
        OPERATOR: operator,
    }


@pytest.mark.parametrize(
    ("data", "size"),
    [(b"", 0), (b"\x01" * 1000, 21), (b"\x00" * 1000, 21), (bytes(range(32)), 33), (bytes(range(33)), 35)],
)
def test_the_compressed_size_is_fastlzs(data: bytes, size: int) -> None:
    assert compressed_size(data) == size


@given(st.binary(max_size=600))
def test_no_data_grows_by_more_than_one_byte_in_32(data: bytes) -> None:
    assert compressed_size(data) <= len(data) + (len(data) + 31) // 32 + 1


def test_a_small_transaction_pays_for_a_hundred_bytes() -> None:
    """op-geth's Fjord test: scalars 2 and 3, base fees 1,000 and 10 million wei, the least size."""
    assert data_fee(b"\x01" * 40, slots()) == 3_203_000


def test_a_large_one_pays_for_its_estimated_size() -> None:
    raw = bytes((index * index * 31 + index // 7) % 256 for index in range(1_000))
    size = compressed_size(raw)
    assert size > 200
    assert data_fee(raw, slots()) == (836_500 * size - 42_585_600) * (16 * 2 * 10**9 + 3 * 10**7) // 10**12


def test_the_operator_fee_is_a_share_of_the_gas_limit_and_a_constant() -> None:
    assert operator_fee(21_000, slots()) == 0
    assert operator_fee(21_000, slots(operator=500_000 << 64 | 1_000)) == 10_500 + 1_000
