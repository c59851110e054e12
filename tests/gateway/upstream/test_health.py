from __future__ import annotations

from collections.abc import Sequence

import pytest

from gateway.errors import UpstreamError, UpstreamRefused, UpstreamSilent, UpstreamUnreachable
from gateway.model.primitive import Hash32
from gateway.model.transaction import RawTransaction
from gateway.upstream.client import Call
from gateway.upstream.health import UpstreamPool


def name_hash(name: str, number: int) -> str:
    return "0x" + (name.encode().hex() + f"{number:08x}").rjust(64, "0")


class ChainTwin:
    """An upstream in memory: a chain as a list of branch names, one per block."""

    def __init__(self, branches: str) -> None:
        self.branches = branches
        self.failure: UpstreamError | None = None
        self.submitted: list[bytes] = []
        self.calls = 0

    async def call(self, method: str, params: Sequence[object] = (), *, within: float | None = None) -> object:
        self.calls += 1
        if self.failure is not None:
            raise self.failure
        if method == "eth_nonsense":
            raise UpstreamRefused(-32601, "no")
        if method == "eth_getTransactionByHash":
            return {} if self.submitted else None
        assert method == "eth_getBlockByNumber"
        last = len(self.branches) - 1
        number = last if params[0] == "latest" else int(str(params[0]), 16)
        if number > last:
            return None
        return {
            "number": hex(number),
            "hash": name_hash(self.branches[number], number),
            "parentHash": name_hash(self.branches[number - 1] if number else "g", number - 1 if number else 0),
            "timestamp": hex(number),
        }

    async def batch(self, calls: Sequence[Call], *, within: float | None = None) -> list[object | UpstreamRefused]:
        return [await self.call(*call) for call in calls]

    async def forward(self, body: bytes) -> bytes:
        await self.call("eth_getBlockByNumber", ["latest"])
        return body

    async def submit(self, body: bytes) -> bytes:
        if self.failure is not None:
            raise self.failure
        self.submitted.append(body)
        return b"{}"

    async def send_raw(self, raw: RawTransaction) -> bytes:
        return await self.submit(raw.data)

    async def close(self) -> None:
        return None


def pool_of(*chains: ChainTwin) -> UpstreamPool:
    return UpstreamPool([(f"node{index}", chain) for index, chain in enumerate(chains)], clock=lambda: 0.0)


RAW = RawTransaction(b"\x02", Hash32())


async def test_one_upstream_agrees_with_itself() -> None:
    pool = pool_of(ChainTwin("aaaa"))
    await pool.probe()
    assert pool.agreed is not None
    assert pool.agreed.number == 3
    assert pool.disagreement is None


async def test_agreement_is_the_highest_block_a_majority_has() -> None:
    pool = pool_of(ChainTwin("aaaaaa"), ChainTwin("aaaa"), ChainTwin("aa"))
    await pool.probe()
    assert pool.agreed is not None
    assert pool.agreed.number == 3
    assert pool.disagreement is None


async def test_the_outvoted_member_is_asked_last_and_never_sent_to() -> None:
    liar, honest, other = ChainTwin("aabb"), ChainTwin("aaaa"), ChainTwin("aaaa")
    pool = pool_of(liar, honest, other)
    await pool.probe()
    assert pool.disagreement == "node0 contradict block 3"
    assert pool.agreed is not None
    assert str(pool.agreed.hash) == name_hash("a", 3)
    before = liar.calls
    await pool.call("eth_getBlockByNumber", ["latest", False])
    assert liar.calls == before
    await pool.send_raw(RAW)
    assert (len(liar.submitted), len(honest.submitted)) == (0, 1)


async def test_without_a_majority_the_agreement_falls_back_to_the_common_block() -> None:
    pool = pool_of(ChainTwin("aaabbb"), ChainTwin("aaaccc"))
    await pool.probe()
    assert pool.agreed is not None
    assert pool.agreed.number == 2
    assert pool.disagreement == "no majority for block 5"


async def test_reads_fail_over_and_refusals_do_not() -> None:
    primary, backup = ChainTwin("a"), ChainTwin("aa")
    pool = pool_of(primary, backup)
    primary.failure = UpstreamSilent("stalled")
    assert await pool.forward(b"x") == b"x"
    assert pool.failovers == 1
    primary.failure = None
    before = backup.calls
    with pytest.raises(UpstreamRefused):
        await pool.call("eth_nonsense")
    assert backup.calls == before


async def test_a_submission_is_repeated_elsewhere_only_if_nothing_was_sent() -> None:
    primary, backup = ChainTwin("a"), ChainTwin("a")
    pool = pool_of(primary, backup)
    primary.failure = UpstreamSilent("stalled")
    with pytest.raises(UpstreamSilent):
        await pool.send_raw(RAW)
    assert backup.submitted == []
    primary.failure = UpstreamUnreachable("refused")
    await pool.send_raw(RAW)
    assert len(backup.submitted) == 1


async def test_an_open_breaker_spares_the_failing_member() -> None:
    primary, backup = ChainTwin("a"), ChainTwin("a")
    pool = pool_of(primary, backup)
    primary.failure = UpstreamSilent("stalled")
    for _ in range(5):
        await pool.forward(b"x")
    assert primary.calls == 3
    backup.failure = UpstreamUnreachable("down")
    for _ in range(4):
        with pytest.raises(UpstreamUnreachable):
            await pool.forward(b"x")


async def test_known_unknown_and_unsure() -> None:
    primary, backup = ChainTwin("a"), ChainTwin("a")
    pool = pool_of(primary, backup)
    assert await pool.knows(Hash32()) is False
    primary.failure = UpstreamSilent("stalled")
    assert await pool.knows(Hash32()) is None
    backup.submitted.append(b"")
    assert await pool.knows(Hash32()) is True
