from __future__ import annotations

import dataclasses
from typing import Any

from gateway.inspection.consent.given import ECRECOVER
from gateway.inspection.past.memory import (
    CREATED_LIMIT,
    EMPTY_MEMORY,
    Memory,
    code_key,
    remember,
    signature_key,
)
from gateway.model.primitive import Address
from gateway.model.trace import CallFrame, FrameKind, SimulationResult, SimulationStatus, Trace
from tests.cases import frame, simulation, transaction

MADE = Address(b"\xf6" * 20)


def made(*frames: CallFrame, **parts: Any) -> SimulationResult:
    trace = Trace(frames=[frame(0, value=0), *frames], preimages={})
    plain: dict[str, Any] = {"trace": trace, "state_diff": {}, "created": (), "destroyed": ()}
    return dataclasses.replace(simulation(), **{**plain, **parts})


def test_what_failed_leaves_nothing() -> None:
    failed = made(created=(MADE,), status=SimulationStatus.REVERTED)
    assert remember(EMPTY_MEMORY, transaction(), failed) == EMPTY_MEMORY


def test_created_code_is_known_again_also_if_it_is_gone() -> None:
    creation = frame(1, 0, kind=FrameKind.CREATE2, to=MADE, output=b"code", value=0)
    kept = remember(EMPTY_MEMORY, transaction(), made(creation))
    assert kept.codes == ((MADE, code_key(b"code")),)


def test_recovered_signatures_are_remembered_and_failed_ones_are_not() -> None:
    good = frame(1, 0, to=ECRECOVER, input=b"\x01" * 128, output=b"\x02" * 32, value=0)
    bad = frame(2, 0, to=ECRECOVER, input=b"\x03" * 128, output=b"", value=0)
    assert remember(EMPTY_MEMORY, transaction(), made(good, bad)).signatures == (signature_key(b"\x01" * 128),)


def test_the_oldest_creations_leave_first() -> None:
    full = Memory(created=tuple(Address(number.to_bytes(20, "big")) for number in range(1, CREATED_LIMIT + 1)))
    creation = frame(1, 0, kind=FrameKind.CREATE, to=MADE, output=b"code", value=0)
    kept = remember(full, transaction(), made(creation, created=(MADE,)))
    assert len(kept.created) == CREATED_LIMIT
    assert kept.created[0] == full.created[1]
    assert kept.created[-1] == MADE
