"""What each sender did in the last minutes, kept in this process and bounded."""

from __future__ import annotations

import time
from collections import OrderedDict
from collections.abc import Callable
from dataclasses import dataclass, field

from gateway.inspection.memory import EMPTY_MEMORY, Memory
from gateway.model.primitive import Address, Hash32

SENDERS = 10_000
"""senders remembered; who was silent longest is forgotten first"""
LIFETIME = 1800.0
"""seconds after a sender's last transaction until all of it is forgotten"""
TRANSACTIONS = 64
"""transactions per sender that are known again when they are inspected once more"""


@dataclass(slots=True)
class _Sender:
    latest: Memory = EMPTY_MEMORY
    until: float = 0.0
    befores: OrderedDict[Hash32, Memory] = field(default_factory=OrderedDict)


class Recollection:
    """Memory of senders between transactions; not shared between processes, and empty after a restart.

    A transaction that is inspected again sees what it saw the first time: its own effects are never held against it.
    """

    def __init__(self, *, clock: Callable[[], float] = time.monotonic) -> None:
        self._clock = clock
        self._senders: OrderedDict[Address, _Sender] = OrderedDict()

    def before(self, sender: Address, transaction: Hash32) -> Memory:
        """What the sender's other transactions left behind."""
        known = self._senders.get(sender)
        if known is None or known.until < self._clock():
            return EMPTY_MEMORY
        return known.befores.get(transaction, known.latest)

    def keep(self, sender: Address, transaction: Hash32, before: Memory, after: Memory) -> None:
        """Remember `after`; the second inspection of one transaction changes nothing."""
        now = self._clock()
        known = self._senders.get(sender)
        if known is None or known.until < now:
            if after == EMPTY_MEMORY:
                return
            known = self._senders[sender] = _Sender()
        self._senders.move_to_end(sender)
        known.until = now + LIFETIME
        if transaction not in known.befores:
            known.befores[transaction] = before
            known.latest = after
        while len(known.befores) > TRANSACTIONS:
            known.befores.popitem(last=False)
        while len(self._senders) > SENDERS:
            self._senders.popitem(last=False)
