from __future__ import annotations

from gateway.model.case import AssetChange, Conflict, asset_changes
from gateway.model.facts import TokenStandard, Transfer
from gateway.model.quarantine import CaseState
from tests.cases import POOL, ROUTER, SENDER, TOKEN


def move(from_, to, amount, token_id=None):
    return Transfer(0, 0, TokenStandard.ERC20, TOKEN, from_, to, amount, token_id)


def test_what_passes_through_nets_out() -> None:
    changes = asset_changes([move(POOL, ROUTER, 10), move(ROUTER, SENDER, 10), move(SENDER, POOL, 3)])
    assert changes == (
        AssetChange(POOL, TokenStandard.ERC20, TOKEN, None, -7),
        AssetChange(SENDER, TokenStandard.ERC20, TOKEN, None, 7),
    )


def test_tokens_of_one_contract_stay_apart() -> None:
    changes = asset_changes([move(POOL, SENDER, 1, token_id=1), move(SENDER, POOL, 1, token_id=2)])
    assert {(change.address, change.token_id, change.amount) for change in changes} == {
        (POOL, 1, -1),
        (SENDER, 1, 1),
        (SENDER, 2, -1),
        (POOL, 2, 1),
    }


def test_a_conflict_says_who_was_first() -> None:
    assert str(Conflict("c1", CaseState.RELEASED, "ann", CaseState.REJECTED)) == (
        "case c1 is already RELEASED by ann; it cannot become REJECTED"
    )
    assert str(Conflict("c1", None, None, CaseState.REJECTED)) == "there is no case c1"
