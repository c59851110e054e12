"""A desk with a shift's work on it: people, cases, appeals, channels, signatures and rules, all made here."""

from __future__ import annotations

from dataclasses import replace
from datetime import date, datetime, timedelta

from dashboard.room import Room
from gateway.model.account import Account, Mark, Permission, Role
from gateway.model.case import TokenInfo
from gateway.model.casework import BlockChanges
from gateway.model.facts import Facts
from gateway.model.finding import Confidence, Severity
from gateway.model.health import GatewayHealth, HealthItem
from gateway.model.notice import ChannelKind, ChannelRule, NoticeKind
from gateway.model.primitive import Address, Hash32
from gateway.model.quarantine import CaseState, QuarantineEntry
from gateway.model.rulebook import PublishedRule, RulesInForce
from gateway.model.shift import ShiftHours
from gateway.model.signature import Signature, SignatureKind, SignatureState
from gateway.store.knowledge.trust import Clean
from gateway.store.people.password import hash_password
from tests.dashboard.scene import HELPER, LENDER, PASSWORD, POOL, ROUTER, USDC, case, finding, hold, utc_now

_HASH: list[str] = []
PETRAS = Address(b"\x42" * 20)
"""the contract of the protocol's account"""


async def seed_people(room: Room) -> dict[str, Account]:
    """One account for each role, and a second analyst. All have the same password."""
    if not _HASH:
        _HASH.append(hash_password(PASSWORD))
    accounts = {}
    for name, role in (
        ("vera", Role.VIEWER), ("anna", Role.ANALYST), ("bela", Role.ANALYST), ("lena", Role.LEAD),
        ("otto", Role.OPERATOR), ("petra", Role.PROTOCOL),
    ):  # fmt: skip
        contracts = [PETRAS] if role is Role.PROTOCOL else []
        accounts[name] = await room.people.add(name, role, actor="test", password_hash=_HASH[0], contracts=contracts)
    return accounts


async def seed_cases(room: Room, now: datetime) -> list[QuarantineEntry]:
    """A shift's work: large and small, urgent and not, look-alikes, hostile words."""
    proxy = finding(
        "proxy-takeover", title="The code behind a proxy was replaced by a stranger", severity=Severity.HIGH,
        confidence=Confidence.MEDIUM, summary="Treasury's implementation moved to a contract created 2 blocks ago.",
        victim=POOL, instrument=None, evidence={"before": str(POOL), "after": str(HELPER)}, frames=(3,),
    )  # fmt: skip
    drain = finding(
        "allowance-drain", title="One call empties many wallets through their allowances", severity=Severity.HIGH,
        summary="transferFrom moves 41 owners' USDC to one address that never held any.", frames=(2, 5),
    )  # fmt: skip
    small = finding(
        "abnormal-outflow", title="A contract pays out far more than usual", severity=Severity.MEDIUM,
        confidence=Confidence.LOW, summary="The pool pays out 4.1 % of what it holds; the norm is below 0.5 %.",
        frames=(),
    )  # fmt: skip
    hostile = finding(
        "abnormal-outflow", title='<script>alert("x")</script> \u202egnitrever', severity=Severity.LOW,
        confidence=Confidence.LOW, summary="Revert string: " + "A" * 100_000,
        evidence={"<b>token</b>": "U\u200bSD\u200bC\u0301\u0301\u0301\u0301"},
    )  # fmt: skip
    made = [
        case(1, now, finding(), proxy, unpriced=1),
        case(2, now, proxy, loss=380_000.0, left=timedelta(minutes=11), score=0.7),
        *[case(3 + number, now, drain, loss=21_000.0 + number, score=0.8) for number in range(4)],
        case(8, now, small, loss=None, score=0.35, left=timedelta(hours=2)),
        case(9, now, small, loss=900.0, to=None, score=0.3),
        case(10, now, hostile, loss=12.0, score=0.1, tokens={USDC: TokenInfo('<img src=x onerror="x">', 6)}),
        case(11, now, small, loss=640.0, state=CaseState.DEFERRED, score=0.2),
    ]
    return [await hold(room, pair) for pair in made]


async def seed_work(room: Room, entry: QuarantineEntry) -> None:
    """What people and the sender add to a case: notes, an appeal, a file, and a run that came out differently."""
    await room.desk.add_note(entry.case_id, "anna", "Called the lender: the pool is theirs. @otto, please look.")
    await room.evidence.mention(entry.case_id, "anna", {"otto"})
    text = "We rebalance our own pool; our treasurer is in your channel."
    await room.appeals.add(entry, text, f"Stopgate appeal\n\n{text}", "0x" + "11" * 65)
    await room.evidence.attach(entry.case_id, "anna", "call with the lender.txt", "text/plain", b"They know.")
    await room.runs.ask(entry.case_id, BlockChanges(), "anna")
    (run,) = await room.runs.take()
    verdict, detail = replace(entry.verdict, score=0.4), await room.record.detail(entry.case_id)
    assert detail is not None
    small = finding("abnormal-outflow", title="A contract pays out far more than usual", severity=Severity.MEDIUM)
    report = replace(detail.report, findings=(detail.report.findings[0], small))
    moves = tuple(
        move._replace(amount=move.amount * 2 // 5) if move.sequence in (4, 6) else move
        for move in detail.facts.transfers
    )
    changed = replace(detail, facts=Facts(moves, detail.facts.approvals), report=report)
    await room.runs.finish(run, replace(verdict, report=report), changed)


async def seed_knowledge(room: Room, entry: QuarantineEntry) -> None:
    """What the desk taught the gateway: signatures of a confirmed case, lines of trust, and history."""
    now = utc_now()
    await room.desk.mark(entry.case_id, Mark.CONFIRMED, "anna", "the same helper as last week")
    (confirmed,) = await room.signatures.unsigned()
    lasts = now + timedelta(days=90)
    made = [
        Signature(
            kind, Hash32(bytes([number]) * 32), entry.case_id, "anna", now, lasts, SignatureState.ENFORCED, HELPER, 412
        )
        for number, kind in enumerate(SignatureKind, 1)
    ]
    await room.signatures.add(confirmed, made)
    first, *_ = await room.signatures.listed()
    await room.signatures.add_hits({first.signature.id: 3})
    await room.trust.add(
        author="lena", reason="our own rebalancer, audited in spring", expires_at=now + timedelta(days=30), sender=POOL
    )
    await room.trust.add(
        author="lena", reason="only these swaps", expires_at=now + timedelta(days=7), contract=ROUTER,
        selector=bytes.fromhex("022c0d9f"), detector="price-manipulation",
    )  # fmt: skip
    await room.trust.count_clean({ROUTER: Clean(4_210, {POOL, LENDER}), POOL: Clean(77, {HELPER})})


async def seed_administration(room: Room) -> None:
    """What an operator looks after: a program with a token, a passkey, and two channels with something to send."""
    otto = (await room.people.credentials("otto")).account  # type: ignore[union-attr]
    pager = await room.people.add("shift-pager", Role.ANALYST, actor="otto", service=True)
    scopes, lasts = {Permission.READ, Permission.NOTE}, timedelta(days=90)
    await room.sign_in.issue_api_token(pager, "watch the queue", scopes, lasts=lasts, actor="otto")
    await room.keys.add_passkey(otto, "AAAA", b"key", 0, "blue security key")
    night = ChannelRule(hours=ShiftHours("mon-sun 20:00-06:00", "Europe/Berlin"), severity=Severity.HIGH)
    await room.notices.add("night-shift", ChannelKind.APPRISE, "slack://a/b/c", night, actor="otto")
    every = ChannelRule(kinds=frozenset(NoticeKind), contracts=frozenset({POOL, LENDER}))
    channel, _ = await room.notices.add("harbour", ChannelKind.WEBHOOK, "https://hooks.example/x", every, actor="otto")
    await room.notices.test(channel, actor="otto")
    (delivery,) = await room.notices.take()
    await room.notices.settle(delivery, "answered with status 503")


def rules_told(now: datetime) -> RulesInForce:
    """What a gateway says of its rules: one of each kind, one with a hostile name."""
    stable = PublishedRule(
        id="harbour-pool-skew", title="Harbour lends while its pool is skewed", owner="Harbour Lending, risk desk",
        mode="enforce", status="stable", severity=Severity.CRITICAL, confidence=Confidence.HIGH,
        contracts=(LENDER, POOL), selectors=("0xc5ebeaec",), chains=(), expires=date(2099, 6, 30), tests=4,
        source="rules/harbour.yaml:1",
    )  # fmt: skip
    return RulesInForce(
        replica="harbour-gw:7",
        at=now,
        ruleset="5f0c1d2e3a4b5c6d",
        packages=("harbour-detectors 1.2.0", "stopgate 0.1.0"),
        detectors=34,
        since=now - timedelta(hours=7),
        problem="rules/router.yaml:12: detection.amount: no such word: transfer.amout; did you mean amount?",
        problem_since=now - timedelta(minutes=21),
        rules=(
            stable,
            replace(
                stable, id="petras-vault-exit", title="More than a tenth of the vault leaves at once", owner="Petra",
                mode="shadow", severity=Severity.HIGH, contracts=(PETRAS,), selectors=(), chains=(8453,), expires=None,
                tests=2, source="rules/vault.yaml:1",
            ),
            replace(
                stable, id="old-campaign", title="The airdrop of spring pays twice", status="deprecated",
                mode="shadow", severity=Severity.MEDIUM, contracts=(ROUTER,), selectors=(), expires=date(2020, 6, 1),
                tests=1, source="rules/campaign.yaml:1",
            ),
            replace(
                stable, id="any-new-fee", title='<script>alert("x")</script>', owner="operator", mode="off",
                status="experimental", severity=Severity.LOW, contracts=(), selectors=(), expires=None,
                source="rules/own.yaml:40",
            ),
        ),
    )  # fmt: skip


async def seed_rules(room: Room) -> None:
    """One gateway that goes by four rules, and whose files are wrong by now."""
    assert room.heartbeats is not None
    head = HealthItem("chain head", True, "block 21400000, 1.2 s old; 0 reorgs, the deepest of 0")
    await room.heartbeats.beat(GatewayHealth("harbour-gw:7", utc_now(), (head,)))
    await room.rulebook.publish(rules_told(utc_now()), {"harbour-pool-skew": 1204, "petras-vault-exit": 3})
