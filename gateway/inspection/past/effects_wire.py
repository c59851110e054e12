"""Effects as bytes, for the memory that replicas share; what does not fit is left out, never the whole."""

from __future__ import annotations

import msgspec

from gateway.inspection.past.deal import Deal, Dealings
from gateway.inspection.past.effects import Effects, Taking
from gateway.inspection.past.hearsay import Hearsay
from gateway.inspection.past.memory import Memory
from gateway.inspection.past.moved import Moved
from gateway.model.primitive import Address, Hash32

MOST = 64
"""entries of each kind in one message; a transaction that leaves more is remembered whole where it was judged only"""


_Deal = tuple[bytes, bytes, bytes | None, list[bytes], bool]


class _Message(msgspec.Struct, array_like=True):
    transaction: bytes
    sender: bytes
    to: bytes
    at: float
    created: list[bytes]
    acquainted: list[tuple[bytes, bytes]]
    dealt: list[tuple[bytes, bytes | None, bytes, bool]]
    codes: list[tuple[bytes, bytes]]
    claimed: list[bytes]
    signatures: list[bytes]
    moved: list[tuple[bytes, bytes, bytes, list[bytes]]]
    takings: list[tuple[bytes, bytes, bytes, bytes]]
    hearsay: list[tuple[bytes, bytes, bytes, bytes, bool]]
    deals: list[_Deal] = []
    heirs: list[tuple[bytes, list[_Deal]]] = []


class Told(msgspec.Struct, frozen=True):
    """What one replica tells the others about one transaction."""

    transaction: Hash32
    sender: Address
    to: Address | None
    at: float
    """seconds since 1970"""
    effects: Effects


_encode = msgspec.msgpack.Encoder(enc_hook=bytes).encode
_decode = msgspec.msgpack.Decoder(_Message).decode


def encode_effects(told: Told) -> bytes:
    """At most about 20 KB."""
    added = told.effects.added
    return _encode(
        _Message(
            transaction=told.transaction,
            sender=told.sender,
            to=told.to or b"",
            at=told.at,
            created=list(added.created[-MOST:]),
            acquainted=[(contract, _short(slot)) for contract, slot in sorted(added.acquainted)[:MOST]],
            dealt=[
                (token, None if item is None else _short(item), _short(abs(amount)), amount < 0)
                for (token, item), amount in list(added.dealt.items())[:MOST]
            ],
            codes=list(added.codes[-MOST:]),
            claimed=list(added.claimed[-MOST:]),
            signatures=list(added.signatures[-MOST:]),
            moved=[
                (pool, *move.tokens, [_short(amount) for amount in (*move.before, *move.after)])
                for pool, move in added.moved.items()
            ],
            takings=[
                (taking.holder, taking.token, _short(taking.amount), _short(taking.stock))
                for taking in told.effects.takings
            ],
            hearsay=[
                (word.contract, _short(word.slot), _short(word.value), word.named or b"", word.replaced)
                for word in told.effects.hearsay
            ],
            deals=_deals(added.deals),
            heirs=[(heir, _deals(deals)) for heir, deals in told.effects.heirs.items()],
        )
    )


def decode_effects(data: bytes) -> Told:
    """The message that `encode_effects` made.

    Raises:
        ValueError: it is none, or of another version.
    """
    try:
        message = _decode(data)
    except msgspec.MsgspecError as error:
        raise ValueError(f"no effects of a transaction: {error}") from error
    memory = Memory(
        created=tuple(map(Address, message.created)),
        acquainted=frozenset((Address(contract), _number(slot)) for contract, slot in message.acquainted),
        dealt={
            (Address(token), None if item is None else _number(item)): -_number(amount) if negative else _number(amount)
            for token, item, amount, negative in message.dealt
        },
        codes=tuple((Address(contract), key) for contract, key in message.codes),
        claimed=tuple(map(Address, message.claimed)),
        signatures=tuple(message.signatures),
        moved={Address(pool): _moved(first, second, amounts) for pool, first, second, amounts in message.moved},
        deals=_dealings(message.deals),
    )
    takings = tuple(
        Taking(Address(holder), Address(token), _number(amount), _number(stock))
        for holder, token, amount, stock in message.takings
    )
    hearsay = tuple(
        Hearsay(Address(contract), _number(slot), _number(value), Address(named) if named else None, replaced)
        for contract, slot, value, named, replaced in message.hearsay
    )
    to = Address(message.to) if message.to else None
    heirs = {Address(heir): _dealings(deals) for heir, deals in message.heirs}
    effects = Effects(memory, takings, heirs, hearsay)
    return Told(Hash32(message.transaction), Address(message.sender), to, message.at, effects)


def _moved(first: bytes, second: bytes, amounts: list[bytes]) -> Moved:
    if len(amounts) != 4:
        raise ValueError(f"no effects of a transaction: {len(amounts)} amounts of a pool")
    one, two, three, four = map(_number, amounts)
    return Moved((Address(first), Address(second)), (one, two), (three, four))


def _deals(dealings: Dealings) -> list[_Deal]:
    return [
        (holder, token, None if item is None else _short(item), list(map(_short, deal[:3])), deal.new)
        for (holder, token, item), deal in dealings.items()
    ]


def _dealings(deals: list[_Deal]) -> Dealings:
    return {
        (Address(holder), Address(token), None if item is None else _number(item)): _deal(amounts, new)
        for holder, token, item, amounts, new in deals
    }


def _deal(amounts: list[bytes], new: bool) -> Deal:
    if len(amounts) != 3:
        raise ValueError(f"no effects of a transaction: {len(amounts)} amounts of a deal")
    put, taken, stock = map(_number, amounts)
    return Deal(put, taken, stock, new)


def _short(number: int) -> bytes:
    return number.to_bytes((number.bit_length() + 7) // 8, "big")


def _number(data: bytes) -> int:
    return int.from_bytes(data, "big")
