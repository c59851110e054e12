"""The latest decoded cases: reading a large one takes longer than printing it."""

from __future__ import annotations

from collections import OrderedDict

from dashboard.render.effects import Effects, effects_of
from dashboard.tokens import wanted_tokens, with_tokens
from gateway.model.case import CaseDetail
from gateway.model.quarantine import QuarantineEntry
from gateway.store.casework.tokens import Tokens
from gateway.store.quarantine import Record

_KEPT = 16
_FRAMES_KEPT = 30_000
"""Decoded details kept in memory stay below this many frames together."""


class DetailCache:
    """Details by case and version: what was stored with a version never changes."""

    def __init__(self, record: Record, tokens: Tokens, native: str) -> None:
        self._record, self._tokens, self._native = record, tokens, native
        self._kept: OrderedDict[tuple[str, int], CaseDetail] = OrderedDict()
        self._effects: dict[tuple[str, int], tuple[CaseDetail, Effects]] = {}

    async def get(self, entry: QuarantineEntry) -> CaseDetail | None:
        """The detail as of the entry's version."""
        key = (entry.case_id, entry.version)
        if key in self._kept:
            self._kept.move_to_end(key)
            self._kept[key] = await self.named(self._kept[key])
            return self._kept[key]
        stored = await self._record.detail(entry.case_id)
        detail = None if stored is None else await self.named(stored)
        if detail is not None:
            self._kept[key] = detail
            while len(self._kept) > _KEPT or (len(self._kept) > 1 and self._frames() > _FRAMES_KEPT):
                oldest, _ = self._kept.popitem(last=False)
                self._effects.pop(oldest, None)
        return detail

    def effects(self, entry: QuarantineEntry, detail: CaseDetail) -> Effects:
        """What the page says of a detail that `get` gave, worked out once."""
        key = (entry.case_id, entry.version)
        made = self._effects.get(key)
        if made is None or made[0] is not detail:
            made = (detail, effects_of(detail, self._native))
            if key in self._kept:
                self._effects[key] = made
        return made[1]

    async def named(self, detail: CaseDetail) -> CaseDetail:
        """With what its tokens say of themselves, as far as that was read; the gateway reads it after the hold."""
        missing = wanted_tokens(detail) - detail.tokens.keys()
        return with_tokens(detail, await self._tokens.known(missing)) if missing else detail

    def _frames(self) -> int:
        return sum(len(kept.simulation.trace.frames) for kept in self._kept.values() if kept.simulation)
