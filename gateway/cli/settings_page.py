"""Makes docs/settings.md and .env.example from the settings' classes: `make settings`; a test compares them."""

from __future__ import annotations

import ast
import importlib
import inspect
import sys
import textwrap
from collections.abc import Iterator, Mapping
from enum import StrEnum
from pathlib import Path
from typing import Any, Literal, NamedTuple, get_args, get_origin

from pydantic import BaseModel, SecretStr
from pydantic.fields import FieldInfo
from pydantic_settings import BaseSettings

_SINGLE = "single values"


class Setting(NamedTuple):
    """One environment variable."""

    name: str
    takes: str
    default: str
    says: str


class Group(NamedTuple):
    """Settings that stand together."""

    title: str
    says: str
    settings: tuple[Setting, ...]


class Tree(NamedTuple):
    """The settings of one process."""

    title: str
    settings: type[BaseSettings]
    skip: frozenset[str] = frozenset()
    """fields that have their place in another tree"""


def load(text: str) -> Tree:
    """A tree from TITLE=MODULE:CLASS or TITLE=MODULE:CLASS:FIELD,FIELD with fields to skip."""
    title, _, where = text.partition("=")
    module, name, *skip = where.split(":")
    return Tree(title, getattr(importlib.import_module(module), name), frozenset(skip[0].split(",") if skip else ()))


def groups(tree: Tree) -> Iterator[Group]:
    """Every setting of a tree, group by group, as its class has them."""
    settings = tree.settings
    prefix, notes = str(settings.model_config["env_prefix"]), _notes(settings)
    singles = []
    for name, field in settings.model_fields.items():
        if name in tree.skip:
            continue
        if isinstance(field.annotation, type) and issubclass(field.annotation, BaseModel):
            inner = field.annotation
            yield Group(name, inspect.getdoc(inner) or "", tuple(_settings(inner, f"{prefix}{name.upper()}__")))
        else:
            singles.append(_setting(prefix + name.upper(), field, notes.get(name, "")))
    if singles:
        yield Group(_SINGLE, "", tuple(singles))


def _settings(model: type[BaseModel], prefix: str) -> Iterator[Setting]:
    notes = _notes(model)
    for name, field in model.model_fields.items():
        yield _setting(prefix + name.upper(), field, notes.get(name, ""))


def _setting(name: str, field: FieldInfo, says: str) -> Setting:
    bounds = [f"{sign} {bound}" for sign, bound in _bounds(field)]
    return Setting(name, ", ".join([_kind(field.annotation), *bounds]), _default(field.get_default()), says)


def _bounds(field: FieldInfo) -> Iterator[tuple[str, object]]:
    signs = {"ge": "at least", "gt": "above", "le": "at most", "lt": "below"}
    for mark in field.metadata:
        for attribute, words in signs.items():
            bound = getattr(mark, attribute, None)
            if bound is not None:
                yield words, f"{bound:g}" if isinstance(bound, float) else bound


def _kind(annotation: Any) -> str:
    origin = get_origin(annotation)
    if origin is Literal:
        return " or ".join(f"`{_plain(choice)}`" for choice in get_args(annotation))
    if origin in (tuple, frozenset):
        return "list"
    if isinstance(annotation, type) and issubclass(annotation, StrEnum):
        return " or ".join(f"`{choice.value}`" for choice in annotation)
    if origin in (dict, Mapping):
        return "JSON object"
    names = {bool: "true or false", int: "number", float: "number", Path: "path", SecretStr: "secret"}
    return names.get(annotation, "text")


def _plain(value: object) -> str:
    return value.value if isinstance(value, StrEnum) else str(value)


def _default(value: object) -> str:
    match value:
        case SecretStr():
            return ""
        case bool():
            return str(value).lower()
        case float():
            return f"{value:g}" if value < 1e6 else f"{value:.0f}"
        case tuple() | frozenset():
            return ",".join(sorted(map(str, value)))
        case _:
            return _plain(value)


def _notes(model: type[BaseModel]) -> dict[str, str]:
    """The string literal beneath each field."""
    notes, last = {}, ""
    for node in ast.walk(ast.parse(textwrap.dedent(inspect.getsource(model)))):
        if isinstance(node, ast.ClassDef):
            members = node.body
            break
    else:
        return {}
    for node in members:
        if isinstance(node, ast.AnnAssign) and isinstance(node.target, ast.Name):
            last = node.target.id
        elif isinstance(node, ast.Expr) and isinstance(node.value, ast.Constant) and last:
            notes[last], last = " ".join(str(node.value.value).split()), ""
    return notes


_HEAD = """# Settings

Made from the classes by `make settings`; do not edit. Every setting is an environment variable. With `_FILE` appended
its value is read from a file, for secrets. `REDIS_URL` is the one bare name that counts. Times are in seconds unless
the name says otherwise, lists are separated by commas, empty variables count as absent.
"""


def page(*trees: Tree) -> str:
    """docs/settings.md for these trees, each under its title."""
    lines = [_HEAD]
    for tree in trees:
        lines.append(f"## {tree.title}\n")
        for group in groups(tree):
            lines.append(f"### {group.title}\n")
            if group.says:
                lines.append(" ".join(group.says.split()) + "\n")
            lines += ["| variable | takes | default | |", "| --- | --- | --- | --- |"]
            for setting in group.settings:
                default = f"`{setting.default}`" if setting.default else ""
                lines.append(f"| `{setting.name}` | {setting.takes} | {default} | {_cell(setting.says)} |")
            lines.append("")
    return "\n".join(lines)


def _cell(text: str) -> str:
    return text.replace("|", "\\|")


def example(*trees: Tree) -> str:
    """.env.example: every variable, commented out, with its default."""
    lines = ["# Made by `make settings`; docs/settings.md says more. Uncomment what you change.", ""]
    for tree in trees:
        for group in groups(tree):
            lines.append(f"# --- {tree.title}: {group.title}")
            for setting in group.settings:
                lines += textwrap.wrap(setting.says, 116, initial_indent="# ", subsequent_indent="# ")
                lines.append(f"#{setting.name}={setting.default}")
            lines.append("")
    return "\n".join(lines)


def write(root: Path, *trees: Tree) -> None:
    """Write both files below `root`."""
    (root / "docs" / "settings.md").write_text(page(*trees), "utf-8")
    (root / ".env.example").write_text(example(*trees), "utf-8")


if __name__ == "__main__":
    write(Path(sys.argv[1]), *map(load, sys.argv[2:]))
