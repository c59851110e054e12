"""The state root of a world, to compare with what the state tests record. Slow, and only for tests."""

from __future__ import annotations

import rlp
from eth.constants import BLANK_ROOT_HASH
from trie import HexaryTrie

from gateway.decoding.keccak import keccak256
from gateway.evm.world import LayeredWorld
from gateway.model.primitive import EMPTY_CODE_HASH, Address, Hash32
from gateway.model.trace import StateDiff


def state_root(world: LayeredWorld, diff: StateDiff, touched_empty: frozenset[Address] = frozenset()) -> bytes:
    """Root after `diff` on the complete `world`; accounts left empty by the transaction are gone (EIP-161)."""
    after = world.fork()
    after.apply(diff)
    trie = HexaryTrie({})
    for who in after.addresses():
        account = after.account(who)
        assert account is not None
        storage = {slot: value for slot, value in after.storage(who).items() if value}
        empty = not account.nonce and not account.balance and account.code_hash == EMPTY_CODE_HASH
        if empty and (who in diff or who in touched_empty):
            continue
        fields = [account.nonce, account.balance, storage_root(storage), account.code_hash]
        trie[keccak256(who)] = rlp.encode(fields)
    return trie.root_hash


def storage_root(storage: dict[int, int]) -> Hash32:
    """Root of one account's storage."""
    if not storage:
        return Hash32(BLANK_ROOT_HASH)
    trie = HexaryTrie({})
    for slot, value in storage.items():
        trie[keccak256(slot.to_bytes(32, "big"))] = rlp.encode(value)
    return Hash32(trie.root_hash)
