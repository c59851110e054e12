"""How expressions are spelled: to Python's parser and back, and in messages."""

from __future__ import annotations

import re

from gateway.inspection.rules.expression import ExpressionError
from gateway.inspection.rules.vocabulary import Type

LONGEST = 4096
"""characters of one expression"""
_FROM = re.compile(r"\bfrom\b")
"""`from` is a word of Python's; it is spelled `from_` while the parser looks at it"""
_FROM_ = re.compile(r"\bfrom_\b")
_QUOTED = re.compile(r"('[^']*'|\"[^\"]*\")")


def python_of(text: str) -> str:
    """The expression as Python's parser takes it. Raises ExpressionError if it is too long or not plain."""
    if len(text) > LONGEST:
        raise ExpressionError(f"an expression has at most {LONGEST} characters, this one {len(text)}; use macros")
    if not text.isascii():
        raise ExpressionError(f"`{shortened(text)}` holds characters that are not ASCII")
    parts = _QUOTED.split(" ".join(text.split()))
    return "".join(part if part[:1] in "'\"" and part else _FROM.sub("from_", part) for part in parts)


def written(text: str) -> str:
    """A piece of what `python_of` gave, as its author wrote it."""
    return _FROM_.sub("from", text)


def with_article(type_: Type) -> str:
    """A type in a sentence."""
    if type_ is Type.WORD:
        return "a word of 32 bytes"
    return f"an {type_}" if type_.value[0] in "aeiou" else f"a {type_}"


def shortened(text: str) -> str:
    """As much of an expression as a message bears."""
    return text if len(text) <= 120 else f"{text[:117]}..."
