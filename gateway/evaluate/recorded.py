"""Judges cases that cannot be executed from what was recorded of them: call tree, state before, state difference.

The recording has no storage opcodes. The slots of the state before stand in for what was read, once for each contract
and at its first frame; which contract read what of them, and in what order, is not known. Detectors that follow single
accesses, re-entrancy first of all, see nothing here. Mapping keys are found again by hashing the addresses that occur.
"""

from __future__ import annotations

import json
import time
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

from gateway.decoding.keccak import keccak256
from gateway.evaluate.case import Case
from gateway.evaluate.dataset import address, octets, quantity, read_document, word
from gateway.evaluate.run import CaseResult, Judged
from gateway.evm.node_trace import read_trace
from gateway.evm.simulator import Limits
from gateway.inspection.engine import inspect
from gateway.inspection.policy import DEFAULT_POLICY, decide
from gateway.inspection.registry import Ruleset
from gateway.inspection.subject import Inspection
from gateway.model.block import BlockContext, Fork
from gateway.model.lazy import cached_property
from gateway.model.primitive import EMPTY_CODE_HASH, Address, Hash32
from gateway.model.trace import (
    AccountDiff,
    FrameKind,
    SimulationResult,
    SimulationStatus,
    SlotUse,
    StateDiff,
    Trace,
)
from gateway.model.transaction import RawTransaction, Transaction, TransactionType

KEYS_TRIED = 64
"""addresses of the trace that are tried as mapping keys"""
MAPPINGS_TRIED = 128
"""slots at which a mapping may lie"""
NESTED_TRIED = 24
"""the same for mappings of mappings"""


class RecordedTrace(Trace):
    """A trace without accesses whose slots come from the state before."""

    def __init__(
        self, plain: Trace, slots: tuple[SlotUse, ...], preimages: Mapping[int, bytes], codes: Mapping[Hash32, bytes]
    ) -> None:
        super().__init__(plain.frames, plain.logs, preimages=preimages, codes=codes)
        self._uses = slots

    @cached_property
    def slots(self) -> tuple[SlotUse, ...]:
        """Each slot of the state before, at the first frame of its contract."""
        return self._uses

    @property
    def shows_storage(self) -> bool:
        """True: what lay there before is known."""
        return True


def judge_recording(path: Path, case: Case, ruleset: Ruleset) -> CaseResult | None:
    """What the detectors say of a recorded attack; None if nothing that stood was recorded."""
    document = read_document(path) if path.suffix == ".zst" else json.loads(path.read_text(encoding="utf-8"))
    judged = tuple(_judge(document, tree, ruleset) for tree in document.get("traces") or () if tree.get("calls"))
    return CaseResult(case, judged) if judged else None


def _judge(document: Mapping[str, Any], tree: Mapping[str, Any], ruleset: Ruleset) -> Judged:
    result = _result(document, tree)
    root = result.trace.frames[0]
    transaction = Transaction(
        raw=RawTransaction(b"", keccak256(json.dumps(tree["input"]).encode())),
        type=TransactionType.LEGACY,
        chain_id=result.block.chain_id,
        sender=root.from_,
        nonce=0,
        to=root.to,
        value=root.value,
        input=root.input,
        gas_limit=root.gas,
        max_fee_per_gas=0,
        max_priority_fee_per_gas=0,
    )
    started = time.perf_counter()
    verdict = decide(inspect(ruleset, Inspection(transaction, result)), DEFAULT_POLICY, sender=transaction.sender)
    return Judged(verdict, result.gas_used, len(result.trace.frames), 0.0, time.perf_counter() - started)


def _result(document: Mapping[str, Any], tree: Mapping[str, Any]) -> SimulationResult:
    plain, truncated = read_trace(tree, Limits())
    codes = {address(key): octets(row.get("code") or "0x") for key, row in document["prestate"].items()}
    hashes = {account: keccak256(code) if code else EMPTY_CODE_HASH for account, code in codes.items()}
    frames = tuple(
        frame._replace(code_hash=hashes.get(frame.code_address))
        if frame.code_address is not None and codes.get(frame.code_address)
        else frame
        for frame in plain.frames
    )
    diff = _diff(document["state_diff"])
    known = Trace(frames, plain.logs)
    storage = {
        address(key): {quantity(slot): quantity(value) for slot, value in (row.get("storage") or {}).items()}
        for key, row in document["prestate"].items()
    }
    wanted = {slot for slots in storage.values() for slot in slots} | {
        slot for change in diff.values() for slot in change.storage
    }
    trace = RecordedTrace(
        known,
        tuple(_slots(known, storage, diff)),
        _preimages(known, wanted),
        {hashes[account]: code for account, code in codes.items() if code},
    )
    block = document["block"]
    return SimulationResult(
        status=SimulationStatus.SUCCESS if frames[0].error is None else SimulationStatus.REVERTED,
        gas_used=frames[0].gas_used,
        output=frames[0].output,
        error=frames[0].error,
        trace=trace,
        state_diff=diff,
        created=tuple(
            frame.to
            for frame in frames
            if frame.kind in (FrameKind.CREATE, FrameKind.CREATE2) and frame.to is not None and not frame.reverted
        ),
        destroyed=(),
        block=BlockContext(
            number=quantity(block["number"]),
            timestamp=quantity(block["timestamp"]),
            coinbase=address(block["coinbase"]),
            gas_limit=quantity(block["gas_limit"]),
            base_fee=quantity(block["basefee"]),
            prev_randao=word(block["prevrandao"]),
            chain_id=document["chain_id"],
            fork=Fork(document["spec"].capitalize()),
        ),
        engine="recorded",
        duration=0.0,
        truncated=truncated,
    )


def _diff(document: Mapping[str, Any]) -> StateDiff:
    changes = {}
    for key, row in document.items():
        balance = row.get("balance")
        changes[address(key)] = AccountDiff(
            balance=None if balance is None else (quantity(balance[0]), quantity(balance[1])),
            storage={
                quantity(slot): (quantity(before), quantity(after))
                for slot, (before, after) in (row.get("storage") or {}).items()
            },
        )
    return changes


def _slots(trace: Trace, storage: Mapping[Address, Mapping[int, int]], diff: StateDiff) -> Iterator[SlotUse]:
    told: set[Address] = set()
    for frame in trace.frames:
        account = frame.context
        if account is None or account in told:
            continue
        told.add(account)
        changed = diff[account].storage if account in diff else {}
        before = {**{slot: pair[0] for slot, pair in changed.items()}, **storage.get(account, {})}
        for slot, value in before.items():
            yield SlotUse(account, slot, value, slot in changed, frame.index, frame.entered)


def _preimages(trace: Trace, wanted: set[int]) -> dict[int, bytes]:
    """Mapping entries among `wanted`, found by trying the addresses of the trace as keys."""
    parties: dict[Address, None] = {}
    for frame in trace.frames:
        parties.setdefault(frame.from_)
        if frame.to is not None:
            parties.setdefault(frame.to)
    for log in trace.logs:
        for topic in log.topics[1:]:
            if not any(topic[:12]):
                parties.setdefault(Address(topic[12:]))
    keys = [bytes(12) + party for party in list(parties)[:KEYS_TRIED]]
    found: dict[int, bytes] = {}
    for mapping in range(MAPPINGS_TRIED):
        place = mapping.to_bytes(32, "big")
        for key in keys:
            for image in (key + place, place + key):  # as solc and as vyper hash it
                outer = keccak256(image)
                _keep(outer, image, wanted, found)
                if mapping < NESTED_TRIED and image[:32] == key:
                    for inner in keys:
                        if _keep(keccak256(inner + outer), inner + outer, wanted, found):
                            found[int.from_bytes(outer, "big")] = image
    return found


def _keep(digest: bytes, image: bytes, wanted: set[int], found: dict[int, bytes]) -> bool:
    slot = int.from_bytes(digest, "big")
    if slot not in wanted:
        return False
    found[slot] = image
    return True
