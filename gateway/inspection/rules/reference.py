"""The language of rules as tables, from the vocabulary itself: for the terminal and for docs/rules.md."""

from __future__ import annotations

import sys
from collections.abc import Mapping

from gateway.inspection.rules.vocabulary import COLLECTIONS, FUNCTIONS, GLOBALS

Rows = Mapping[str, tuple[str, str]]
"""word -> (what it is, what it means)"""
BEGIN, END = "<!-- begin vocabulary -->", "<!-- end vocabulary -->"

_QUANTIFIERS: Rows = {
    "any(calls, condition)": ("truth", "one of them fits"),
    "all(calls, condition)": ("truth", "none of them does not"),
    "count(calls), count(calls, condition)": ("number", "how many there are; how many fit"),
    "sum(transfers, amount), sum(transfers, amount, condition)": ("number", "the sum over all, or over those that fit"),
    "max(...), min(...)": ("number", "the same for the largest and the smallest; 0 if there is none"),
    "outer.field": ("", "within two quantifiers: a field of the outer one's item"),
}
_SIGNS: Rows = {
    "and or not": ("truth", "stop as soon as the answer is known"),
    "== != in, not in": ("truth", "for values of one type; `in` for lists: [a, b], or a name below `lists`"),
    "< <= > >=": ("truth", "for numbers; 0 < amount <= 5 may be written in one"),
    "+ - * // %": ("number", "whole numbers of any size; // and % by zero fail the rule"),
    "a if condition else b": ("", "one of two values of one type"),
    "coin": ("address", "the chain's own coin, where a token is asked for (the zero address)"),
    "contracts": ("list of addresses", "the contracts of the scope"),
}


def reference() -> dict[str, Rows]:
    """Title -> rows, in the order of the page."""
    parts: dict[str, Rows] = {"signs": _SIGNS, "quantifiers": _QUANTIFIERS}
    parts["the transaction"] = {name: (field.type, field.meaning) for name, field in GLOBALS.items()}
    for name, collection in COLLECTIONS.items():
        rows = {word: (str(field.type), field.meaning) for word, field in collection.fields.items()}
        rows |= {f"{word}(n)": (str(reader.type), reader.meaning) for word, reader in collection.readers.items()}
        parts[f"{name}: {collection.meaning}"] = rows
    parts["functions"] = {f"{name}({one.shown})": (one.gives, one.meaning) for name, one in FUNCTIONS.items()}
    return parts


def page(text: str) -> str:
    """`text` with the tables between its two marks made anew."""
    head, _, rest = text.partition(BEGIN)
    _, _, tail = rest.partition(END)
    tables = []
    for title, rows in reference().items():
        tables += [f"**{title[0].upper()}{title[1:]}**", "", "| word | is | meaning |", "| --- | --- | --- |"]
        tables += [f"| `{word}` | {kind} | {meaning} |" for word, (kind, meaning) in rows.items()]
        tables.append("")
    return f"{head}{BEGIN}\n\n" + "\n".join(tables) + f"\n{END}{tail}"


if __name__ == "__main__":
    sys.stdout.write(page(sys.stdin.read()))
