"""Signatures, allow list and deployments reach the process that judges, and come back into the record."""

from __future__ import annotations

import dataclasses
from datetime import timedelta

import pytest

from fixtures.artifact import artifact
from gateway.inspection.knowledge.provenance import created_address
from gateway.model.account import Mark
from gateway.model.facts import Facts
from gateway.model.finding import InspectionReport, Severity
from gateway.model.primitive import Address, Hash32
from gateway.model.trace import FrameKind, SimulationResult
from gateway.model.transaction import Transaction
from gateway.model.trust import Reputation
from gateway.model.verdict import Action
from gateway.pipeline import Judgement
from gateway.store.cases.record import SqlRecord
from gateway.store.casework.desk import Desk
from gateway.store.database import Database
from gateway.store.knowledge.deployments import Deployments
from gateway.store.knowledge.signatures import Signatures
from gateway.store.knowledge.trust import TrustBook
from gateway.tasks.knowledge import Knowledge
from tests.cases import NOON, Clock, detail, entry, transaction, verdict
from tests.makers import CODE, Tape, account

ATTACKER, OTHER = account(1), account(60)
OWN, COPY = created_address(ATTACKER, 1), created_address(OTHER, 0)
ATTACK_CODE = artifact("SpotOracleAttack").runtime


def attack(sender: Address = ATTACKER, to: Address = OWN) -> Transaction:
    return dataclasses.replace(transaction(5), sender=sender, to=to, input=b"\x01\x02\x03\x04")


def run_of(to: Address = OWN, *, creates: Address | None = None) -> SimulationResult:
    tape = Tape()
    with tape.call(to, data=b"\x01\x02\x03\x04"):
        if creates is not None:
            with tape.call(creates, kind=FrameKind.CREATE, output=ATTACK_CODE):
                pass
    return tape.result({CODE: ATTACK_CODE})


class Bench:
    """One database, and as many replicas as a test wants."""

    def __init__(self, database: Database, clock: Clock) -> None:
        self.record, self.desk = SqlRecord(database, now=clock), Desk(database, now=clock)
        self.signatures, self.book = Signatures(database, now=clock), TrustBook(database, now=clock)
        self.deployments, self.clock = Deployments(database), clock
        self.history: dict[Address, Reputation] = {}

    def replica(self) -> Knowledge:
        return Knowledge(
            self.record,
            self.signatures,
            self.book,
            self.deployments,
            code_of=lambda hash: ATTACK_CODE if hash == CODE else None,
            reputation=self.history.get,
            creator=lambda contract: None,
            now=self.clock,
        )

    async def confirm(self, judged: Transaction, simulation: SimulationResult) -> None:
        await self.record.hold(
            entry(5, sender=judged.sender, to=judged.to), detail(5, transaction=judged, simulation=simulation)
        )
        await self.desk.mark("case-5", Mark.CONFIRMED, "ann", "it borrows against a false price")


@pytest.fixture
def bench(database: Database, clock: Clock) -> Bench:
    return Bench(database, clock)


async def test_a_confirmed_case_makes_every_replica_know_its_copies_until_it_is_undone(bench: Bench) -> None:
    one, two = bench.replica(), bench.replica()
    await bench.confirm(attack(), run_of())
    await one.once()
    await two.once()
    assert len(await bench.signatures.speaking()) == 1, "two replicas make it once"
    copy = attack(OTHER, COPY)
    for replica in (one, two):
        (found,) = replica.recognise(copy, ATTACK_CODE)
        assert found.severity is Severity.HIGH
        assert found.evidence["case"] == "case-5"
    assert two.recognise(copy, None) == ()
    (again,) = two.add_to(InspectionReport((), (), simulated=True), copy, run_of(COPY))
    assert again.evidence["case"] == "case-5"
    await one.once()
    assert (await bench.signatures.listed())[0].hits == 1
    (mark,) = (await bench.desk.marks(["case-5"]))["case-5"]
    await bench.desk.undo_mark("case-5", mark.id, "ann")
    await two.once()
    assert two.recognise(copy, ATTACK_CODE) == ()


async def test_a_confirmed_call_of_somebody_else_s_contract_makes_no_signature(bench: Bench) -> None:
    knows = bench.replica()
    await bench.confirm(attack(to=account(99)), run_of(account(99)))
    await knows.once()
    assert await bench.signatures.listed() == []


async def test_a_public_contract_gets_none_and_matches_none(bench: Bench) -> None:
    public = Reputation(COPY, 500, 20, NOON - timedelta(days=3), NOON)
    knows = bench.replica()
    await bench.confirm(attack(), run_of())
    await knows.once()
    bench.history[COPY] = public
    assert knows.recognise(attack(OTHER, COPY), ATTACK_CODE) == ()
    bench.history.clear()
    await bench.book.add(author="lead", reason="ours", expires_at=NOON + timedelta(days=1), contract=COPY)
    await knows.once()
    assert knows.recognise(attack(OTHER, COPY), ATTACK_CODE) == ()


async def test_what_was_deployed_is_known_to_every_replica_when_it_is_called(bench: Bench) -> None:
    one, two = bench.replica(), bench.replica()
    one.offer(Judgement(attack(), verdict(action=Action.HOLD), run_of(creates=COPY), Facts()))
    await one.once()
    assert await bench.deployments.of(COPY) is None, "what is held was not deployed"
    one.offer(Judgement(attack(), verdict(action=Action.FORWARD), run_of(creates=COPY), Facts()))
    await one.once()
    await two.once()
    kept = await bench.deployments.of(COPY)
    assert kept is not None
    assert kept.selectors > 0
    assert two.creator(COPY) == ATTACKER
    report = verdict().report
    (found,) = two.add_to(report, attack(OTHER, COPY), run_of(COPY))
    assert (found.detector_id, found.attacker) == ("deployment", ATTACKER)
    assert two.add_to(InspectionReport((), (), simulated=True), attack(OTHER, COPY), run_of(COPY)) == []


async def test_the_allow_list_is_followed(bench: Bench) -> None:
    knows = bench.replica()
    number = await bench.book.add(author="lead", reason="ours", expires_at=NOON + timedelta(days=1), sender=ATTACKER)
    await knows.once()
    report = InspectionReport((dataclasses.replace(verdict().report.findings[0], severity=Severity.HIGH),), (), True)
    assert knows.lower(report, attack()).notes
    await bench.book.withdraw(number, "lead", "no longer ours")
    await knows.once()
    assert knows.lower(report, attack()).notes == ()


async def test_deployments_are_bounded(database: Database, bench: Bench) -> None:
    kept = Deployments(database, most=3)
    knows = bench.replica()
    for number in range(5):
        simulation = run_of(creates=account(200 + number))
        judged = dataclasses.replace(attack(), raw=dataclasses.replace(attack().raw, hash=Hash32(bytes([number]) * 32)))
        knows.offer(Judgement(judged, verdict(action=Action.FORWARD), simulation, Facts()))
    await knows.once()
    assert await kept.latest() == 5
    await kept.add([seen for _, seen in await kept.after(0)][:1])
    assert [seen.address for _, seen in await kept.after(0)] == [account(200 + number) for number in (2, 3, 4)]
