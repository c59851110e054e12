"""Which files may stand beside a case, and who is named in a note."""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Sequence

from gateway.errors import StopgateError
from gateway.model.account import Account, Permission
from gateway.model.casework import Attachment
from gateway.store.casework.evidence import MOST_BYTES

_TEXT = {"txt": "text/plain", "log": "text/plain", "md": "text/markdown", "csv": "text/csv", "json": "application/json"}
_BINARY = {
    "pdf": ("application/pdf", b"%PDF-"),
    "png": ("image/png", b"\x89PNG\r\n\x1a\n"),
    "jpg": ("image/jpeg", b"\xff\xd8\xff"),
    "jpeg": ("image/jpeg", b"\xff\xd8\xff"),
}
TYPES = tuple(sorted({*_TEXT, *_BINARY}))
_MENTION = re.compile(r"(?<![\w.@-])@([a-z0-9][a-z0-9_.-]{0,63})", re.IGNORECASE)
MOST_MENTIONS = 10


class FileRefused(StopgateError):
    """The file is not kept; the text says why."""


def checked_file(name: str, data: bytes) -> tuple[str, str]:
    """The name it is kept under and its media type, by its ending and its first bytes. It is never shown, only sent.

    Raises:
        FileRefused: empty, too large, of no type that is kept, or not what its ending says.
    """
    if not data:
        raise FileRefused("The file is empty.")
    if len(data) > MOST_BYTES:
        raise FileRefused(f"The file has {len(data):,} bytes; at most {MOST_BYTES:,} are kept.")
    last = re.split(r"[/\\]", name)[-1]
    kept = "".join(letter for letter in last if unicodedata.category(letter)[0] not in "CZ" or letter == " ")
    kept = re.sub(r'["<>:|?*]', "_", kept).strip(". ")[-100:]
    ending = kept.rpartition(".")[2].lower()
    if ending in _TEXT and kept != ending:
        try:
            data.decode("utf-8")
        except UnicodeDecodeError as error:
            raise FileRefused(f"The file ends in .{ending} but is not UTF-8 text.") from error
        return kept, _TEXT[ending]
    media_type, begins = _BINARY.get(ending, ("", b""))
    if not media_type or kept == ending:
        raise FileRefused(f"Files of this type are not kept; these are: {', '.join(TYPES)}.")
    if not data.startswith(begins):
        raise FileRefused(f"The file ends in .{ending} but does not begin like one.")
    return kept, media_type


def may_take_away(account: Account, kept: Attachment) -> bool:
    """Its author, or anybody who may decide."""
    return kept.author == account.name or account.may(Permission.DECIDE)


def mentioned(text: str, accounts: Sequence[Account], author: str) -> frozenset[str]:
    """Names of accounts after an @ in the text, not the author's own; at most ten, in the order of the text."""
    there = {account.name for account in accounts if account.disabled_at is None}
    named = dict.fromkeys(match.lower().rstrip(".-") for match in _MENTION.findall(text[:4_000]))
    return frozenset([name for name in named if name in there and name != author][:MOST_MENTIONS])
