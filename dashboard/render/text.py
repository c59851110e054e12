"""Makes hostile text safe to read: no direction tricks, no invisible letters, no piles of accents, bounded."""

from __future__ import annotations

import unicodedata

from markupsafe import Markup

MOST = 4_000
_MARKS = 2
"""accents kept on one letter"""
_KEPT = frozenset("\n\t")


def clean(text: str, most: int = MOST) -> str:
    """Printable text of at most `most` characters.

    Control, format (bidirectional marks, zero width), private and unassigned characters are shown as their number.
    """
    if text.isascii() and text.isprintable() and len(text) <= most:
        return text
    parts: list[str] = []
    marks = 0
    for letter in text[:most]:
        category = unicodedata.category(letter)
        marks = marks + 1 if category in ("Mn", "Me") else 0
        if marks > _MARKS:
            continue
        if (category[0] == "C" or category in ("Zl", "Zp")) and letter not in _KEPT:
            parts.append(f"\N{MATHEMATICAL LEFT ANGLE BRACKET}U+{ord(letter):04X}\N{MATHEMATICAL RIGHT ANGLE BRACKET}")
        else:
            parts.append(letter)
    if len(text) > most:
        parts.append(f" … (cut: {len(text):,} characters)")
    return "".join(parts)


def finalize(value: object) -> object:
    """What the templates pass every printed expression through; markup was cleaned when it was made."""
    if isinstance(value, Markup):
        return value
    return clean(value) if isinstance(value, str) else value


def symbol(text: str) -> str:
    """A token's own symbol: at most 16 characters, and told if it is not plain ASCII and so may imitate another."""
    short = clean(text, 16) or "?"
    return short if text.isascii() else f"{short} (not ASCII)"


def shorten(text: str) -> str:
    """A hash or address with its middle left out."""
    return text if len(text) <= 14 else f"{text[:8]}…{text[-4:]}"
