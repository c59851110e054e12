"""What a sender signs to be heard, and the check of it.

The text is signed by EIP-191 (`personal_sign`), which every wallet and every command-line signer speaks. It names the
chain, the transaction and the minute, so that a signature is good for nothing else and not for ever.
"""

from __future__ import annotations

import unicodedata
from datetime import UTC, datetime, timedelta

from gateway.decoding.keccak import keccak256
from gateway.decoding.signature import recover
from gateway.errors import DecodingError, StopgateError
from gateway.model.primitive import Address, Hash32
from gateway.model.quarantine import WAITING, CaseState

MOST_TEXT = 1_000
"""characters"""
LASTS = timedelta(hours=1)
"""how old a signed text may be"""
_AHEAD = timedelta(minutes=2)
"""how far a clock may be ahead"""
MAY_APPEAL = WAITING | {CaseState.REJECTED}


class AppealRefused(StopgateError):
    """The appeal is not taken; the text says what to do, and nothing about the case."""


def plain(text: str) -> str:
    """What may be said: printable lines. Browsers send line ends as CR LF; wallets are given LF."""
    lines = text.replace("\r\n", "\n").replace("\r", "\n").strip()
    return "".join(letter for letter in lines if letter == "\n" or unicodedata.category(letter)[0] != "C")[:MOST_TEXT]


def message_for(chain_id: int | None, hash: Hash32, issued: datetime, text: str) -> str:
    """The text to be signed, to the letter."""
    moment = issued.astimezone(UTC).strftime("%Y-%m-%dT%H:%M:%SZ")
    chain = "none" if chain_id is None else str(chain_id)
    return f"Stopgate appeal\nChain: {chain}\nTransaction: {hash}\nIssued: {moment}\n\n{text}"


def issued_at(written: str, now: datetime) -> datetime:
    """The moment in the form.

    Raises:
        AppealRefused: it is no moment, too old, or to come.
    """
    try:
        issued = datetime.strptime(written, "%Y-%m-%dT%H:%M:%SZ").replace(tzinfo=UTC)
    except ValueError as error:
        raise AppealRefused("The time in the form is not readable. Begin again with your text.") from error
    if not now - LASTS <= issued <= now + _AHEAD:
        raise AppealRefused("The text to sign is too old. Begin again with your text; it has to be signed in an hour.")
    return issued


def signer_of(message: str, signature: str) -> Address:
    """Whose key signed the message (EIP-191); 65 bytes, or 64 in the compact form of EIP-2098.

    Raises:
        AppealRefused: it is no signature.
    """
    try:
        data = bytes.fromhex(signature.strip().removeprefix("0x"))
    except ValueError as error:
        raise AppealRefused("The signature is not hexadecimal. Paste it whole, beginning with 0x.") from error
    if len(data) == 64:
        y_parity, data = data[32] >> 7, data[:32] + bytes([data[32] & 0x7F]) + data[33:]
    elif len(data) == 65:
        y_parity = data[64] - 27 if data[64] >= 27 else data[64]
    else:
        raise AppealRefused(f"A signature has 65 bytes, this one has {len(data)}. Paste it whole.")
    body = message.encode()
    digest = keccak256(b"\x19Ethereum Signed Message:\n%d" % len(body) + body)
    try:
        return recover(digest, y_parity, int.from_bytes(data[:32]), int.from_bytes(data[32:64]))
    except DecodingError as error:
        raise AppealRefused("That is no valid signature. Sign the text exactly as it is shown.") from error
