"""The attack corpus reads as it was packed."""

from __future__ import annotations

import pytest

from gateway.evaluate.corpus import CORPUS, CaseRow, corpus_rows, read_case
from gateway.model.block import Fork
from gateway.model.transaction import TransactionType

pytestmark = pytest.mark.corpus


@pytest.fixture(scope="module")
def rows() -> dict[str, CaseRow]:
    if not CORPUS.is_dir():
        pytest.skip(f"no attack corpus at {CORPUS}")
    return {row.id: row for row in corpus_rows()}


def test_a_signed_case_carries_the_fields_of_its_raw_transaction(rows: dict[str, CaseRow]) -> None:
    case = read_case(rows["2018-04-BEC_exp"].path)
    (step,) = case.steps
    assert step.signed
    assert step.transaction.type is TransactionType.DYNAMIC_FEE
    assert step.transaction.chain_id == case.chain_id == 1
    assert step.transaction.max_fee_per_gas >= step.block.base_fee
    assert step.block.fork is Fork.CANCUN
    assert step.transaction.to in case.attackers
    assert case.prestate.accounts[step.transaction.to].code


def test_later_steps_may_have_their_own_block_and_patched_slots(rows: dict[str, CaseRow]) -> None:
    patched = read_case(rows["2023-02-LaunchZone_exp"].path)
    assert any(step.patch.slots for step in patched.steps)
    moved = read_case(rows["2021-05-PancakeBunny_exp"].path)
    assert len({step.block.number for step in moved.steps}) > 1


def test_every_block_admits_its_transaction(rows: dict[str, CaseRow]) -> None:
    some = [row for row in rows.values() if row.verified][:40]
    steps = [step for row in some for step in read_case(row.path).steps]
    assert all(step.transaction.gas_limit <= step.block.gas_limit for step in steps)
    hashes = [step.transaction.hash for step in steps]
    assert len(set(hashes)) == len(hashes)


def test_a_trace_only_case_has_no_steps(rows: dict[str, CaseRow]) -> None:
    row = next(row for row in rows.values() if not row.executable)
    case = read_case(row.path)
    assert case.steps == ()
    assert case.traces
