"""Findings that only live state can make: diverging variants, and contracts that came back with other code."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from gateway.live.codes import CodeStore
from gateway.live.variants import Variant, VariantKind
from gateway.model.finding import Confidence, Finding, Severity
from gateway.model.trace import SimulationResult

EVASION = "simulation-evasion"
RECREATION = "contract-recreated"


def evasion(variants: Sequence[Variant]) -> Finding | None:
    """The finding of variants whose effects differ; None if none does."""
    diverging = [variant for variant in variants if variant.divergence is not None]
    if not diverging:
        return None
    # Time and chance move value in honest code too (rewards, lotteries); who collects the fees does not.
    sure = [variant for variant in diverging if variant.flows and variant.kind is VariantKind.COINBASE]
    flows = [variant for variant in diverging if variant.flows]
    worst = [*sure, *flows, *diverging][0]
    return Finding(
        detector_id=EVASION,
        title="Behaves differently in another block",
        severity=Severity.HIGH if flows else Severity.MEDIUM,
        confidence=Confidence.MEDIUM if sure else Confidence.LOW,
        summary=f"In {worst.kind.difference}, {worst.divergence}.",
        evidence={str(variant.kind): variant.divergence or variant.error or "same" for variant in variants},
        references=("https://github.com/flashbots/op-rbuilder/pull/466",),
    )


def recreations(result: SimulationResult, codes: CodeStore) -> Iterator[Finding]:
    """A finding for each contract this run touches whose code is not what it was, or will not be."""
    reported = set()
    for frame in result.trace.frames:
        address = frame.to
        if address is None or address in reported:
            continue
        change = codes.recreated(address)
        if address in result.created:
            diff = result.state_diff.get(address)
            if diff is not None and diff.code is not None:
                change = codes.would_recreate(address, diff.code[1])
        if change is None:
            continue
        reported.add(address)
        before, after = change
        yield Finding(
            detector_id=RECREATION,
            title="Contract recreated with other code",
            severity=Severity.MEDIUM,
            confidence=Confidence.HIGH,
            summary=f"{address} once ran code {before} and now runs {after}: who trusted it trusts another contract.",
            instrument=address,
            frames=(frame.index,),
            evidence={"code hash before": str(before), "code hash after": str(after)},
            references=("https://eips.ethereum.org/EIPS/eip-1014", "https://eips.ethereum.org/EIPS/eip-6780"),
        )
