"""Copies of an attacker's own contract are known; what honest people share makes no signature and matches none."""

from __future__ import annotations

import time
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path

import pytest

import fixtures
from gateway.evaluate.case import Case, read_case
from gateway.evaluate.command import make_simulator
from gateway.evm.simulator import REPLAY
from gateway.inspection.knowledge.copycat import Recogniser, own_contracts, signatures_of
from gateway.inspection.knowledge.provenance import created_address
from gateway.inspection.policy import decide
from gateway.model.finding import InspectionReport, Severity
from gateway.model.primitive import Address, Hash32
from gateway.model.signature import Signature, SignatureKind
from gateway.model.trace import SimulationResult
from gateway.model.transaction import Transaction
from gateway.model.verdict import Action

NOW = datetime(2026, 1, 1, tzinfo=UTC)
CASES = Path(fixtures.__file__).parent / "cases"


def case(name: str) -> Case:
    return read_case(CASES / f"{name}.json.zst")


async def run(name: str) -> list[tuple[Transaction, SimulationResult]]:
    """Every transaction of a recorded act with its result."""
    simulator, recorded = make_simulator("auto"), case(name)
    world = simulator.world(complete=True)
    world.load(recorded.prestate)
    done = []
    for move in recorded.moves:
        result = await simulator.simulate(world, move.transaction, move.block, checks=REPLAY)
        world.apply(result.state_diff)
        done.append((move.transaction, result))
    await simulator.close()
    return done


def nobody(contract: Address) -> Address | None:
    return None


def sign(transaction: Transaction, result: SimulationResult, creator: object = nobody) -> tuple[Signature, ...]:
    return signatures_of(
        transaction,
        result,
        lambda hash: None,
        creator,
        case_id="c1",
        author="ann",
        now=NOW,  # type: ignore[arg-type]
    )


def recogniser(*signatures: Signature, known: frozenset[Address] = frozenset()) -> Recogniser:
    made = Recogniser(well_known=known.__contains__, creator=nobody)
    made.replace(replace(signature, id=number + 1) for number, signature in enumerate(signatures))
    return made


async def test_a_router_call_makes_no_signature_and_so_stops_nobody() -> None:
    for name in ("payments.swap", "payments.whale-swap", "confused-deputy.aggregated-swap"):
        for transaction, result in await run(name):
            assert sign(transaction, result) == ()


async def test_not_even_a_forced_signature_of_a_router_call_stops_honest_people() -> None:
    """Somebody vouches that the router is the attacker's: its other users pass once it is known as a public place."""
    ((transaction, result),) = [pair for pair in await run("payments.swap") if pair[0].to is not None][-1:]
    signatures = sign(transaction, result, lambda contract: transaction.sender)
    router = transaction.to
    assert router is not None
    assert signatures
    assert recogniser(*signatures).after(transaction, result, NOW)
    public = recogniser(*signatures, known=frozenset({router}))
    for name in ("payments.swap", "payments.whale-swap"):
        for other, outcome in await run(name):
            assert public.before(other, None, NOW) == ()
            assert public.after(other, outcome, NOW) == ()


@pytest.fixture
async def attack() -> tuple[Transaction, SimulationResult]:
    """The strike of a re-entrancy, through a contract that the thief had deployed."""
    done = await run("spot-oracle.spot-oracle-borrow")
    return next(pair for pair in reversed(done) if pair[0].to is not None)


async def test_the_thief_s_own_contract_is_proved_by_arithmetic(attack: tuple[Transaction, SimulationResult]) -> None:
    transaction, result = attack
    assert transaction.to in own_contracts(transaction, result.trace, nobody)
    stranger = replace(transaction, sender=Address(b"\x05" * 20))
    assert own_contracts(stranger, result.trace, nobody) == frozenset()


async def test_a_copy_is_known_before_simulation_and_held_by_its_own_clause(
    attack: tuple[Transaction, SimulationResult],
) -> None:
    transaction, result = attack
    signatures = sign(transaction, result)
    assert SignatureKind.CODE in {signature.kind for signature in signatures}
    code = (result.trace.codes or {})[result.trace.frames[0].code_hash or Hash32()]
    sender = Address(b"\x06" * 20)
    copy = replace(transaction, sender=sender, to=created_address(sender, 0), nonce=1)
    knows = recogniser(*signatures)
    started = time.perf_counter()
    (found,) = knows.before(copy, code, NOW)
    assert time.perf_counter() - started < 0.1
    assert found.severity is Severity.HIGH
    assert "case c1" in found.summary
    verdict = decide(InspectionReport((found,), (), simulated=False, error="the engine fell over"))
    assert (verdict.action, verdict.clause) == (Action.HOLD, "copycat")
    assert knows.before(copy, code, NOW)
    assert set(knows.take_hits().values()) == {1}, "one transaction counts once"
    assert knows.take_hits() == {}


async def test_a_shadow_signature_only_leaves_a_note(attack: tuple[Transaction, SimulationResult]) -> None:
    transaction, result = attack
    shadows = [replace(one, state=type(one.state)("shadow")) for one in sign(transaction, result)]
    found = recogniser(*shadows).after(transaction, result, NOW)
    assert [one.severity for one in found] == [Severity.INFO]
    assert decide(InspectionReport(found, (), simulated=True)).action is Action.FORWARD


async def test_honest_acts_match_no_signature_of_any_exploit() -> None:
    signatures: list[Signature] = []
    for path in sorted(CASES.glob("*.json.zst")):
        recorded = read_case(path)
        if not recorded.honest and len(signatures) < 40:
            for transaction, result in await run(path.name.removesuffix(".json.zst")):
                signatures += sign(transaction, result)
    assert len(signatures) > 5
    knows = recogniser(*signatures)
    for name in (
        "spot-oracle.flash-arbitrage",
        "spot-oracle.flash-liquidation",
        "payments.swap",
        "payments.deployment",
    ):
        for transaction, result in await run(name):
            assert knows.before(transaction, None, NOW) == ()
            assert knows.after(transaction, result, NOW) == ()
