"""What contracts had written down about addresses before the transaction: owners, entries, allowances and terms."""

from __future__ import annotations

from collections.abc import Set

from gateway.model.fold import STRUCT_SPAN, named
from gateway.model.primitive import Address
from gateway.model.trace import Trace


def keeps_account(
    trace: Trace, token: Address, known: Set[Address], balances: Set[bytes], but: Set[tuple[Address, int]]
) -> bool:
    """True if `token` had an entry for one of `known` that is neither its balance nor an allowance.

    `balances`: where the token's mapping of balances lies, as the second half of the preimage; `but`: (contract, slot)
    of what does not count. A token that keeps
    stakes or rewards of its holders beside their balances knows them as a farm does.
    """
    preimages = trace.preimages or {}
    for use in trace.slots or ():
        if use.address != token or not use.before or (token, use.slot) in but:
            continue
        for offset in range(STRUCT_SPAN):
            preimage = preimages.get(use.slot - offset)
            if preimage is None:
                continue
            if len(preimage) == 64 and not any(preimage[:12]) and preimage[12:32] in known:
                nested = int.from_bytes(preimage[32:], "big") in preimages
                if not nested and preimage[32:] not in balances:
                    return True
            break
    return False


def matched(value: int, known: Set[Address]) -> set[Address]:
    """Which of `known` the word `value` holds, at any place."""
    return set(named(value, known))


def holds_party(value: int, known: Set[Address]) -> bool:
    """True if the word `value` holds the address of one of `known` at any place."""
    return any(True for _ in named(value, known))
