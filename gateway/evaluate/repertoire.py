"""Which variations are tried on exploits, and which on honest acts."""

from __future__ import annotations

from collections.abc import Mapping

from gateway.evaluate.variation import (
    Variation,
    after_a_gift,
    after_a_visit,
    borrowed_code,
    created_and_struck,
    fresh_wrapper,
    in_constructor,
    other_address,
    other_block,
    other_code,
    other_sender,
    passed_on,
    sent_home,
    wrapped,
)
from gateway.evaluate.wallet import batched, bundled, delegated, from_wallet, relayed

STRIKES: Mapping[str, Variation] = {
    "other sender": other_sender,
    "other address": other_address,
    "other code": other_code,
    "borrowed code": borrowed_code,
    "wrapped": wrapped,
    "fresh wrapper": fresh_wrapper,
    "in a constructor": in_constructor,
    "created and struck": created_and_struck,
    "gains passed on": passed_on,
    "gains sent home": sent_home,
    "after a visit": after_a_visit,
    "after a gift": after_a_gift,
    "by a delegated account": delegated,
    "other block": other_block,
}
"""of exploits; the verdict must not change"""
HONEST: Mapping[str, Variation] = {
    "other sender": other_sender,
    "borrowed code": borrowed_code,
    "wrapped": wrapped,
    "fresh wrapper": fresh_wrapper,
    "in a constructor": in_constructor,
    "from a wallet": from_wallet,
    "in a batch": batched,
    "by a relayer": relayed,
    "in a bundle": bundled,
    "by a delegated account": delegated,
    "after a visit": after_a_visit,
    "other block": other_block,
}
"""of honest acts; none may be held"""
