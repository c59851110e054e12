"""Rule files as text: YAML to plain values, each with its line. No aliases, no repeated keys, no guessed types."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from typing import Any

import yaml

from gateway.errors import ConfigurationError

LARGEST = 256 * 1024
"""characters of one rule file"""
DEEPEST = 8
_WHOLE = re.compile(r"[+-]?[0-9][0-9_]*")
_INTEGER, _TRUTH, _NOTHING = ("tag:yaml.org,2002:" + name for name in ("int", "bool", "null"))

Path = tuple[str | int, ...]
"""keys and positions from the top of a document"""


class RuleError(ConfigurationError):
    """A rule that cannot be loaded: names the file, the line, the part and what to write instead."""


class Manuscript:
    """One document of a rule file."""

    def __init__(self, source: str, node: yaml.Node) -> None:
        """`source` is what errors call the file. Raises RuleError."""
        self.source = source
        self._lines: dict[Path, int] = {(): node.start_mark.line + 1}
        self.content: Any = self._value(node, ())

    def where(self, path: Path = ()) -> str:
        """File and line of a part; of the nearest part above it if it is not there."""
        while path and path not in self._lines:
            path = path[:-1]
        return f"{self.source}:{self._lines[path]}"

    def error(self, path: Path, why: str) -> RuleError:
        """What is wrong with the part at `path`."""
        name = ".".join(str(part) for part in path)
        return RuleError(f"{self.where(path)}: {name + ': ' if name else ''}{why}")

    def _value(self, node: yaml.Node, path: Path) -> Any:
        self._lines[path] = node.start_mark.line + 1
        if len(path) > DEEPEST:
            raise self.error(path, "is nested too deeply for a rule")
        match node:
            case yaml.MappingNode():
                return self._mapping(node, path)
            case yaml.SequenceNode():
                return [self._value(part, (*path, number)) for number, part in enumerate(node.value)]
            case yaml.ScalarNode():
                return _scalar(node)
        raise self.error(path, "is nothing that a rule may hold")

    def _mapping(self, node: yaml.MappingNode, path: Path) -> Mapping[str, Any]:
        found: dict[str, Any] = {}
        for key, value in node.value:
            name = key.value if isinstance(key, yaml.ScalarNode) else None
            if name is None:
                raise self.error(path, "has a key that is no plain word")
            if name in found:
                raise RuleError(f"{self.source}:{key.start_mark.line + 1}: {name} stands twice; keep one")
            found[name] = self._value(value, (*path, name))
        return found


def _scalar(node: yaml.ScalarNode) -> Any:
    """Whole decimal numbers, truths and nothing are themselves; all else is text, hex too."""
    if node.tag == _INTEGER and _WHOLE.fullmatch(node.value):
        return int(node.value.replace("_", ""))
    if node.tag == _TRUTH and node.value.lower() in ("true", "false"):
        return node.value.lower() == "true"
    return None if node.tag == _NOTHING else node.value


def read_manuscripts(text: str, source: str) -> Iterator[Manuscript]:
    """The documents of one file, in order.

    Raises:
        RuleError: it is too long, no YAML, or uses what rule files do not use.
    """
    if len(text) > LARGEST:
        raise RuleError(f"{source}: a rule file has at most {LARGEST:,} characters; split it")
    try:
        for event in yaml.parse(text, Loader=yaml.CSafeLoader):
            if isinstance(event, yaml.AliasEvent):
                line = event.start_mark.line + 1 if event.start_mark is not None else 1
                raise RuleError(f"{source}:{line}: *{event.anchor}: aliases are not followed; use `lists` or `macros`")
        nodes = list(yaml.compose_all(text, Loader=yaml.CSafeLoader))
    except yaml.YAMLError as error:
        mark = getattr(error, "problem_mark", None)
        place = f"{source}:{mark.line + 1}" if mark is not None else source
        why = getattr(error, "problem", None) or "it cannot be read"
        raise RuleError(f"{place}: this is no YAML: {why}") from None
    except RecursionError:
        raise RuleError(f"{source}: it is nested too deeply for a rule") from None
    for node in nodes:
        if node is not None:
            yield Manuscript(source, node)
