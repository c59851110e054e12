"""The sentence of a rule: text with gaps, each filled by a named part of the detection."""

from __future__ import annotations

import string
from collections.abc import Callable, Mapping

from gateway.inspection.rules.expression import Compiled
from gateway.inspection.rules.manuscript import Manuscript
from gateway.inspection.rules.moment import Moment
from gateway.inspection.rules.rule import shown

Sentence = tuple[str | Callable[[Moment], str], ...]


def read_summary(manuscript: Manuscript, text: str, selections: Mapping[str, Compiled]) -> Sentence:
    """Its pieces in order; functions fill the gaps.

    Raises:
        RuleError: braces do not match, or a gap names nothing of the detection.
    """
    parts: list[str | Callable[[Moment], str]] = []
    try:
        pieces = list(string.Formatter().parse(text))
    except ValueError as error:
        raise manuscript.error(("summary",), f"its braces do not match: {error}") from None
    for words, gap, format_, conversion in pieces:
        parts.append(words)
        if gap is None:
            continue
        if gap not in selections or format_ or conversion:
            own = ", ".join(selections) or "none yet"
            raise manuscript.error(("summary",), f"{{{gap}}} is no part of the detection; there are {own}")
        parts.append(_gap(selections[gap]))
    return tuple(parts)


def _gap(part: Compiled) -> Callable[[Moment], str]:
    return lambda moment: shown(part.type, part.run(moment, None))
