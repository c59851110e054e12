"""Where rules come from, and which are in force: files that the operator names, and installed packages of rules."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import replace
from importlib.metadata import entry_points
from importlib.resources import files
from pathlib import Path

from gateway.inspection.rules.author import failures, read_rules
from gateway.inspection.rules.book import RuleBook
from gateway.inspection.rules.manuscript import RuleError
from gateway.inspection.rules.rule import RuleMode
from gateway.model.finding import InspectionReport

GROUP = "stopgate.rules"
"""entry points whose value is a package with rule files in it"""
_ENDINGS = (".yaml", ".yml")
_Mark = tuple[tuple[str, int, int], ...]


class RuleShelf:
    """The book in force. A changed set of files replaces it as a whole, or, if anything in it is wrong, not at all."""

    def __init__(self, paths: Sequence[Path] = (), *, taken: Iterable[str] = (), binding: bool = False) -> None:
        """Read what is there.

        `taken`: ids that no rule may have, for detectors have them. `binding`: let rules in shadow count as if they
        enforced, to see what they would do.

        Raises:
            RuleError: a file is missing or wrong, or a rule fails its own tests.
        """
        self._paths, self._taken, self._binding = tuple(paths), frozenset(taken), binding
        self.fired: Counter[str] = Counter()
        """rule -> transactions that it spoke of since the start"""
        self.problem: str | None = None
        """why the files as they are now are not in force; None if they are"""
        self._mark = self._look()
        self.book = self._read()

    def refresh(self) -> bool:
        """Read again if a file changed; True if another book is in force now. What is wrong is kept in `problem`."""
        try:
            mark = self._look()
            if mark == self._mark:
                return False
            book = self._read()
        except RuleError as error:
            self.problem = str(error)
            return False
        before, self.book, self.problem, self._mark = self.book, book, None, mark
        return before.digest != book.digest

    def count(self, report: InspectionReport) -> None:
        """Note which rules spoke."""
        spoke = {finding.detector_id for finding in report.findings}
        for rule in self.book.rules:
            if rule.id in spoke:
                self.fired[rule.id] += 1

    def _look(self) -> _Mark:
        """Name, time and size of each file."""
        found = []
        for path in rule_files(self._paths):
            try:
                status = path.stat()
            except OSError as error:
                raise RuleError(f"{path}: cannot be read: {error.strerror}") from None
            found.append((str(path), status.st_mtime_ns, status.st_size))
        return tuple(found)

    def _read(self) -> RuleBook:
        book = load_rules(self._paths, taken=self._taken, installed=True)
        if not self._binding:
            return book
        shadows = (
            replace(rule, mode=RuleMode.ENFORCE) if rule.mode is RuleMode.SHADOW else rule for rule in book.rules
        )
        return RuleBook(tuple(shadows), book.digest)


def load_rules(paths: Sequence[Path], *, taken: Iterable[str] = (), installed: bool = False) -> RuleBook:
    """Read, check and try the rules in some files and folders; with `installed` those of packages too.

    Raises:
        RuleError: with one line for each failing test, or the first thing that is wrong.
    """
    texts = {}
    for path in rule_files(paths):
        try:
            texts[str(path)] = path.read_text(encoding="utf-8")
        except (OSError, UnicodeDecodeError) as error:
            raise RuleError(f"{path}: cannot be read as UTF-8 text: {error}") from None
    if installed:
        texts |= _installed()
    book = read_rules(texts)
    clash = next((rule for rule in book.rules if rule.id in frozenset(taken)), None)
    if clash is not None:
        raise RuleError(f"{clash.source}: {clash.id} is the id of a detector; rename the rule")
    wrong = failures(book.rules)
    if wrong:
        raise RuleError("\n".join(wrong))
    return book


def rule_files(paths: Sequence[Path]) -> list[Path]:
    """The files that are named, and the YAML files of the folders that are, in order; RuleError if one is not there."""
    found: list[Path] = []
    for path in paths:
        if path.is_dir():
            found += sorted(file for file in path.rglob("*") if file.suffix in _ENDINGS and file.is_file())
        elif path.is_file():
            found.append(path)
        else:
            raise RuleError(f"{path}: there is no such file or folder of rules")
    return list(dict.fromkeys(found))


def _installed() -> dict[str, str]:
    texts = {}
    for point in entry_points(group=GROUP):
        try:
            folder = files(point.value)
            for entry in sorted(folder.iterdir(), key=lambda one: one.name):
                if entry.name.endswith(_ENDINGS):
                    texts[f"{point.value}/{entry.name}"] = entry.read_text(encoding="utf-8")
        except (ImportError, OSError, UnicodeDecodeError) as error:
            raise RuleError(f"rule package {point.name} ({point.value}) cannot be read: {error}") from error
    return texts
