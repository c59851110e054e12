"""Makers of cases: small ones by default, any part replaced by name."""

from __future__ import annotations

import hashlib
from datetime import UTC, datetime, timedelta
from typing import Any

from gateway.model.block import BlockContext, Fork
from gateway.model.case import CaseDetail, SubmissionNote, TokenInfo
from gateway.model.facts import Approval, Facts, TokenStandard, Transfer
from gateway.model.finding import Confidence, DetectorOutcome, Finding, InspectionReport, OutcomeStatus, Severity
from gateway.model.primitive import ZERO_ADDRESS, Address, Hash32
from gateway.model.quarantine import CaseState, QuarantineEntry
from gateway.model.trace import (
    AccountDiff,
    CallFrame,
    EnvironmentRead,
    FrameKind,
    Log,
    SimulationResult,
    SimulationStatus,
    Trace,
)
from gateway.model.transaction import (
    AccessListEntry,
    Authorization,
    Client,
    RawTransaction,
    Transaction,
    TransactionType,
)
from gateway.model.verdict import Action, ReasonClass, Verdict

NOON = datetime(2026, 11, 21, 12, 0, tzinfo=UTC)
SENDER, ROUTER, POOL, TOKEN = (Address(bytes([number]) * 20) for number in (0xA1, 0xB2, 0xC3, 0xD4))
BIG = 2**256 - 1


class Clock:
    """A clock that stands until it is moved."""

    def __init__(self, at: datetime = NOON) -> None:
        self.at = at

    def __call__(self) -> datetime:
        return self.at

    def forward(self, **by: float) -> None:
        self.at += timedelta(**by)


def raw(number: int) -> RawTransaction:
    """Bytes that belong to `number` alone. Their hash is not keccak256: the store does not look."""
    data = b"\x02" + number.to_bytes(8) + b"signed"
    return RawTransaction(data, Hash32(hashlib.sha256(data).digest()))


def finding(detector_id: str = "abnormal-outflow", **parts: Any) -> Finding:
    defaults: dict[str, Any] = {
        "detector_id": detector_id,
        "title": "The pool lost most of what it held",
        "severity": Severity.CRITICAL,
        "confidence": Confidence.HIGH,
        "summary": "The pool lost 91 % of its tokens.",
        "victim": POOL,
        "attacker": SENDER,
        "frames": (0, 1),
        "evidence": {"lost": "912 TKN"},
        "references": ("https://example.org/outflow",),
    }
    return Finding(**{**defaults, **parts})


def verdict(*findings: Finding, **parts: Any) -> Verdict:
    found = findings or (finding(),)
    report = InspectionReport(
        findings=found,
        outcomes=(
            DetectorOutcome("abnormal-outflow", OutcomeStatus.COMPLETED, 0.001),
            DetectorOutcome("reentrancy", OutcomeStatus.TIMED_OUT, 0.05, "late"),
        ),
        simulated=True,
        ruleset_hash="rules-1",
    )
    defaults: dict[str, Any] = {
        "action": Action.HOLD,
        "clause": "critical",
        "reason": "abnormal-outflow is critical",
        "reason_class": ReasonClass.SECURITY_REVIEW,
        "report": report,
        "score": 0.9,
    }
    return Verdict(**{**defaults, **parts})


CLEAN = verdict(
    finding(severity=Severity.INFO), action=Action.FORWARD, clause="clean", reason="nothing was found", score=0.0
)


def entry(number: int = 1, **parts: Any) -> QuarantineEntry:
    defaults: dict[str, Any] = {
        "case_id": f"case-{number}",
        "raw": raw(number),
        "sender": SENDER,
        "nonce": number,
        "to": ROUTER,
        "value": BIG,
        "client": Client("192.0.2.7", "key-7"),
        "verdict": verdict(),
        "state": CaseState.HELD,
        "held_at": NOON,
        "expires_at": NOON + timedelta(hours=6),
        "estimated_loss": 1000.0,
    }
    return QuarantineEntry(**{**defaults, **parts})


def transaction(number: int = 1) -> Transaction:
    return Transaction(
        raw=raw(number),
        type=TransactionType.SET_CODE,
        chain_id=1,
        sender=SENDER,
        nonce=number,
        to=ROUTER,
        value=BIG,
        input=bytes.fromhex("a9059cbb") + bytes(64),
        gas_limit=2**64 - 1,
        max_fee_per_gas=BIG,
        max_priority_fee_per_gas=1,
        access_list=(AccessListEntry(POOL, (0, BIG)),),
        authorization_list=(Authorization(0, POOL, 3, 1, BIG, 5, None), Authorization(1, POOL, 4, 0, 6, 7, SENDER)),
        max_fee_per_blob_gas=9,
        blob_versioned_hashes=(Hash32(b"\x01" * 32),),
    )


def frame(index: int, parent: int = -1, **parts: Any) -> CallFrame:
    defaults: dict[str, Any] = {
        "index": index,
        "parent": parent,
        "depth": 0 if parent < 0 else 1,
        "kind": FrameKind.CALL,
        "from_": SENDER if parent < 0 else ROUTER,
        "to": ROUTER if parent < 0 else POOL,
        "code_address": POOL,
        "code_hash": Hash32(b"\x07" * 32),
        "value": BIG,
        "gas": 100_000,
        "gas_used": 21_000,
        "input": b"\x12\x34\x56\x78" + bytes(32),
        "output": b"\x01",
        "error": None,
        "revert_reason": None,
        "entered": 2 * index,
        "left": 1000 - index,
        "reverted": False,
    }
    return CallFrame(**{**defaults, **parts})


def simulation(frames: int = 3) -> SimulationResult:
    made = [frame(index, index - 1) for index in range(frames)]
    made[-1] = made[-1]._replace(to=None, error="execution reverted", revert_reason="no", reverted=True)
    return SimulationResult(
        status=SimulationStatus.SUCCESS,
        gas_used=123_456,
        output=b"\x02",
        error=None,
        trace=Trace(
            frames=made,
            logs=[
                Log(3, 0, TOKEN, (b"\x01" * 32, b"\x02" * 32), b"data", False),
                Log(5, 1, TOKEN, (), b"undone", True),
            ],
            environment=[EnvironmentRead(0, "TIMESTAMP", 2)],
            preimages={7: bytes(31) + b"\x01" + bytes(31) + b"\x08", 8: bytes(64), 9: b"unused"},
        ),
        state_diff={
            POOL: AccountDiff(balance=(BIG, 0), nonce=(1, 2), code=(b"", b"\x60"), storage={7: (0, BIG)}),
            SENDER: AccountDiff(),
        },
        created=(POOL,),
        destroyed=(TOKEN,),
        block=BlockContext(
            number=19_000_000,
            timestamp=1_700_000_000,
            coinbase=POOL,
            gas_limit=30_000_000,
            base_fee=7,
            prev_randao=Hash32(b"\x05" * 32),
            chain_id=1,
            fork=Fork.PRAGUE,
        ),
        engine="py-evm",
        duration=0.012,
    )


def detail(number: int = 1, **parts: Any) -> CaseDetail:
    defaults: dict[str, Any] = {
        "transaction": transaction(number),
        "report": verdict().report,
        "simulation": simulation(),
        "facts": Facts(
            transfers=(
                Transfer(3, 0, TokenStandard.ERC20, TOKEN, POOL, SENDER, BIG),
                Transfer(4, 1, TokenStandard.NATIVE, ZERO_ADDRESS, SENDER, POOL, 5),
                Transfer(5, 1, TokenStandard.ERC721, TOKEN, POOL, SENDER, 1, token_id=BIG),
            ),
            approvals=(Approval(6, 0, TOKEN, SENDER, POOL, BIG), Approval(7, 0, TOKEN, SENDER, POOL, None)),
        ),
        "timings": {"simulate": 0.012, "inspect": 0.003},
        "labels": {POOL: "Lending pool"},
        "tokens": {TOKEN: TokenInfo("TKN", 18, "Token")},
        "sender_history": {"transactions": "3"},
    }
    return CaseDetail(**{**defaults, **parts})


def note(number: int = 1, action: Action = Action.FORWARD) -> SubmissionNote:
    return SubmissionNote(
        hash=raw(number).hash,
        sender=SENDER,
        nonce=number,
        to=None,
        value=BIG,
        method="eth_sendRawTransaction",
        client=Client("192.0.2.7"),
        received_at=NOON,
        action=action,
        clause="clean",
        reason_class=ReasonClass.POLICY,
        score=0.0,
        findings=(),
        incomplete=(),
        ruleset_hash="rules-1",
        duration=0.004,
        answer="0x01",
    )
