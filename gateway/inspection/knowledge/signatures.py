"""Take signatures from a confirmed case and match them; pure, by equality of digests.

A copy changes what is cheap to change: the recipient, amounts, the attack contract's address, the number of
repetitions. Each digest leaves exactly that out. What remains must be rich enough to be nobody else's: a digest of
too little material is not made at all, because `transfer(address,uint256)` masked is everybody's transaction.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from hashlib import sha256
from typing import TypeVar

from gateway.model.primitive import Address, Hash32
from gateway.model.signature import Signature, SignatureKind
from gateway.model.trace import CallFrame, FrameKind, Trace
from gateway.model.transaction import Transaction

LIFETIME = timedelta(days=90)
"""Copies come within hours or days of an incident (GenDetect, arXiv 2604.26094); a quarter is generous."""

MINIMUM_CALLDATA_WORDS = 6
MINIMUM_CODE_BYTES = 200
"""Below this lie minimal proxies (EIP-1167, 45 bytes) and forwarders, which honest and hostile owners share."""
MINIMUM_SHAPE_STEPS = 12
MINIMUM_SHAPE_SELECTORS = 4

MAXIMUM_PERIOD = 8
"""Calls in the longest loop body that is folded."""

_Subject = TypeVar("_Subject")
_PUSH4, _PUSH32 = 0x63, 0x7F
_CREATIONS = (FrameKind.CREATE, FrameKind.CREATE2)


def masked_calldata(data: bytes) -> bytes | None:
    """The selector and the class of each word: zero, structural number, address, other. None if too short to tell.

    Structural numbers (offsets, lengths, flags: below 2^16) stay as they are. Padding behind the last whole word is
    left out, so that its order does not matter.
    """
    if (len(data) - 4) // 32 < MINIMUM_CALLDATA_WORDS:
        return None
    masked = bytearray(data[:4])
    for at in range(4, len(data) - 31, 32):
        word = data[at : at + 32]
        if not any(word[:30]):
            masked += b"n" + word[30:]
        elif not any(word[:12]) and any(word[12:16]):
            masked += b"a"
        else:
            masked += b"x"
    return bytes(masked)


def masked_code(code: bytes) -> bytes | None:
    """Runtime code with the data of PUSH5 to PUSH32 blanked and the metadata trailer cut. None if too short to tell.

    Immutables and embedded addresses live in long pushes; selectors (PUSH4) and jumps (PUSH1 to PUSH3) stay.
    The trailer is the CBOR map of solc, whose length stands in the last two bytes
    (https://docs.soliditylang.org/en/latest/metadata.html).
    """
    code = _without_metadata(code)
    if len(code) < MINIMUM_CODE_BYTES:
        return None
    masked, at = bytearray(code), 0
    while at < len(code):
        opcode = code[at]
        at += 1
        if 0x60 <= opcode <= _PUSH32:
            width = opcode - 0x5F
            if opcode > _PUSH4:
                masked[at : at + width] = bytes(len(masked[at : at + width]))
            at += width
    return bytes(masked)


def call_shape(trace: Trace) -> bytes | None:
    """A digest of the tree of (kind, selector), repeated siblings folded. None if the tree is too plain to tell.

    One pass from the leaves up: every frame is visited once.
    """
    frames = trace.frames
    children: list[list[_Subtree]] = [[] for _ in frames]
    folded: _Subtree | None = None
    for frame in reversed(frames):
        below = _without_periods(children[frame.index][::-1])
        step = _step(frame)
        digest = sha256(step + b"".join(subtree.digest for subtree in below)).digest()
        folded = _Subtree(digest, 1 + sum(subtree.steps for subtree in below))
        if frame.parent >= 0:
            children[frame.parent].append(folded)
        children[frame.index] = []
    if folded is None or folded.steps < MINIMUM_SHAPE_STEPS:
        return None
    if len({_step(frame) for frame in frames}) < MINIMUM_SHAPE_SELECTORS:
        return None
    return folded.digest


def build(
    transaction: Transaction,
    trace: Trace,
    codes: Mapping[Address, bytes],
    *,
    case_id: str,
    author: str,
    now: datetime,
    lifetime: timedelta = LIFETIME,
) -> tuple[Signature, ...]:
    """All signatures that a confirmed case yields, in SHADOW.

    `codes` holds the runtime code of the attack's own contracts (called directly by the sender, or created in the
    transaction); the caller leaves out whatever honest users also call.
    """
    materials = [
        (SignatureKind.CALLDATA, masked_calldata(transaction.input)),
        *((SignatureKind.CODE, masked_code(code)) for code in codes.values()),
        (SignatureKind.SHAPE, call_shape(trace)),
    ]
    digests = {
        (kind, _digest(kind, material)): len(material) if kind is SignatureKind.CODE else 0
        for kind, material in materials
        if material is not None
    }
    return tuple(
        Signature(kind, digest, case_id, author, now, now + lifetime, entry=transaction.to, size=size)
        for (kind, digest), size in digests.items()
    )


@dataclass(frozen=True, slots=True)
class Match:
    """A transaction looks like a confirmed case."""

    signature: Signature
    what: str
    """where it matched: the input, an address with that code, or the call tree"""


class SignatureIndex:
    """Signatures by digest; one dictionary look-up a question. Replace the index when the set changes."""

    def __init__(self, signatures: Iterable[Signature] = ()) -> None:
        self._by_digest: dict[tuple[SignatureKind, Hash32], list[Signature]] = {}
        self._sizes: set[int] = set()
        for signature in signatures:
            self._by_digest.setdefault((signature.kind, signature.digest), []).append(signature)
            if signature.kind is SignatureKind.CODE:
                self._sizes.add(signature.size)
        self._kinds = {kind for kind, _ in self._by_digest}

    def before_simulation(self, transaction: Transaction, code: bytes | None, now: datetime) -> Iterator[Match]:
        """Matches on the input and on the called contract's code (None if it is not at hand)."""
        yield from self._match(SignatureKind.CALLDATA, "input", transaction.input, masked_calldata, now)
        if code is not None:
            yield from self._match_code(transaction.to, code, now)

    def after_simulation(self, trace: Trace, created: Mapping[Address, bytes], now: datetime) -> Iterator[Match]:
        """Matches on the call tree and on the code of contracts that the transaction created."""
        yield from self._match(SignatureKind.SHAPE, "call tree", trace, call_shape, now)
        for address, code in created.items():
            yield from self._match_code(address, code, now)

    def _match_code(self, address: Address | None, code: bytes, now: datetime) -> Iterator[Match]:
        """Masking takes a millisecond for a large contract, so it waits until the length fits."""
        if len(_without_metadata(code)) in self._sizes:
            yield from self._match(SignatureKind.CODE, f"code at {address}", code, masked_code, now)

    def _match(
        self, kind: SignatureKind, what: str, subject: _Subject, mask: Callable[[_Subject], bytes | None], now: datetime
    ) -> Iterator[Match]:
        if kind not in self._kinds:
            return
        material = mask(subject)
        if material is None:
            return
        for signature in self._by_digest.get((kind, _digest(kind, material)), ()):
            if signature.speaks_at(now):
                yield Match(signature, what)


def _digest(kind: SignatureKind, material: bytes) -> Hash32:
    return Hash32(sha256(kind.encode() + b"\0" + material).digest())


def _without_metadata(code: bytes) -> bytes:
    if len(code) < 2:
        return code
    trailer = int.from_bytes(code[-2:], "big") + 2
    # a CBOR map of one to four entries begins with 0xa1 to 0xa4
    if trailer <= len(code) and 0xA1 <= code[-trailer] <= 0xA4:
        return code[:-trailer]
    return code


@dataclass(frozen=True, slots=True)
class _Subtree:
    digest: bytes
    steps: int


def _step(frame: CallFrame) -> bytes:
    selector = b"" if frame.kind in _CREATIONS else frame.input[:4]
    return frame.kind.encode() + b":" + selector


def _without_periods(subtrees: list[_Subtree]) -> list[_Subtree]:
    """Drop immediate repetitions of up to MAXIMUM_PERIOD neighbouring subtrees: the bodies of loops."""
    kept: list[_Subtree] = []
    for subtree in subtrees:
        kept.append(subtree)
        for period in range(1, MAXIMUM_PERIOD + 1):
            if len(kept) >= 2 * period and kept[-period:] == kept[-2 * period : -period]:
                del kept[-period:]
                break
    return kept
