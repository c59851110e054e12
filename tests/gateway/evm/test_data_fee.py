"""The OP-Stack's extra fees, by the specification's own numbers."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gateway.evm.data_fee import (
    BASE_FEE,
    BLOB_BASE_FEE,
    OPERATOR,
    OVERHEAD,
    SCALAR,
    SCALARS,
    compressed_size,
    data_fee,
    data_gas,
    operator_fee,
)
from gateway.model.chain import OpUpgrade
from gateway.model.profiles import BASE, OP_MAINNET

# Transactions of OP Mainnet and their fees by its explorer, as op-revm 20.0.0 has them in the tests of src/l1block.rs
ECOTONE_TRANSACTION = bytes.fromhex(
    "02f8b30a832253fc8402d11f39842c8a46398301388094dc6ff44d5d932cbd77b52e5612ba0529dc6226f180b844a9059cbb0000000000"
    "00000000000000d43e02db81f4d46cdf8521f623d21ea0ec7562a50000000000000000000000000000000000000000000000008ac72304"
    "89e80000c001a02947e24750723b48f886931562c55d9e07f856d8e06468e719755e18bbc3a570a0784da9ce59fd7754ea5be6e17a86b3"
    "48e441348cd48ace59d174772465eadbd1"
)
"""0xa75ef696bf67439b4d5b61da85de9f3ceaa2e145abe982212101b244b63749c2, in block 118024092"""
FJORD_TRANSACTION = bytes.fromhex(
    "02f904940a8303fba78401d6d2798401db2b6d830493e0943e6f4f7866654c18f536170780344aa8772950b680b904246a761202000000"
    "000000000000000000087000a300de7200382b55d40045000000e5d60e0000000000000000000000000000000000000000000000000000"
    "00000000000000000000000000000000000000000000000000000000000000000000000001400000000000000000000000000000000000"
    "00000000000000000000000000000100000000000000000000000000000000000000000000000000000000000000000000000000000000"
    "00000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000"
    "00000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000"
    "0000000000000000000000000000000000000000000000000000000000000000000000000000000003a000000000000000000000000000"
    "0000000000000000000000000000000000022482ad56cb0000000000000000000000000000000000000000000000000000000000000020"
    "00000000000000000000000000000000000000000000000000000000000000020000000000000000000000000000000000000000000000"
    "0000000000000000400000000000000000000000000000000000000000000000000000000000000120000000000000000000000000dc6f"
    "f44d5d932cbd77b52e5612ba0529dc6226f100000000000000000000000000000000000000000000000000000000000000000000000000"
    "00000000000000000000000000000000000000000000000000006000000000000000000000000000000000000000000000000000000000"
    "00000044095ea7b300000000000000000000000021c4928109acb0659a88ae5329b5374a3024694c000000000000000000000000000000"
    "0000000000000000049b9ca9a6943400000000000000000000000000000000000000000000000000000000000000000000000000000000"
    "000021c4928109acb0659a88ae5329b5374a3024694c000000000000000000000000000000000000000000000000000000000000000000"
    "00000000000000000000000000000000000000000000000000000000000060000000000000000000000000000000000000000000000000"
    "0000000000000024b6b55f250000000000000000000000000000000000000000000000049b9ca9a6943400000000000000000000000000"
    "00000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000"
    "000000000000000000000000000000000000000000415ec214a3950bea839a7e6fbb0ba1540ac2076acd50820e2d5ef83d0902cdffb24a"
    "47aff7de5190290769c4f0a9c6fabf63012986a0d590b1b571547a8c7050ea1b0000000000000000000000000000000000000000000000"
    "0000000000000000c080a06db770e6e25a617fe9652f0958bd9bd6e49281a53036906386ed39ec48eadf63a07f47cf51a4a40b4494cf26"
    "efc686709a9b03939e20ee27e59682f5faa536667e"
)
"""0x1059e8004daff32caa1f1b1ef97fe3a07a8cf40508f5b835b66d9420d87c4a4a, in block 124665056"""
MADE_TRANSACTION = bytes.fromhex(
    "02f901550a758302df1483be21b88304743f94f80e51afb613d764fa61751affd3313c190a86bb870151bd62fd12adb8e41ef24f3f0000"
    "00000000000000000000000000000000000000000000000000000000006e000000000000000000000000af88d065e77c8cc2239327c5ed"
    "b3a432268e5831000000000000000000000000000000000000000000000000000000000003c1e500000000000000000000000000000000"
    "0000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000a000000000000000"
    "000000000000000000000000000000000000000000000000148c89ed219d02f1a5be012c689b4f5b731827bebe00000000000000000000"
    "0000c001a033fd89cb37c31b2cba46b6466e040c61fc9b2a3675a7f5f493ebd5ad77c497f8a07cdf65680e238392693019b4092f610222"
    "e71b7cec06449cb922b93b6a12744e"
)


def slots(*, base_scalar: int = 2, blob_scalar: int = 3, operator: int = 0) -> dict[int, int]:
    return {
        BASE_FEE: 1_000 * 10**6,
        BLOB_BASE_FEE: 10 * 10**6,
        SCALARS: 7 << 224 | base_scalar << 96 | blob_scalar << 64 | 99,
        OPERATOR: operator,
        OVERHEAD: 0,
        SCALAR: 0,
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
    assert operator_fee(21_000, slots(operator=500_000 << 64 | 1_000), OpUpgrade.ISTHMUS) == 10_500 + 1_000


def test_the_operator_fee_by_upgrade() -> None:
    """op-revm's test_operator_fee_charge_formulas: scalar 1,000, constant 10, 1,000 gas."""
    held = slots(operator=1_000 << 64 | 10)
    assert operator_fee(1_000, held, OpUpgrade.FJORD) == 0
    assert operator_fee(1_000, held, OpUpgrade.ISTHMUS) == 11
    assert operator_fee(1_000, held, OpUpgrade.JOVIAN) == 100_000_010


def predeploy(base_fee: int, base_scalar: int, blob_base_fee: int, blob_scalar: int) -> dict[int, int]:
    held = slots(base_scalar=base_scalar, blob_scalar=blob_scalar)
    return {**held, BASE_FEE: base_fee, BLOB_BASE_FEE: blob_base_fee, OVERHEAD: 1_000, SCALAR: 1_000}


def test_a_transaction_of_ecotone_paid_what_the_chain_took() -> None:
    held = predeploy(47_036_678_951, 1_368, 57_422_457_042, 810_949)
    assert data_gas(ECOTONE_TRANSACTION) == 2_456
    assert data_fee(ECOTONE_TRANSACTION, held, OpUpgrade.ECOTONE) == 7_306_020_222_001


def test_a_transaction_of_fjord_paid_what_the_chain_took() -> None:
    held = predeploy(1_055_991_687, 5_227, 1, 1_014_213)
    assert data_fee(FJORD_TRANSACTION, held, OpUpgrade.FJORD) == 0x5BF1AB43D
    assert data_fee(FJORD_TRANSACTION, held, OpUpgrade.JOVIAN) == 0x5BF1AB43D


def test_the_formulas_on_round_numbers() -> None:
    """op-revm's tests: base fees and scalars of 1,000; without scalars Bedrock's formula with an overhead of 1,000."""
    held = predeploy(1_000, 1_000, 1_000, 1_000)
    few = bytes.fromhex("facade")
    assert data_fee(few, held, OpUpgrade.ECOTONE) == 51
    assert data_fee(few, held, OpUpgrade.REGOLITH) == 1_048
    assert data_fee(few, predeploy(1_000, 0, 1_000, 0), OpUpgrade.ECOTONE) == 1_048
    assert data_fee(few, held, OpUpgrade.FJORD) == 1_700
    assert compressed_size(MADE_TRANSACTION) == 202
    assert data_fee(MADE_TRANSACTION, held, OpUpgrade.FJORD) == 2_148


def test_the_built_in_chains_change_formulas_at_their_times() -> None:
    for profile in (OP_MAINNET, BASE):
        assert profile.op_upgrade_at(1_710_374_400) is OpUpgrade.REGOLITH
        assert profile.op_upgrade_at(1_720_627_200) is OpUpgrade.ECOTONE
        assert profile.op_upgrade_at(1_746_806_400) is OpUpgrade.FJORD
        assert profile.op_upgrade_at(1_764_691_200) is OpUpgrade.ISTHMUS
        assert profile.op_upgrade_at(1_764_691_201) is OpUpgrade.JOVIAN
