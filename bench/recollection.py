"""What the look into memory costs: the stream that replicas share, on a real Valkey, and the memory of one process."""

from __future__ import annotations

import tempfile
import time
from pathlib import Path
from typing import Any

from bench.figure import at
from gateway.inspection.past.effects import Effects, Taking
from gateway.inspection.past.memory import Memory
from gateway.inspection.past.recollection import KEYS, Recollection
from gateway.model.primitive import Address, Hash32
from gateway.store.shared.embedded import EmbeddedValkey
from gateway.store.shared.memory_log import START, RedisMemoryLog
from tests.gateway.evm import scenes

LOOKS = 500


async def memory() -> list[dict[str, Any]]:
    """What the look into memory costs: the shared stream in Valkey, which is read beside the simulation, and ours."""
    with tempfile.TemporaryDirectory(prefix="stopgate-bench-") as folder:
        server = EmbeddedValkey.start(Path(folder))
        log = RedisMemoryLog(server.url)
        try:
            await log.append([b"x" * 300] * 1_000)
            seen = (await log.after(START))[-1][0]
            quiet = [await _timed(log, seen) for _ in range(LOOKS)]
            news = []
            for _ in range(LOOKS):
                await log.append([b"x" * 300])
                news.append(await _timed(log, seen))
                seen = (await log.after(seen))[-1][0]
        finally:
            await log.close()
            server.close()
    full, senders = Recollection(), [Address(number.to_bytes(20, "big")) for number in range(1, KEYS + 1)]
    for number, sender in enumerate(senders):
        kept = Effects(Memory(created=(sender,)), (Taking(sender, sender, 1, 2),))
        full.keep(Hash32(number.to_bytes(32, "big")), sender, None, kept)
    own = []
    for sender in senders[-LOOKS:]:
        began = time.perf_counter()
        full.before(scenes.transaction(to=sender))
        own.append(1000 * (time.perf_counter() - began))
    named = {"stream, nothing new": quiet, "stream, one new message": news, f"this process, {KEYS} senders": own}
    return [
        {"look into": name, "n": len(row), "wall_p50_ms": at(row, 0.5), "wall_p99_ms": at(row, 0.99)}
        for name, row in named.items()
    ]


async def _timed(log: RedisMemoryLog, seen: str) -> float:
    began = time.perf_counter()
    await log.after(seen)
    return 1000 * (time.perf_counter() - began)
