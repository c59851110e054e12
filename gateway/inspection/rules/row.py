"""One mapping of a rule's test, read with types: every error names file, line and part."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

from gateway.decoding.keccak import keccak256
from gateway.inspection.rules.expression import literal
from gateway.inspection.rules.manuscript import Manuscript, Path, RuleError
from gateway.inspection.rules.vocabulary import Type
from gateway.model.primitive import ZERO_ADDRESS, Address

Part = Callable[["Row"], Any]


class Row:
    """One mapping of a test, read with types."""

    def __init__(self, manuscript: Manuscript, path: Path, content: Any) -> None:
        if not isinstance(content, dict):
            raise manuscript.error(path, "must be a mapping")
        self._manuscript, self._path = manuscript, path
        self._content: Mapping[str, Any] = content

    def check(self, needed: tuple[str, ...], optional: tuple[str, ...] = ()) -> None:
        """Refuse what is missing or unknown."""
        for name in self._content:
            if name not in (*needed, *optional):
                known = ", ".join((*needed, *optional))
                raise self.wrong(name, f"is not known here; there are {known}")
        for name in needed:
            if name not in self._content:
                raise self._manuscript.error(self._path, f"lacks {name}")

    def wrong(self, name: str, why: str) -> RuleError:
        """What is wrong with a part."""
        return self._manuscript.error((*self._path, name), why)

    def inner(self, name: str) -> Row:
        """A mapping within, empty if it is not there."""
        return Row(self._manuscript, (*self._path, name), self._content.get(name, {}))

    def each(self, name: str, make: Part) -> list[Any]:
        """Every row of a list within."""
        rows = self._content.get(name, [])
        if not isinstance(rows, list):
            raise self.wrong(name, "must be a list")
        return [make(Row(self._manuscript, (*self._path, name, at), row)) for at, row in enumerate(rows)]

    def has(self, name: str) -> bool:
        """True if it is said."""
        return name in self._content

    def text(self, name: str, otherwise: str = "") -> str:
        """A text."""
        return str(self._content.get(name, otherwise))

    def truth(self, name: str, otherwise: bool) -> bool:
        """True or false."""
        value = self._content.get(name, otherwise)
        if not isinstance(value, bool):
            raise self.wrong(name, "must be true or false")
        return value

    def number(self, name: str, otherwise: int = 0) -> int:
        """A whole number, decimal or hex."""
        value = self._content.get(name, otherwise)
        if isinstance(value, str) and literal(value) is not None:
            value = int(value, 16)
        if not isinstance(value, int) or isinstance(value, bool):
            raise self.wrong(name, f"{value!r} is no whole number")
        return value

    def address(self, name: str, otherwise: Address = ZERO_ADDRESS) -> Address:
        """An address, or the word coin or zero."""
        value = self._content.get(name)
        if value is None:
            return otherwise
        if value in ("coin", "zero"):
            return ZERO_ADDRESS
        found = literal(value) if isinstance(value, str) else None
        if found is None or found[0] is not Type.ADDRESS:
            raise self.wrong(name, f"{value!r} is no address: 0x and 40 hex digits")
        return Address(found[1])

    def data(self, name: str) -> bytes:
        """Hex bytes."""
        value = self._content.get(name, "0x")
        try:
            return bytes.fromhex(str(value).removeprefix("0x"))
        except ValueError:
            raise self.wrong(name, f"{value!r} is no hex") from None

    def words(self, name: str) -> bytes:
        """A list of numbers and addresses as the ABI packs them."""
        values = self._content.get(name, [])
        if not isinstance(values, list):
            raise self.wrong(name, "must be a list of numbers and addresses")
        packed = []
        for at, value in enumerate(values):
            number = int(value, 16) if isinstance(value, str) and literal(value) is not None else value
            if not isinstance(number, int) or not -(2**255) <= number < 2**256:
                raise self._manuscript.error((*self._path, name, at), f"{value!r} is no number of 256 bits")
            packed.append((number % 2**256).to_bytes(32, "big"))
        return b"".join(packed)

    def input(self) -> bytes:
        """Call data: `input` as hex, or `call` (selector or signature) with `arguments`."""
        if not self.has("call"):
            return self.data("input")
        called = self.text("call")
        found = literal(called)
        selector = found[1] if found is not None and found[0] is Type.SELECTOR else keccak256(called.encode())[:4]
        return bytes(selector) + self.words("arguments")
