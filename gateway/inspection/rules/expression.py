"""What an expression of a rule is once it is checked: a type and a closure, and the names it may use."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from gateway.errors import StopgateError
from gateway.inspection.rules.moment import Moment
from gateway.inspection.rules.vocabulary import Type
from gateway.model.primitive import Address

_HEX = re.compile(r"0x[0-9a-fA-F]+")
_LITERALS = {40: Type.ADDRESS, 8: Type.SELECTOR, 64: Type.WORD}
"""digits of a hex literal -> what it is; any other length is a number"""


class ExpressionError(StopgateError):
    """An expression that cannot be understood; the message quotes the part and says what may stand there."""


Run = Callable[[Moment, Any], Any]
"""(moment, item of the innermost quantifier) -> value"""


@dataclass(frozen=True, slots=True)
class Compiled:
    """A checked expression."""

    type: Type
    run: Run
    many: bool = False
    """True for a list of values of `type`"""
    constant: Any = None
    """the value if it is known without a transaction; else None"""


@dataclass(frozen=True, slots=True)
class Names:
    """What a rule defines itself."""

    lists: Mapping[str, Compiled] = field(default_factory=dict)
    macros: Mapping[str, str] = field(default_factory=dict)
    selections: Mapping[str, Compiled] = field(default_factory=dict)
    """those above the expression"""


def constant(type_: Type, value: Any) -> Compiled:
    """A value that is always the same."""
    return Compiled(type_, lambda moment, item: value, constant=value)


def constants(type_: Type, values: Sequence[Any]) -> Compiled:
    """A list of values that is always the same."""
    held = frozenset(values)
    return Compiled(type_, lambda moment, item: held, many=True, constant=held)


def literal(text: str) -> tuple[Type, Any] | None:
    """What a hex literal means: an address, a selector, 32 bytes or a number. None if it is no hex."""
    if not _HEX.fullmatch(text):
        return None
    type_ = _LITERALS.get(len(text) - 2, Type.NUMBER)
    if type_ is Type.NUMBER:
        return type_, int(text, 16)
    data = bytes.fromhex(text[2:])
    return type_, Address(data) if type_ is Type.ADDRESS else data
