"""The catalogue of detectors as a page, made from the classes themselves."""

from __future__ import annotations

import inspect as introspection
from collections import defaultdict
from collections.abc import Iterable

from gateway.inspection.detector import Detector, Family
from gateway.inspection.registry import load

HEAD = """\
# Detectors

Made by `make catalogue` from the classes; edit those, not this page. A finding carries a severity (how bad if true)
and a confidence (how sure); what follows from it is the policy's affair. "Needs accesses" means that the detector
is of no use on an engine that does not record storage reads and writes.
"""


def catalogue(detectors: Iterable[Detector]) -> str:
    """The page: detectors by family, in the order of `Family`, then by id."""
    families: dict[Family, list[Detector]] = defaultdict(list)
    for detector in detectors:
        families[detector.family].append(detector)
    parts = [HEAD]
    for family in Family:
        members = sorted(families[family], key=lambda detector: detector.id)
        if members:
            parts.append(f"## {family.value.capitalize()}\n")
            parts.extend(_entry(detector) for detector in members)
    return "\n".join(parts)


def _entry(detector: Detector) -> str:
    title, _, story = introspection.cleandoc(detector.__doc__ or "").partition("\n\n")
    needs = "; needs accesses" if detector.needs_accesses else ""
    lines = [
        f"### {detector.id}\n",
        f"{title} *Severity {detector.severity.name.lower()}, confidence {detector.confidence.name.lower()}{needs}.*\n",
        f"{story}\n",
        "Honest behaviour that looks alike:\n",
        *(f"- {entry}" for entry in detector.false_positives),
        "\nReferences:\n",
        *(f"- <{entry}>" for entry in detector.references),
        "",
    ]
    return "\n".join(lines)


if __name__ == "__main__":
    print(catalogue(load().detectors), end="")  # noqa: T201 - this is a program: the page goes to standard output
