"""A chain on py-evm that mines every transaction at once; no network, no keys, no JSON."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from typing import Any

from eth.chains.base import MiningChain
from eth.consensus.applier import ConsensusApplier
from eth.consensus.noproof import NoProofConsensus
from eth.db.atomic import AtomicDB
from eth.exceptions import PyEVMError, Revert
from eth.vm.forks.prague import PragueVM
from eth.vm.spoof import SpoofTransaction
from eth_utils.crypto import keccak
from eth_utils.exceptions import ValidationError
from rlp.exceptions import RLPException

from gateway.devnet.genesis import ALLOCATION, BASE_FEE, CHAIN_ID, DEVELOPMENT_ACCOUNTS, GAS_LIMIT
from gateway.errors import DecodingError, StopgateError, Unexecutable

_QUEUE = 1_000
"""transactions that may wait for an earlier nonce"""


class ExecutionFailed(StopgateError):
    """A call or an estimate ended in a revert, whose data is `output`, or in a halt."""

    def __init__(self, reason: str, output: bytes, *, reverted: bool) -> None:
        super().__init__(reason)
        self.output, self.reverted = output, reverted


@dataclass(frozen=True, slots=True)
class Mined:
    """One mined transaction. `transaction`, `receipt`, `computation` and `header` are py-evm's."""

    raw: bytes
    hash: bytes
    transaction: Any
    receipt: Any
    header: Any
    gas_used: int
    status: int
    created: bytes | None
    """address of the contract that it created"""


@dataclass(frozen=True, slots=True)
class Call:
    """What `eth_call` and `eth_estimateGas` run."""

    sender: bytes
    to: bytes
    """empty creates a contract"""
    value: int
    data: bytes
    gas: int


class DevChain:
    """One chain in memory. Not thread-safe: everything runs on the thread that made it.

    Args:
        now: seconds since 1970; the chain's clock.
    """

    def __init__(self, now: Callable[[], float] = time.time) -> None:
        self._now = now
        self._shift = 0
        self._next: int | None = None
        vms = ConsensusApplier(NoProofConsensus).amend_vm_configuration(((0, PragueVM),))
        kind = MiningChain.configure(__name__="StopgateDevChain", vm_configuration=vms, chain_id=CHAIN_ID)
        genesis = {"gas_limit": GAS_LIMIT, "timestamp": int(now()), "base_fee_per_gas": BASE_FEE, "difficulty": 0}
        state = {
            address: {"balance": ALLOCATION, "nonce": 0, "code": b"", "storage": {}} for address in DEVELOPMENT_ACCOUNTS
        }
        self._chain = kind.from_genesis(AtomicDB(), genesis, state)
        self._by_hash: dict[bytes, Mined] = {}
        self._by_block: dict[int, tuple[Mined, ...]] = {}
        self._queued: dict[tuple[bytes, int], tuple[bytes, Any]] = {}

    # reading

    @property
    def head(self) -> Any:
        """Header of the newest block."""
        return self._chain.get_canonical_head()

    def header(self, number: int) -> Any | None:
        """Header by number; None beyond the head."""
        if not 0 <= number <= self.head.block_number:
            return None
        return self._chain.get_canonical_block_header_by_number(number)

    def header_by_hash(self, digest: bytes) -> Any | None:
        """Header by hash; None if unknown."""
        found = (self.header(number) for number in range(self.head.block_number, -1, -1))
        return next((header for header in found if header is not None and header.hash == digest), None)

    def state(self, header: Any) -> Any:
        """The state after a block, py-evm's; to be read only."""
        return self._chain.get_vm(header).state

    def block(self, number: int) -> tuple[Mined, ...]:
        """What was mined in a block."""
        return self._by_block.get(number, ())

    def mined(self, digest: bytes) -> Mined | None:
        """A mined transaction by hash."""
        return self._by_hash.get(digest)

    def queued(self, digest: bytes) -> tuple[bytes, Any] | None:
        """Raw bytes and py-evm's transaction of one that waits for an earlier nonce."""
        return next((item for item in self._queued.values() if keccak(item[0]) == digest), None)

    def waiting(self, sender: bytes) -> int:
        """The nonce after the last queued one that follows on the account's without a gap."""
        nonce = int(self.state(self.head).get_nonce(sender))
        while (sender, nonce) in self._queued:
            nonce += 1
        return nonce

    # time

    def shift_clock(self, seconds: int) -> int:
        """Move the clock forward for good; the whole shift so far."""
        self._shift += seconds
        return self._shift

    def set_next_timestamp(self, timestamp: int) -> None:
        """The next block gets this timestamp, and the clock runs on from there.

        Raises:
            Unexecutable: not later than the head.
        """
        if timestamp <= self.head.timestamp:
            raise Unexecutable("timestamp too old", f"{timestamp} is not after {self.head.timestamp}")
        self._next, self._shift = timestamp, timestamp - int(self._now())

    def _timestamp(self) -> int:
        if self._next is not None:
            return self._next
        return max(int(self._now()) + self._shift, int(self.head.timestamp) + 1)

    def _pending(self) -> Any:
        head = self.head
        return self._chain.create_header_from_parent(head, timestamp=self._timestamp(), gas_limit=head.gas_limit)

    # executing

    def submit(self, raw: bytes) -> bytes:
        """Take a signed transaction, mine it if its nonce is due, and then those that waited for it; its hash.

        Raises:
            DecodingError: the bytes are no transaction.
            Unexecutable: a node would refuse it; the reason is geth's.
        """
        digest = bytes(keccak(raw))
        if digest in self._by_hash or self.queued(digest):
            raise Unexecutable("already known")
        transaction = self._decoded(raw)
        sender, due = transaction.sender, self.state(self.head).get_nonce(transaction.sender)
        self._admit(transaction, due)
        if transaction.nonce > due:
            if len(self._queued) >= _QUEUE:
                raise Unexecutable("txpool is full")
            self._queued[sender, transaction.nonce] = (raw, transaction)
            return digest
        self._mine(raw, transaction)
        while follower := self._queued.pop((sender, self.state(self.head).get_nonce(sender)), None):
            try:
                self._mine(*follower)
            except Unexecutable:
                break  # what it needed was spent meanwhile; a pool drops it too, and its sender sees no receipt
        return digest

    def mine(self) -> None:
        """Mine an empty block."""
        self._chain.header = self._pending()
        self._chain.mine_all([])
        self._next = None

    def _decoded(self, raw: bytes) -> Any:
        try:
            transaction = self._chain.get_vm().get_transaction_builder().decode(raw)
            transaction.validate()
            transaction.check_signature_validity()
        except (RLPException, ValidationError, PyEVMError, ValueError, TypeError) as error:
            raise DecodingError(f"not a transaction of this chain: {error}") from error
        if transaction.chain_id not in (None, CHAIN_ID):
            raise DecodingError(f"invalid chain id: have {transaction.chain_id} want {CHAIN_ID}")
        return transaction

    def _admit(self, transaction: Any, due: int) -> None:
        if transaction.nonce < due:
            raise Unexecutable("nonce too low", f"next nonce {due}, tx nonce {transaction.nonce}")
        if transaction.gas > self.head.gas_limit:
            raise Unexecutable("exceeds block gas limit")
        if transaction.gas < transaction.intrinsic_gas:
            raise Unexecutable("intrinsic gas too low", f"have {transaction.gas}, want {transaction.intrinsic_gas}")
        base_fee = self._pending().base_fee_per_gas
        if transaction.max_fee_per_gas < base_fee:
            raise Unexecutable(
                "max fee per gas less than block base fee", f"{transaction.max_fee_per_gas} < {base_fee}"
            )
        cost = transaction.gas * transaction.max_fee_per_gas + transaction.value
        balance = self.state(self.head).get_balance(transaction.sender)
        if balance < cost:
            raise Unexecutable("insufficient funds for gas * price + value", f"balance {balance}, tx cost {cost}")

    def _mine(self, raw: bytes, transaction: Any) -> None:
        header = self._pending()
        self._chain.header = header
        try:
            _, receipts, computations = self._chain.mine_all([transaction])
        except ValidationError as error:
            raise Unexecutable("invalid transaction", str(error)) from error
        self._next = None
        head, computation = self.head, computations[0]
        created = computation.msg.storage_address if computation.msg.is_create else None
        mined = Mined(
            raw=raw,
            hash=keccak(raw),
            transaction=transaction,
            receipt=receipts[0],
            header=head,
            gas_used=head.gas_used,
            status=0 if computation.is_error else 1,
            created=created,
        )
        self._by_hash[mined.hash] = mined
        self._by_block[head.block_number] = (mined,)

    def call(self, call: Call, header: Any) -> bytes:
        """Run a call on the state after a block; its output.

        Raises:
            ExecutionFailed: it reverted or halted.
            Unexecutable: it cannot even start, for want of ether or gas.
        """
        nonce = self.state(header).get_nonce(call.sender)
        unsigned = self._chain.create_unsigned_transaction(
            nonce=nonce, gas_price=0, gas=call.gas, to=call.to, value=call.value, data=call.data
        )
        if call.gas < unsigned.intrinsic_gas:
            raise Unexecutable("intrinsic gas too low", f"have {call.gas}, want {unsigned.intrinsic_gas}")
        pending = self._chain.create_header_from_parent(
            header, timestamp=max(self._timestamp(), header.timestamp + 1), gas_limit=header.gas_limit
        )
        try:
            with self._chain.get_vm(pending).in_costless_state() as state:
                # py-evm gives this state the machine's time instead of the header's
                state.execution_context._timestamp = pending.timestamp
                computation = state.costless_execute_transaction(SpoofTransaction(unsigned, from_=call.sender))
        except ValidationError as error:
            raise Unexecutable("invalid call", str(error)) from error
        if computation.is_error:
            reverted = isinstance(computation.error, Revert)
            reason = "execution reverted" if reverted else f"execution failed: {computation.error!r}"
            raise ExecutionFailed(reason, bytes(computation.output), reverted=reverted)
        return bytes(computation.output)

    def estimate(self, call: Call, header: Any) -> int:
        """The least gas limit with which the call succeeds, to within 1 in 64.

        Raises:
            ExecutionFailed: it fails with all the gas of a block.
        """
        low, high = 21_000, call.gas
        self.call(call, header)
        if self._suffices(call, low, header):
            return low
        while high - low > high // 64:
            middle = (low + high) // 2
            if self._suffices(call, middle, header):
                high = middle
            else:
                low = middle
        return high

    def _suffices(self, call: Call, gas: int, header: Any) -> bool:
        try:
            self.call(replace(call, gas=gas), header)
        except (ExecutionFailed, Unexecutable):
            return False
        return True

    def logs(self, first: int, last: int) -> Iterator[tuple[Mined, int, Any]]:
        """(transaction, index in its block, py-evm's log) of a range of blocks."""
        for number in range(first, last + 1):
            for mined in self.block(number):
                for index, log in enumerate(mined.receipt.logs):
                    yield mined, index, log
