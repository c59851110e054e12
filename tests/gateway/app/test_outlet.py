from __future__ import annotations

from types import SimpleNamespace
from typing import Any

import pytest

from gateway.app.outlet import ReleaseOutlet
from gateway.errors import QueueUnavailable, UpstreamNonsense, UpstreamRefused, UpstreamUnreachable
from gateway.model.pending import Admission
from gateway.model.primitive import Hash32
from gateway.model.transaction import RawTransaction
from gateway.tasks.releaser import NotNow, Reinspection
from tests.cases import CLEAN, detail, entry, raw

ACCEPTED = b'{"jsonrpc":"2.0","id":1,"result":"%s"}' % str(raw(1).hash).encode()
REFUSED = b'{"jsonrpc":"2.0","id":1,"error":{"code":-32000,"message":"nonce too low"}}'


class Surroundings:
    """The order of forwarding and the upstream, answering as told."""

    def __init__(self, admission: Admission | Exception = Admission.ADMITTED, answer: bytes | Exception = ACCEPTED):
        self.admission, self.answer = admission, answer
        self.sent: list[bytes] = []
        self.withdrawn: list[Hash32] = []

    async def admit(self, transaction: Any, simulation: Any) -> Admission:
        if isinstance(self.admission, Exception):
            raise self.admission
        return self.admission

    async def withdraw(self, hash: Hash32) -> None:
        self.withdrawn.append(hash)

    async def send_raw(self, transaction: RawTransaction) -> bytes:
        if isinstance(self.answer, Exception):
            raise self.answer
        self.sent.append(transaction.data)
        return self.answer

    async def release(self) -> None:
        outlet: Any = ReleaseOutlet(SimpleNamespace(live=self), SimpleNamespace(), self)  # type: ignore[arg-type]
        await outlet.send(entry(1), Reinspection(CLEAN, detail(1)))


async def test_the_bytes_that_leave_are_those_that_came() -> None:
    around = Surroundings()
    await around.release()
    assert around.sent == [raw(1).data]
    assert around.withdrawn == []


@pytest.mark.parametrize("admission", [Admission.CHANGED, Admission.KNOWN, QueueUnavailable("away")])
async def test_without_a_place_of_its_own_nothing_is_sent_and_nothing_is_claimed(
    admission: Admission | Exception,
) -> None:
    around = Surroundings(admission)
    with pytest.raises(NotNow):
        await around.release()
    assert around.sent == []


@pytest.mark.parametrize(
    ("answer", "error", "withdrawn"),
    [
        (REFUSED, UpstreamRefused, [raw(1).hash]),
        (UpstreamUnreachable("refused"), UpstreamUnreachable, [raw(1).hash]),
        (b"<html>", UpstreamNonsense, []),
        (ACCEPTED.replace(b"0x", b"0y"), UpstreamNonsense, []),
    ],
)
async def test_it_gives_its_place_back_only_when_nothing_was_taken(
    answer: bytes | Exception, error: type[Exception], withdrawn: list[Hash32]
) -> None:
    around = Surroundings(answer=answer)
    with pytest.raises(error):
        await around.release()
    assert around.withdrawn == withdrawn
