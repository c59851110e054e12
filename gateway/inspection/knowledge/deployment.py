"""Facts of a deployment, and what they mean when the contract is called: evidence beside findings, never alone."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from datetime import UTC, datetime, timedelta

from gateway.inspection.knowledge.provenance import CALLBACKS, embedded_addresses, selectors
from gateway.model.deployment import Deployment
from gateway.model.finding import Confidence, Finding, InspectionReport, Severity
from gateway.model.primitive import Address
from gateway.model.trace import FrameKind, SimulationResult
from gateway.model.transaction import Transaction

DETECTOR = "deployment"
FRESH = timedelta(days=1)
"""age up to which a deployment says something of the call"""
MOST_CREATED = 16
"""contracts of one transaction that are looked at"""
_CREATIONS = (FrameKind.CREATE, FrameKind.CREATE2)

DeploymentOf = Callable[[Address], Deployment | None]


def deployments_of(transaction: Transaction, simulation: SimulationResult, at: datetime) -> Iterator[Deployment]:
    """The contracts that a transaction created. Milliseconds for each: not for the hot path."""
    frames = simulation.trace.frames
    created = [frame for frame in frames if frame.kind in _CREATIONS and frame.to is not None and not frame.reverted]
    for frame in created[:MOST_CREATED]:
        if frame.to is None or not frame.output:
            continue
        names = selectors(frame.output)
        yield Deployment(
            address=frame.to,
            creator=transaction.sender,
            transaction=transaction.hash,
            at=at,
            code_size=len(frame.output),
            selectors=len(names),
            callbacks=tuple(CALLBACKS[name] for name in names if name in CALLBACKS),
            embedded=embedded_addresses(frame.output),
            effects=tuple(_constructor_effects(simulation, frame.index)),
        )


def _constructor_effects(simulation: SimulationResult, index: int) -> Iterator[str]:
    """What the constructor did to others, one phrase each."""
    frames = simulation.trace.frames
    inside = {index}
    for frame in frames[index + 1 :]:
        if frame.parent in inside:
            inside.add(frame.index)
    calls = {frames[number].to for number in inside if frames[number].kind is FrameKind.CALL}
    if calls:
        yield f"called {len(calls)} other contract{'s' if len(calls) > 1 else ''}"
    logs = [log for log in simulation.trace.logs if log.frame in inside and not log.reverted]
    if logs:
        yield f"caused {len(logs)} event{'s' if len(logs) > 1 else ''}"
    value = frames[index].value
    if value:
        yield f"was given {value} wei"


def prepared(transaction: Transaction, report: InspectionReport, known: DeploymentOf, now: datetime) -> Finding | None:
    """What the deployment of the called contract adds to the findings there are; None without findings.

    INFO, for the analyst. MEDIUM, and so a voice in the fusion, if the fresh code names a victim of a finding.
    """
    if transaction.to is None or not report.findings:
        return None
    seen = known(transaction.to)
    if seen is None:
        return None
    age = now.astimezone(UTC) - seen.at
    victims = {finding.victim for finding in report.findings if finding.severity >= Severity.MEDIUM} - {None}
    named = [address for address in seen.embedded if address in victims]
    aimed = bool(named) and age <= FRESH
    evidence = {
        "deployed": f"{seen.at:%Y-%m-%d %H:%M:%S} UTC by {seen.creator} in {seen.transaction}",
        "code": f"{seen.code_size} bytes, {seen.selectors} functions",
    }
    if seen.callbacks:
        evidence["callbacks"] = ", ".join(seen.callbacks)
    if seen.embedded:
        evidence["addresses in its code"] = ", ".join(str(address) for address in seen.embedded[:8])
    if seen.effects:
        evidence["constructor"] = "; ".join(seen.effects)
    how_old = _age(age)
    what = f"its code names the victim {named[0]}" if named else "what its code shows is listed here"
    return Finding(
        detector_id=DETECTOR,
        title="The called contract was prepared for this" if aimed else "What is known of the called contract",
        severity=Severity.MEDIUM if aimed else Severity.INFO,
        confidence=Confidence.MEDIUM,
        summary=f"{transaction.to} was deployed {how_old} ago; {what}.",
        attacker=seen.creator,
        instrument=transaction.to,
        evidence=evidence,
    )


def _age(age: timedelta) -> str:
    minutes = max(0, int(age.total_seconds() // 60))
    if minutes < 120:
        return f"{minutes} minutes"
    return f"{minutes // 60} hours" if minutes < 2 * 24 * 60 else f"{minutes // (24 * 60)} days"
