"""Every recorded act: exploits are held, honest acts pass. Known errors are listed and must still be there."""

from __future__ import annotations

import pytest

from gateway.inspection.registry import load
from tests.detectors.acts import FOLDER, act

NAMES = sorted(path.name.removesuffix(".json.zst") for path in FOLDER.glob("*.json.zst"))

OPEN = {
    "everyday-promises.split-paid-out": "the payees are known to the wallet only by a hash of their list",
    "everyday-promises.pledge-seized": "the lender is known to the desk only by a hash of the terms",
    "everyday-promises.exit-finalised": "the payee is known to the portal only by a hash of the withdrawal",
    "everyday-promises.exit-finalised-by-relayer": "the same",
    "everyday-promises.own-message-delivered": "the payee is known to the endpoint only by a hash of the message",
    "everyday-promises.shielded-withdrawal": "the only authority is a pairing check",
    "everyday-layouts.slot-first-allowance": "allowances of tokens that hash the slot in front of the key are not read",
    "everyday-layouts.slot-first-gathered": "the same",
    "everyday-layouts.paid-by-role": "records keyed by a tightly packed account are not read",
    "everyday-layouts.paid-himself": "the same",
    "everyday-layouts.listed-in-code": "a list kept as the code of another contract is not read",
    "everyday-estates.throne": "a game that notes its last mover twice looks like two offices",
    "everyday-lending.liquidated-by-bot": "claims, debts and cash of one lender lie in contracts of their own",
    "everyday-councils.grant-executed-by-receiver": "the payee is known to the governor only by a hash of the proposal",
    "everyday-councils.bounty-executed": "the same",
    "everyday-councils.part-released-by-another": "the record is the receiver's, not the caller's",
    "everyday-councils.reward-minted": "a minter that is known to a token by a mapping counts as a stranger",
    "everyday-councils.minted-by-role": "the same",
    "everyday-ledgers.liquidated-by-bot": "shares are seized by a sister of the market that was paid",
    "everyday-ledgers.money-drawn": "a minter that is known to a token by a mapping counts as a stranger",
    "everyday-ledgers.sale-taken-by-bot": "what was paid is burnt, and was earned by selling what was bought",
    "everyday-proofs.foreign-root-claim": "proofs hashed by SHA-256 are not read",
    "everyday-proofs.foreign-key-payment": "signatures of other schemes than the chain's own are not seen",
    "everyday-proofs.foreign-key-refund": "the same",
    "everyday-traders.flash-mint-arbitrage": "the borrower's own balance is changed inside and after the callback",
    "everyday-traders.manager-swap": "a counter of unsettled debts goes up and down within the callback",
    "everyday-traders.manager-arbitrage": "the same",
    "everyday-bazaar.item-arbitrage": "items have no price, not even what was paid for them a moment before",
    "everyday-payrolls.faucet": "a gift to anybody is a payment to a stranger",
    "endings.renewed-by-keeper": "a register that is asked later in the same call is not heard",
    "endings.renewed-by-next-keeper": "the same",
    "acquaintance.promised-himself": "missed: who calls a till himself, without a contract, is not remembered as new",
}
"""acts that are judged wrongly, and why; whoever mends one takes it off the list"""


@pytest.mark.parametrize("name", NAMES)
def test_the_act_is_judged_right(name: str) -> None:
    result = act(name)
    assert result.held is (result.case.honest is (name in OPEN))


def test_the_open_ones_exist() -> None:
    assert set(OPEN) <= set(NAMES)


def test_every_detector_speaks_of_an_exploit_here() -> None:
    """That each has honest look-alikes is what the scenes' own test says: two in the scene of every exploit."""
    spoke = {
        finding.detector_id
        for name in NAMES
        if not act(name).case.honest
        for judged in act(name).judged
        for finding in judged.verdict.report.findings
    }
    assert spoke == {detector.id for detector in load().detectors}
