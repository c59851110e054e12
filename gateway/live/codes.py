"""Contract code by its hash: fetched once, kept across blocks and, given a folder, across restarts."""

from __future__ import annotations

import os
from collections import OrderedDict
from collections.abc import Mapping
from pathlib import Path

from sha3 import keccak_256

from gateway.model.primitive import EMPTY_CODE_HASH, Address, Hash32

MAX_RECREATED = 4096


def code_hash(code: bytes) -> Hash32:
    """keccak256 of `code`."""
    return Hash32(keccak_256(code).digest()) if code else EMPTY_CODE_HASH


class CodeStore:
    """Bounded by bytes; the least recently used code leaves first.

    It also remembers which hash an address last had: a hint that lets the code be asked for by hash alone. The hint is
    never believed without the node confirming the hash at the block in question.
    """

    def __init__(self, folder: Path | None = None, *, max_bytes: int = 256 * 1024 * 1024) -> None:
        """`folder`: where code is kept between runs, created if absent; None keeps it in memory only."""
        self._codes: OrderedDict[Hash32, bytes] = OrderedDict()
        self._hints: dict[Address, Hash32] = {}
        self._bytes = 0
        self._max_bytes = max_bytes
        self._folder = folder
        self._unsaved: dict[Address, Hash32] = {}
        self._recreated: OrderedDict[Address, tuple[Hash32, Hash32]] = OrderedDict()
        if folder is not None:
            folder.mkdir(parents=True, exist_ok=True)
            self._load(folder)

    def get(self, hash: Hash32) -> bytes | None:
        """The code with this hash if it is kept."""
        if hash == EMPTY_CODE_HASH:
            return b""
        code = self._codes.get(hash)
        if code is not None:
            self._codes.move_to_end(hash)
        return code

    def hint(self, address: Address) -> Hash32 | None:
        """The code hash `address` last had, if that code is kept."""
        hash = self._hints.get(address)
        return hash if hash is not None and hash in self._codes else None

    def put(self, address: Address, code: bytes) -> Hash32:
        """Keep `code` as what `address` runs; returns its hash."""
        hash = code_hash(code)
        if not code:
            return hash
        if hash not in self._codes:
            self._codes[hash] = code
            self._bytes += len(code)
            while self._bytes > self._max_bytes:
                _, dropped = self._codes.popitem(last=False)
                self._bytes -= len(dropped)
        before = self._hints.get(address)
        if before != hash:
            if before is not None and not _delegates(code) and not _delegates(self._codes.get(before, b"")):
                self._recreated[address] = (before, hash)
                if len(self._recreated) > MAX_RECREATED:
                    self._recreated.popitem(last=False)
            self._hints[address] = hash
            self._unsaved[address] = hash
        return hash

    def recreated(self, address: Address) -> tuple[Hash32, Hash32] | None:
        """(hash before, hash after) if other code came to stand at `address`; EIP-7702 delegations do not count."""
        return self._recreated.get(address)

    def would_recreate(self, address: Address, code: bytes) -> tuple[Hash32, Hash32] | None:
        """The same for code that a simulation put at `address` and the chain has not seen yet."""
        before, after = self._hints.get(address), code_hash(code)
        if before is None or not code or before == after or _delegates(code):
            return None
        return None if _delegates(self._codes.get(before, b"")) else (before, after)

    def take_unsaved(self) -> Mapping[Address, tuple[Hash32, bytes]]:
        """What `save` has not been given yet."""
        taken = {address: (hash, self._codes[hash]) for address, hash in self._unsaved.items() if hash in self._codes}
        self._unsaved = {}
        return taken

    def save(self, unsaved: Mapping[Address, tuple[Hash32, bytes]]) -> None:
        """Write to the folder; blocking, safe to call from another thread. Raises OSError."""
        if self._folder is None or not unsaved:
            return
        for hash, code in unsaved.values():
            path = self._folder / hash.hex()
            if not path.exists():
                unfinished = path.with_suffix(f".{os.getpid()}")
                unfinished.write_bytes(code)
                unfinished.replace(path)
        with (self._folder / "addresses").open("a") as file:
            file.writelines(f"{address.hex()} {hash.hex()}\n" for address, (hash, _) in unsaved.items())

    def _load(self, folder: Path) -> None:
        index = folder / "addresses"
        if not index.exists():
            return
        for line in index.read_text().splitlines():
            parts = line.split()
            # A line cut short by a crash, or a file that is gone or damaged, only costs a fetch.
            if len(parts) != 2 or (len(parts[0]), len(parts[1])) != (40, 64):
                continue
            address, hash = Address(bytes.fromhex(parts[0])), Hash32(bytes.fromhex(parts[1]))
            if hash not in self._codes:
                path = folder / parts[1]
                code = path.read_bytes() if path.exists() else b""
                if code_hash(code) != hash or self._bytes + len(code) > self._max_bytes:
                    continue
                self._codes[hash] = code
                self._bytes += len(code)
            self._hints[address] = hash


def _delegates(code: bytes) -> bool:
    """True for an EIP-7702 designator: an account that points elsewhere now is no other contract."""
    return code.startswith(b"\xef\x01\x00")
