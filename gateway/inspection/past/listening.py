"""Which contracts listened to strangers lately, and what they keep since."""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Callable
from typing import NamedTuple

from gateway.inspection.past.effects import joined
from gateway.inspection.past.hearsay import NOTHING_RELIED, Hearsay, Relied
from gateway.inspection.past.memory import EMPTY_MEMORY, Memory
from gateway.model.primitive import Address
from gateway.model.trace import SimulationResult

HEARSAY = 20_000
"""records remembered; the first to come are the first to be forgotten"""
WORDS = 8
"""records that are looked up for one transaction"""


class _Said(NamedTuple):
    at: float
    sender: Address
    word: Hearsay


class Listening:
    """Bounded memory of what strangers had contracts write down."""

    def __init__(self, lifetime: float) -> None:
        """`lifetime`: seconds after which a record is forgotten."""
        self._lifetime = lifetime
        self._said: OrderedDict[tuple[Address, int], _Said] = OrderedDict()
        self._listeners: dict[Address, set[int]] = {}

    def __len__(self) -> int:
        """Records remembered."""
        return len(self._said)

    def hear(self, sender: Address, word: Hearsay, at: float) -> None:
        """Remember what `sender` had written at `at` (seconds since 1970); the last word in a slot counts."""
        place = (word.contract, word.slot)
        self._said[place] = _Said(at, sender, word)
        self._said.move_to_end(place)
        self._listeners.setdefault(word.contract, set()).add(word.slot)
        if len(self._said) > HEARSAY:
            self._forget(next(iter(self._said)))

    def relied(
        self, sender: Address, simulation: SimulationResult, now: float, memory_of: Callable[[Address], Memory]
    ) -> Relied:
        """What still stands in slots that `sender`'s transaction looked at; `memory_of` a stranger: what is known."""
        contracts = {link.context for link in simulation.trace.links if link.context in self._listeners}
        words: list[Hearsay] = []
        doubted: set[tuple[Address, int]] = set()
        speakers: dict[Address, None] = {}
        for use in simulation.trace.slots_of({at for at in contracts if at is not None}) if contracts else ():
            place = (use.address, use.slot)
            said = self._said.get(place)
            if said is None or said.word.value != use.before or len(words) >= WORDS:
                continue
            if said.at + self._lifetime < now:
                self._forget(place)
                continue
            words.append(said.word)
            if said.sender != sender:
                speakers[said.sender] = None
                doubted.add(place)
        memory = EMPTY_MEMORY
        for speaker in speakers:
            memory = joined(memory, memory_of(speaker))
        return Relied(tuple(words), doubted, memory) if words else NOTHING_RELIED

    def _forget(self, place: tuple[Address, int]) -> None:
        del self._said[place]
        slots = self._listeners[place[0]]
        slots.discard(place[1])
        if not slots:
            del self._listeners[place[0]]
