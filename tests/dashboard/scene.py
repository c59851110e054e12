"""A desk with work on it: cases as the gateway records them, told by nobody but these makers."""

from __future__ import annotations

import hashlib
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path

from pydantic import SecretStr

from dashboard.room import Room
from dashboard.settings import DashboardSettings
from gateway.model.block import BlockContext, Fork
from gateway.model.case import CaseDetail, LossBasis, LossEstimate, TokenInfo
from gateway.model.facts import Approval, Facts, TokenStandard, Transfer
from gateway.model.finding import Confidence, DetectorOutcome, Finding, InspectionReport, OutcomeStatus, Severity
from gateway.model.primitive import ZERO_ADDRESS, Address, Hash32
from gateway.model.quarantine import CaseState, QuarantineEntry
from gateway.model.trace import (
    AccountDiff,
    CallFrame,
    FrameKind,
    Log,
    SimulationResult,
    SimulationStatus,
    Trace,
)
from gateway.model.transaction import Client, RawTransaction, Transaction, TransactionType
from gateway.model.verdict import Action, ReasonClass, Verdict
from gateway.settings import StoreSettings

PASSWORD = "correct horse battery"

ATTACKER, HELPER, LENDER, POOL, ROUTER, USDC, WETH = (
    Address(hashlib.sha256(name.encode()).digest()[:20])
    for name in ("attacker", "helper", "lender", "pool", "router", "usdc", "weth")
)
TOKENS = {USDC: TokenInfo("USDC", 6, "USD Coin"), WETH: TokenInfo("WETH", 18, "Wrapped Ether")}
LABELS = {LENDER: "Harbour Lending", POOL: "USDC/WETH pool", ROUTER: "Router"}
PROXY = Address(b"\x99" * 20)
ERC1967_SLOT = 0x360894A13BA1A3210667C828492DB98DCA3E2076CC3735A920A3CA505D382BBC
TRANSFER_EVENT = bytes.fromhex("ddf252ad1be2c89b69c2b068fc378daa952ba7f163c4a11628f55a4df523b3ef")


def settings_at(folder: Path, redis_url: str = "", **parts: object) -> DashboardSettings:
    store = StoreSettings(redis_url=SecretStr(redis_url))
    return DashboardSettings(
        **{"data_dir": folder, "store": store, "listen": "127.0.0.1:8081", "loss_unit": "USD", **parts}
    )


def _call(selector: str, *words: int | Address) -> bytes:
    body = b"".join(bytes(12) + word if isinstance(word, Address) else word.to_bytes(32) for word in words)
    return bytes.fromhex(selector) + body


def _frames(*rows: tuple[int, FrameKind, Address, Address, bytes, int, str | None]) -> list[CallFrame]:
    made: list[CallFrame] = []
    for index, (parent, kind, from_, to, data, value, error) in enumerate(rows):
        made.append(
            CallFrame(
                index=index,
                parent=parent,
                depth=0 if parent < 0 else made[parent].depth + 1,
                kind=kind,
                from_=from_,
                to=to,
                code_address=to,
                code_hash=None,
                value=value,
                gas=900_000 - index * 10_000,
                gas_used=max(700_000 // (index + 1), 2_600),
                input=data,
                output=b"",
                error=error,
                revert_reason=None,
                entered=index * 10,
                left=index * 10 + 9,
                reverted=error is not None,
            )
        )
    return made


def price_attack() -> tuple[Trace, Facts]:
    """A loan, a skewed pool, a borrow against it, and the loan paid back."""
    call, static = FrameKind.CALL, FrameKind.STATICCALL
    loan, borrowed = 4_000_000 * 10**6, 1_250_000 * 10**6
    frames = _frames(
        (-1, call, ATTACKER, HELPER, _call("9e5faafc"), 0, None),
        (0, call, HELPER, LENDER, _call("5cffe9de", HELPER, USDC, loan, 128), 0, None),
        (1, call, LENDER, USDC, _call("a9059cbb", HELPER, loan), 0, None),
        (1, call, LENDER, HELPER, _call("23e30c8b", HELPER, USDC, loan, 0, 160), 0, None),
        (3, call, HELPER, POOL, _call("022c0d9f", 0, 900 * 10**18, HELPER, 128), 0, None),
        (4, call, POOL, WETH, _call("a9059cbb", HELPER, 900 * 10**18), 0, None),
        (4, static, POOL, USDC, _call("70a08231", POOL), 0, None),
        (3, call, HELPER, LENDER, _call("c5ebeaec", borrowed), 0, None),
        (7, static, LENDER, POOL, _call("0902f1ac"), 0, None),
        (7, call, LENDER, USDC, _call("a9059cbb", HELPER, borrowed), 0, None),
        (3, call, HELPER, Address(b"\x77" * 20), _call("12345678", 5), 3 * 10**17, "execution reverted"),
        (3, call, HELPER, USDC, _call("a9059cbb", LENDER, loan), 0, None),
        (0, call, HELPER, USDC, _call("a9059cbb", ATTACKER, borrowed), 0, None),
    )
    topics = (TRANSFER_EVENT, bytes(12) + LENDER, bytes(12) + HELPER)
    logs = [Log(95, 9, USDC, topics, borrowed.to_bytes(32), False)]
    erc20 = TokenStandard.ERC20
    transfers = (
        Transfer(1, 2, erc20, USDC, LENDER, HELPER, loan),
        Transfer(2, 4, erc20, USDC, HELPER, POOL, loan // 2),
        Transfer(3, 5, erc20, WETH, POOL, HELPER, 900 * 10**18),
        Transfer(4, 9, erc20, USDC, LENDER, HELPER, borrowed),
        Transfer(5, 11, erc20, USDC, HELPER, LENDER, loan),
        Transfer(6, 12, erc20, USDC, HELPER, ATTACKER, borrowed),
        Transfer(7, 10, TokenStandard.NATIVE, ZERO_ADDRESS, ATTACKER, HELPER, 3 * 10**17),
    )
    return Trace(frames=frames, logs=logs), Facts(transfers, (Approval(8, 3, USDC, HELPER, LENDER, 2**256 - 1),))


def finding(detector_id: str = "price-manipulation", **parts: object) -> Finding:
    defaults: dict[str, object] = {
        "detector_id": detector_id,
        "title": "A pool's price was moved and then borrowed against",
        "severity": Severity.CRITICAL,
        "confidence": Confidence.HIGH,
        "summary": "The price of USDC/WETH moved by 63 % and Harbour Lending lent 1,250,000 USDC at that price.",
        "victim": LENDER,
        "attacker": ATTACKER,
        "instrument": POOL,
        "frames": (4, 7),
        "evidence": {"price before": "2,391.2 USDC", "price during": "3,897.6 USDC", "borrowed": "1,250,000 USDC"},
        "references": ("https://example.org/price-manipulation",),
    }
    return Finding(**{**defaults, **parts})  # type: ignore[arg-type]


def case(
    number: int,
    now: datetime,
    *findings: Finding,
    loss: float | None = 1_250_000.0,
    to: Address | None = HELPER,
    sender: Address = ATTACKER,
    left: timedelta = timedelta(hours=5, minutes=12),
    trace: Trace | None = None,
    facts: Facts | None = None,
    state: CaseState = CaseState.HELD,
    score: float = 0.93,
    tokens: dict[Address, TokenInfo] | None = None,
    unpriced: int = 0,
    **parts: object,
) -> tuple[QuarantineEntry, CaseDetail]:
    """A case and what is stored with it."""
    data = b"\x02" + number.to_bytes(8) + b"signed"
    raw = RawTransaction(data, Hash32(hashlib.sha256(data).digest()))
    told = findings or (finding(),)
    default_trace, default_facts = price_attack()
    report = InspectionReport(
        findings=told,
        outcomes=(
            *(DetectorOutcome(found.detector_id, OutcomeStatus.COMPLETED, 0.0011) for found in told),
            DetectorOutcome("reentrancy", OutcomeStatus.COMPLETED, 0.0004),
            DetectorOutcome("share-inflation", OutcomeStatus.TIMED_OUT, 0.05, "budget of 50 ms was over"),
        ),
        simulated=True,
        ruleset_hash="5f0c1d2e3a4b5c6d",
    )
    verdict = Verdict(
        Action.HOLD, "critical-finding", f"{told[0].detector_id}: {told[0].title}", ReasonClass.SECURITY_REVIEW,
        report, score,
    )  # fmt: skip
    entry = QuarantineEntry(
        case_id=f"c-{number:06d}",
        raw=raw,
        sender=sender,
        nonce=number % 9,
        to=to,
        value=3 * 10**17,
        client=Client("192.0.2.17", "wallet-key-3"),
        verdict=verdict,
        state=state,
        held_at=now - timedelta(minutes=number % 300 + 1),
        expires_at=now + left,
        estimated_loss=loss,
    )
    executed = trace or default_trace
    block = BlockContext(21_400_001, 1_763_700_000, POOL, 30_000_000, 10**9, Hash32(b"\x05" * 32), 1, Fork.PRAGUE)
    detail = CaseDetail(
        transaction=Transaction(
            raw, TransactionType.DYNAMIC_FEE, 1, sender, entry.nonce, to, entry.value, executed.frames[0].input,
            2_000_000, 3 * 10**9, 10**9,
        ),
        report=report,
        simulation=SimulationResult(
            SimulationStatus.SUCCESS, 1_284_551, b"", None, executed,
            {
                LENDER: AccountDiff(storage={0: (8_000_000 * 10**6, 6_750_000 * 10**6), 7: (0, 1)}),
                POOL: AccountDiff(storage={8: (2**200, 2**201), 2**255: (1, 2)}),
                ATTACKER: AccountDiff(balance=(2 * 10**18, 17 * 10**17), nonce=(0, 1)),
                PROXY: AccountDiff(storage={ERC1967_SLOT: (int.from_bytes(POOL), int.from_bytes(HELPER))}),
            },
            (HELPER,), (), block, "revm", 0.0084,
        ),
        facts=facts or default_facts,
        timings={"decode": 0.0002, "simulate": 0.0084, "inspect": 0.0031},
        labels=LABELS,
        tokens=tokens or TOKENS,
        loss=None if loss is None else LossEstimate(loss, "USD", LossBasis.POOLS, unpriced=unpriced),
        sender_history={"first seen": "11 minutes ago", "transactions before": "0", "contracts created": "1"},
    )  # fmt: skip
    return replace(entry, **parts), detail  # type: ignore[arg-type]


def many_frames(count: int) -> Trace:
    """A trace of `count` frames: wide, and forty deep in places."""
    rows: list[tuple[int, FrameKind, Address, Address, bytes, int, str | None]] = [
        (-1, FrameKind.CALL, ATTACKER, HELPER, _call("9e5faafc"), 0, None)
    ]
    chain = [0]
    for index in range(1, count):
        if index % 97 == 0 or len(chain) > 40:
            chain = [0]
        rows.append((chain[-1], FrameKind.CALL, HELPER, USDC, _call("a9059cbb", ATTACKER, index), 0, None))
        if index % 3:
            chain.append(index)
    return Trace(frames=_frames(*rows))


async def hold(room: Room, made: tuple[QuarantineEntry, CaseDetail]) -> QuarantineEntry:
    """As the gateway does it: the record first, then the live queue."""
    entry = await room.record.hold(*made)
    await room.queue.put(entry)
    return entry


def utc_now() -> datetime:
    return datetime.now(UTC)
