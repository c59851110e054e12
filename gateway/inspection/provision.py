"""Which code judges: the distributions that brought detectors, and digests of the sources behind a verdict.

A version alone does not name code: a checkout is worked on, and a package is patched where it is installed. So what
the rule-set hash names is read from the files, once at the start.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from functools import cache
from importlib.metadata import EntryPoint
from importlib.util import find_spec
from pathlib import Path

JUDGING = ("gateway.decoding", "gateway.inspection", "gateway.model")
"""what stands between a simulation's result and its verdict, beside the detectors themselves"""
UNKNOWN = "an unknown distribution"


@dataclass(frozen=True, slots=True)
class Package:
    """A distribution that brought detectors."""

    name: str
    version: str
    """empty if the distribution is unknown"""
    digest: str
    """SHA-256 over the sources of the modules that its detectors come from, hex; empty if there are none to read"""

    def __str__(self) -> str:
        return f"{self.name} {self.version}".rstrip()


def packages_of(points: Iterable[EntryPoint]) -> tuple[Package, ...]:
    """The distributions behind entry points, by name. Nothing but the packages above the modules is imported."""
    modules: dict[tuple[str, str], set[str]] = {}
    for point in points:
        owner = (UNKNOWN, "") if point.dist is None else (point.dist.name, point.dist.version)
        modules.setdefault(owner, set()).add(point.module.partition(".")[0])
    return tuple(
        Package(name, version, sources_digest(tuple(sorted(found))))
        for (name, version), found in sorted(modules.items())
    )


@cache
def judging_digest() -> str:
    """SHA-256 over the gateway's own sources that judge, hex."""
    return sources_digest(JUDGING)


def sources_digest(modules: tuple[str, ...]) -> str:
    """SHA-256 over names and contents of the Python files of some modules and packages, hex; empty if none is found.

    The same files give the same digest in every folder they are installed to.
    """
    digest = hashlib.sha256()
    found = False
    for module in modules:
        for name, path in _sources(module):
            content = hashlib.sha256(path.read_bytes()).hexdigest()
            digest.update(f"{module}/{name} {content}\n".encode())
            found = True
    return digest.hexdigest() if found else ""


def _sources(module: str) -> Iterator[tuple[str, Path]]:
    """Each file by its name below the module, in order."""
    try:
        spec = find_spec(module)
    except ValueError:
        return  # a module that was put together at run time has no spec
    if spec is None:
        return
    if spec.submodule_search_locations is None:
        if spec.origin is not None and spec.origin.endswith(".py"):
            yield Path(spec.origin).name, Path(spec.origin)
        return
    for folder in map(Path, spec.submodule_search_locations):
        for path in sorted(folder.rglob("*.py")):
            yield path.relative_to(folder).as_posix(), path
