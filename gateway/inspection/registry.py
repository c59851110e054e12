"""Finds detectors by entry point and refuses to start with a set that is not whole."""

from __future__ import annotations

import hashlib
import inspect as introspection
import json
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from importlib.metadata import EntryPoint, entry_points, version
from pathlib import Path

from gateway.errors import ConfigurationError
from gateway.inspection.detector import Detector
from gateway.inspection.need import Need
from gateway.inspection.provision import UNKNOWN, Package, judging_digest, packages_of
from gateway.inspection.rules.book import RuleBook
from gateway.inspection.rules.shelf import RuleShelf
from gateway.model.finding import DetectorOutcome, OutcomeStatus
from gateway.model.lazy import cached_property

GROUP = "stopgate.detectors"


@dataclass(frozen=True)
class Ruleset:
    """The detectors that run, cheapest first, the rules of protocols, and the hash every verdict carries."""

    detectors: tuple[Detector, ...]
    detectors_hash: str
    """first 16 hex digits of SHA-256 over what each detector says of itself, the code of the packages that brought
    them, and the code that judges"""
    shelf: RuleShelf = field(default_factory=RuleShelf)
    """the protocols' own rules"""
    packages: tuple[Package, ...] = ()
    """the distributions that brought the detectors"""

    @property
    def hash(self) -> str:
        """Names detectors and rules as they are now; 16 hex digits."""
        return self.hash_with(self.shelf.book)

    def hash_with(self, book: RuleBook) -> str:
        """The hash while `book` is in force."""
        if not book.digest:
            return self.detectors_hash
        return hashlib.sha256(f"{self.detectors_hash} {book.digest}".encode()).hexdigest()[:16]

    @cached_property
    def each(self) -> tuple[tuple[Detector, frozenset[Need], DetectorOutcome], ...]:
        """Each detector with what it needs, and its outcome where one of that does not hold."""
        return tuple((one, one.needs, DetectorOutcome(one.id, OutcomeStatus.COMPLETED, 0.0)) for one in self.detectors)


def load(
    *,
    enabled: frozenset[str] = frozenset(),
    disabled: frozenset[str] = frozenset(),
    rules: Sequence[Path] = (),
    binding: bool = False,
    found: Iterable[EntryPoint] | None = None,
) -> Ruleset:
    """Import and construct the detectors that are installed, and read the rules of protocols.

    `enabled` empty means all detectors; `rules` are files and folders; with `binding` those in shadow
    count as if they enforced. `found` replaces the installed entry points,
    for tests.

    Raises:
        ConfigurationError: an id in the settings is unknown, two detectors share an id, a class cannot be imported
            or is no detector, its id differs from its entry point, or nothing is left to run.
        RuleError: a rule cannot be loaded.
    """
    points = tuple(entry_points(group=GROUP) if found is None else found)
    names = [point.name for point in points]
    duplicates = sorted({name for name in names if names.count(name) > 1})
    if duplicates:
        twice = "; ".join(f"{name} by {_owners(points, name)}" for name in duplicates)
        raise ConfigurationError(f"detector ids installed twice: {twice}; uninstall one of each")
    unknown = sorted((enabled | disabled) - set(names))
    if unknown:
        raise ConfigurationError(
            f"settings name unknown detectors: {', '.join(unknown)}; known: {', '.join(sorted(names))}"
        )
    chosen = [point for point in points if (not enabled or point.name in enabled) and point.name not in disabled]
    constructed = [_construct(point) for point in chosen]
    return ruleset(constructed, RuleShelf(rules, taken=names, binding=binding), packages_of(chosen))


def ruleset(
    detectors: Iterable[Detector], shelf: RuleShelf | None = None, packages: tuple[Package, ...] = ()
) -> Ruleset:
    """Order detectors by cost and hash them with the code behind them; ConfigurationError if there are none."""
    ordered = tuple(sorted(detectors, key=lambda detector: (detector.cost, detector.id)))
    if not ordered:
        raise ConfigurationError("no detectors are enabled; install some or mend the settings")
    spoken = [[d.id, int(d.severity), int(d.confidence), d.__doc__] for d in sorted(ordered, key=lambda d: d.id)]
    brought = [[package.name, package.version, package.digest] for package in packages]
    document = json.dumps([version("stopgate"), judging_digest(), brought, spoken])
    digest = hashlib.sha256(document.encode()).hexdigest()[:16]
    return Ruleset(ordered, digest, RuleShelf() if shelf is None else shelf, packages)


def _construct(point: EntryPoint) -> Detector:
    where = f"detector {point.name} ({point.value}, installed by {_owner(point)})"
    hint = f"mend or uninstall it, or start without it: STOPGATE_INSPECTION__DISABLED_DETECTORS={point.name}"
    try:
        loaded = point.load()
    except ConfigurationError as error:
        raise ConfigurationError(f"{where}: {error}; {hint}") from error
    except Exception as error:
        # Whatever somebody else's module does wrong while it is read, the operator has to know whose it is.
        raise ConfigurationError(f"{where} cannot be imported: {type(error).__name__}: {error}; {hint}") from error
    if not (isinstance(loaded, type) and issubclass(loaded, Detector)):
        raise ConfigurationError(f"{where} is no subclass of gateway.plugin.Detector; {hint}")
    if introspection.isabstract(loaded):
        raise ConfigurationError(f"{where} does not define {', '.join(sorted(loaded.__abstractmethods__))}; {hint}")
    if loaded.id != point.name:
        raise ConfigurationError(f"{where} has the id {loaded.id!r}; the entry point's name must be the same; {hint}")
    try:
        return loaded()
    except Exception as error:
        # As above, for its constructor.
        raise ConfigurationError(f"{where} cannot be made: {type(error).__name__}: {error}; {hint}") from error


def _owner(point: EntryPoint) -> str:
    return f"{point.dist.name} {point.dist.version}" if point.dist is not None else UNKNOWN


def _owners(points: Iterable[EntryPoint], name: str) -> str:
    return " and ".join(_owner(point) for point in points if point.name == name)
