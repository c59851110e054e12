"""The benign blocks read as they were packed."""

from __future__ import annotations

import pytest

from gateway.evaluate.benign import BENIGN, BenignSet, blob_base_fee
from gateway.model.block import Fork
from gateway.model.transaction import TransactionType


@pytest.fixture(scope="module")
def blocks() -> BenignSet:
    if not BENIGN.is_dir():
        pytest.skip(f"no benign blocks at {BENIGN}")
    return BenignSet()


def test_a_block_says_what_its_index_line_says(blocks: BenignSet) -> None:
    row = next(row for row in blocks.rows if row.fork is Fork.CANCUN)
    block = blocks.read(row)
    assert block.context.fork is Fork.CANCUN
    assert block.context.number == row.number
    assert len(block.transactions) == row.transactions
    assert block.gas_used == row.gas_used == sum(item.receipt.gas_used for item in block.transactions)
    assert block.context.block_hashes


def test_fields_follow_the_envelope_type(blocks: BenignSet) -> None:
    row = next(row for row in blocks.rows if row.fork is Fork.CANCUN)
    transactions = [item.transaction for item in blocks.read(row).transactions]
    for transaction in transactions:
        if transaction.type in (TransactionType.LEGACY, TransactionType.ACCESS_LIST):
            assert transaction.max_fee_per_gas == transaction.max_priority_fee_per_gas
        else:
            assert transaction.raw.data[0] == transaction.type
            assert transaction.chain_id == 1


def test_the_few_dishonest_transactions_are_marked(blocks: BenignSet) -> None:
    row = next(row for row in blocks.rows if row.number == 2462997)
    marked = [item.index for item in blocks.read(row).transactions if not item.honest]
    assert marked == [2, 3, 4, 5, 6, 7]


def test_blob_base_fee_starts_at_one_wei_and_grows() -> None:
    # Values of the EIP's own fake_exponential with Cancun's fraction.
    assert blob_base_fee(0) == 1
    assert blob_base_fee(10 * 131_072) == 1
    assert blob_base_fee(3_338_477 * 3) == 20
