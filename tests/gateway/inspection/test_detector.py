import pytest

from gateway.errors import ConfigurationError
from gateway.inspection.detector import Detector, Family
from gateway.inspection.registry import load, ruleset
from gateway.model.finding import Confidence, Severity

WHOLE = {
    "__doc__": "It is bad.\n\nThis is how it goes.",
    "__module__": "tests",
    "id": "whole",
    "family": Family.ACCESS,
    "severity": Severity.HIGH,
    "confidence": Confidence.HIGH,
    "references": ("https://example.org",),
    "false_positives": ("Somebody honest.",),
    "inspect": lambda self, subject: (),
}


def make(**changed):
    members = {**WHOLE, **changed}
    return type("Made", (Detector,), {name: value for name, value in members.items() if value is not None})


def test_a_whole_document_makes_a_detector():
    assert make().title == "It is bad"


@pytest.mark.parametrize(
    ("changed", "named"),
    [
        ({"__doc__": "One line."}, "docstring"),
        ({"id": "Not Kebab"}, "kebab-case id"),
        ({"family": None}, "family"),
        ({"severity": None}, "severity"),
        ({"confidence": None}, "confidence"),
        ({"references": ()}, "references"),
        ({"false_positives": ()}, "false_positives"),
    ],
)
def test_an_incomplete_document_is_refused_at_class_creation(changed, named):
    with pytest.raises(ConfigurationError, match=named):
        make(**changed)


def test_every_installed_detector_loads_and_the_hash_follows_the_set():
    whole = load()
    assert len({detector.id for detector in whole.detectors}) == len(whole.detectors) >= 6
    fewer = load(disabled=frozenset({whole.detectors[0].id}))
    assert len(fewer.detectors) == len(whole.detectors) - 1
    assert fewer.hash != whole.hash == load().hash


def test_unknown_ids_and_an_empty_set_refuse_to_start():
    with pytest.raises(ConfigurationError, match="no-such-detector"):
        load(enabled=frozenset({"no-such-detector"}))
    with pytest.raises(ConfigurationError, match="no detectors"):
        ruleset([])
