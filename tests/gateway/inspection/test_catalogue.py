from __future__ import annotations

from pathlib import Path

import detectors
from gateway.inspection.catalogue import catalogue
from gateway.inspection.registry import load

PAGE = Path(detectors.__file__).parent / "README.md"


def test_the_page_is_what_the_classes_say() -> None:
    assert PAGE.read_text(encoding="utf-8") == catalogue(load().detectors), "run make catalogue"


def test_every_detector_is_named_once_with_its_look_alikes() -> None:
    ruleset = load()
    page = catalogue(ruleset.detectors)
    for detector in ruleset.detectors:
        assert page.count(f"### {detector.id}\n") == 1
        assert all(f"- {entry}\n" in page for entry in detector.false_positives)
