"""Little contracts that variations plant: wrappers, borrowed code, a creation that strikes, a coin, a notebook."""

from __future__ import annotations

from collections.abc import Sequence

from gateway.model.primitive import Address

_OPCODES = {
    "ADD": 0x01,
    "SUB": 0x03,
    "EQ": 0x14,
    "ISZERO": 0x15,
    "KECCAK256": 0x20,
    "ADDRESS": 0x30,
    "ORIGIN": 0x32,
    "CALLER": 0x33,
    "CALLVALUE": 0x34,
    "CALLDATALOAD": 0x35,
    "CALLDATASIZE": 0x36,
    "CALLDATACOPY": 0x37,
    "CODECOPY": 0x39,
    "RETURNDATASIZE": 0x3D,
    "RETURNDATACOPY": 0x3E,
    "BALANCE": 0x31,
    "POP": 0x50,
    "MLOAD": 0x51,
    "MSTORE": 0x52,
    "SLOAD": 0x54,
    "SSTORE": 0x55,
    "JUMPI": 0x57,
    "GAS": 0x5A,
    "JUMPDEST": 0x5B,
    "DUP1": 0x80,
    "DUP2": 0x81,
    "SWAP1": 0x90,
    "LOG3": 0xA3,
    "CREATE": 0xF0,
    "CALL": 0xF1,
    "RETURN": 0xF3,
    "DELEGATECALL": 0xF4,
    "STATICCALL": 0xFA,
    "REVERT": 0xFD,
}
_TRANSFER_EVENT = bytes.fromhex("ddf252ad1be2c89b69c2b068fc378daa952ba7f163c4a11628f55a4df523b3ef")
_BALANCE_OF, _TRANSFER = bytes.fromhex("70a08231"), bytes.fromhex("a9059cbb")


def ops(text: str) -> bytes:
    """The bytes of opcodes written by name; a number becomes the shortest PUSH of it."""
    return b"".join(push(int(word)) if word.isdigit() else bytes((_OPCODES[word],)) for word in text.split())


def push(value: int | bytes) -> bytes:
    """PUSH of a number, or of bytes as they are."""
    data = value if isinstance(value, bytes) else value.to_bytes(max(1, (value.bit_length() + 7) // 8), "big")
    return bytes((0x5F + len(data),)) + data


def assemble(*parts: bytes | str) -> bytes:
    """Join code; "name:" is a place to jump to, ">name" pushes where it lies."""
    places: dict[str, int] = {}
    length = 0
    for part in parts:
        if isinstance(part, bytes):
            length += len(part)
        elif part.endswith(":"):
            places[part[:-1]] = length
            length += 1
        else:
            length += 3
    made = b""
    for part in parts:
        if isinstance(part, bytes):
            made += part
        elif part.endswith(":"):
            made += ops("JUMPDEST")
        else:
            made += push(places[part[1:]].to_bytes(2, "big"))
    return made


_TAKE_INPUT = ops("CALLDATASIZE 0 0 CALLDATACOPY")
_RELAY_FAILURE: tuple[bytes | str, ...] = (
    ">done",
    ops("JUMPI RETURNDATASIZE 0 0 RETURNDATACOPY RETURNDATASIZE 0 REVERT"),
    "done:",
)
"""expects the success of a call on the stack"""
_RELAY_ANSWER = ops("RETURNDATASIZE 0 0 RETURNDATACOPY RETURNDATASIZE 0 RETURN")


def forwarder(target: Address, before: bytes = b"", value: int | None = None) -> bytes:
    """Does `before`, then calls `target` with whatever it was called with, and answers what it is answered.

    `value`: wei of its own that it sends along; None sends what it was sent.
    """
    sent = ops("CALLVALUE") if value is None else push(value)
    call = _TAKE_INPUT + ops("0 0 CALLDATASIZE 0") + sent + push(target) + ops("GAS CALL")
    return assemble(before + call, *_RELAY_FAILURE, _RELAY_ANSWER)


def only(owner: Address) -> bytes:
    """Code that fails for every caller but `owner`; it must stand first."""
    return assemble(ops("CALLER") + push(owner) + ops("EQ"), ">go", ops("JUMPI 0 0 REVERT"), "go:")


def at_once() -> bytes:
    """Code that goes on only if the transaction itself calls it, and else takes what comes; it must stand first."""
    return assemble(ops("CALLER ORIGIN EQ"), ">go", ops("JUMPI 0 0 RETURN"), "go:")


def signed(digest: bytes, v: int, r: bytes, s: bytes, owner: Address) -> bytes:
    """Code that takes coin without data, and else fails unless the signature is the owner's; it must stand first."""
    words = b"".join(push(word) + push(32 * at) + ops("MSTORE") for at, word in enumerate((digest, bytes((v,)), r, s)))
    check = words + ops("32 0 128 0 1 GAS STATICCALL POP 0 MLOAD") + push(owner) + ops("EQ")
    return assemble(
        ops("CALLDATASIZE"), ">asked", ops("JUMPI 0 0 RETURN"), "asked:", check, ">go", ops("JUMPI 0 0 REVERT"), "go:"
    )


def borrower(library: Address, pulls: bytes = b"") -> bytes:
    """Runs the code of `library` as its own; after a call by the origin, if that succeeded, does `pulls`."""
    run = _TAKE_INPUT + ops("0 0 CALLDATASIZE 0") + push(library) + ops("GAS DELEGATECALL")
    if not pulls:
        return assemble(run, *_RELAY_FAILURE, _RELAY_ANSWER)
    return assemble(
        run,
        *_RELAY_FAILURE,
        ops("CALLER ORIGIN EQ ISZERO"),
        ">answer",
        ops("JUMPI"),
        pulls,
        "answer:",
        ops("0 0 RETURN"),
    )


def pull(tokens: Sequence[Address], receiver: bytes) -> bytes:
    """Code that sends all of its account's `tokens` and coin to the address that `receiver` (code) pushes."""
    made = b""
    for token in tokens:
        made += push(_BALANCE_OF.ljust(32, b"\0")) + ops("0 MSTORE ADDRESS 4 MSTORE 32 68 36 0")
        made += push(token) + ops("GAS STATICCALL POP")
        made += push(_TRANSFER.ljust(32, b"\0")) + ops("0 MSTORE") + receiver + ops("4 MSTORE 68 MLOAD 36 MSTORE")
        made += ops("0 0 68 0 0") + push(token) + ops("GAS CALL POP")
    return made + ops("0 0 0 0 ADDRESS BALANCE") + receiver + ops("GAS CALL POP")


def creation_calling(target: Address, data: bytes, value: int) -> bytes:
    """Creation code that calls `target` with `data` and leaves an empty contract."""

    def code(offset: int) -> bytes:
        copy = push(len(data)) + push(offset.to_bytes(3, "big")) + ops("0 CODECOPY")
        call = ops("0 0") + push(len(data)) + ops("0") + push(value) + push(target) + ops("GAS CALL")
        return assemble(copy + call, *_RELAY_FAILURE, ops("0 0 RETURN"))

    return code(len(code(0))) + data


def creation_creating(runtime: bytes, data: bytes, value: int) -> bytes:
    """Creation code that creates a contract of `runtime`, calls it with `data`, and leaves an empty contract."""
    inner = creation_of(runtime)

    def code(offset: int) -> bytes:
        create = (
            push(len(inner))
            + push(offset.to_bytes(3, "big"))
            + ops("0 CODECOPY")
            + push(len(inner))
            + ops("0 0 CREATE")
        )
        copy = push(len(data)) + push((offset + len(inner)).to_bytes(3, "big")) + ops("0 CODECOPY")
        call = ops("0 0") + push(len(data)) + ops("0") + push(value)
        # the address of the created contract lies under the five arguments
        call += bytes((0x85,)) + ops("GAS CALL")
        return assemble(create + copy + call, *_RELAY_FAILURE, ops("0 0 RETURN"))

    return code(len(code(0))) + inner + data


def creation_of(runtime: bytes) -> bytes:
    """Creation code of a contract that is nothing but `runtime`."""
    size = push(len(runtime).to_bytes(3, "big"))

    def code(offset: int) -> bytes:
        return size + push(offset.to_bytes(3, "big")) + ops("0 CODECOPY") + size + ops("0 RETURN")

    return code(len(code(0))) + runtime


def coin() -> bytes:
    """A token that knows only one call, `transfer(to, amount)`, whatever the selector; balances in mapping 0."""
    slot_of_caller = ops("CALLER 0 MSTORE 0 32 MSTORE 64 0 KECCAK256")
    slot_of_receiver = ops("4 CALLDATALOAD 0 MSTORE 64 0 KECCAK256")
    less = slot_of_caller + ops("DUP1 SLOAD 36 CALLDATALOAD SWAP1 SUB SWAP1 SSTORE")
    more = slot_of_receiver + ops("DUP1 SLOAD 36 CALLDATALOAD ADD SWAP1 SSTORE")
    event = ops("36 CALLDATALOAD 0 MSTORE 4 CALLDATALOAD CALLER") + push(_TRANSFER_EVENT) + ops("32 0 LOG3")
    return less + more + event + ops("1 0 MSTORE 32 0 RETURN")


def notebook() -> bytes:
    """A contract that counts the calls of each caller in mapping 0."""
    slot = ops("CALLER 0 MSTORE 0 32 MSTORE 64 0 KECCAK256")
    return slot + ops("DUP1 SLOAD 1 ADD SWAP1 SSTORE 0 0 RETURN")


def call_plain(target: Address, data: bytes = b"") -> bytes:
    """Code that calls `target` with `data` of at most 96 bytes and does not care for the answer."""
    made = b""
    for at in range(0, len(data), 32):
        made += push(data[at : at + 32].ljust(32, b"\0")) + push(at) + ops("MSTORE")
    return made + ops("0 0") + push(len(data)) + ops("0 0") + push(target) + ops("GAS CALL POP")


def pay(receiver: Address, amount: int) -> bytes:
    """Code that sends coin and does not care for the answer."""
    return ops("0 0 0 0") + push(amount) + push(receiver) + ops("GAS CALL POP")


def transfer_data(receiver: Address, amount: int) -> bytes:
    """Calldata of `transfer(receiver, amount)`."""
    return _TRANSFER + receiver.rjust(32, b"\0") + amount.to_bytes(32, "big")
