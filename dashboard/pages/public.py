"""What anybody may see, and plain messages."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field

from gateway.model.casework import Appeal
from gateway.model.published import Published
from gateway.model.quarantine import TransactionStatus


@dataclass(frozen=True, slots=True)
class StatusPage:
    """What anybody may learn of a transaction."""

    status: TransactionStatus
    sentence: str
    appeals: Sequence[Appeal] = ()
    may_appeal: bool = False
    sender: str = ""
    text: str = ""
    issued: str = ""
    message: str = ""
    """what the sender has to sign; empty before there are words"""
    problem: str = ""


@dataclass(frozen=True, slots=True)
class FiguresPage:
    """Coarse figures for anybody."""

    published: Published
    rows: tuple[tuple[str, int | None], ...]
    """name and count; None: too few to tell"""
    smallest: int


@dataclass(frozen=True, slots=True)
class MessagePage:
    """One message: an error, or that something is done."""

    title: str
    text: str
    back: str = "/"
    details: tuple[str, ...] = field(default=())
