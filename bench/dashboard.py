"""The desk with a hundred thousand cases: server time and size of its pages, and in Chromium the first paint and how
soon a hold shows on an open page. `python -m bench.dashboard [--json]`.

One live case has 10,000 call frames. The others are copies of one recorded case with their own hash, sender, loss and
group, written straight into the database: holding each of them properly would take many minutes and measure the store.
"""

from __future__ import annotations

import asyncio
import hashlib
import json
import sqlite3
import sys
import tempfile
import time
from datetime import timedelta
from pathlib import Path
from typing import Any

import httpx
from playwright.async_api import expect

from dashboard.app import create_app
from tests.dashboard.browser import chromium_path, launched, served, sign_in
from tests.dashboard.scene import case, hold, many_frames, settings_at, utc_now
from tests.dashboard.seed import seed_people

CASES, FRAMES, ROUNDS, ARRIVALS = 100_000, 10_000, 100, 20
PAGES = {
    "queue": "/queue",
    "queue, page 100": "/queue?offset=5000",
    "queue, all states": "/queue?tab=all",
    "queue, largest loss": "/queue?order=loss",
    "queue, least time": "/queue?order=expiry",
    "queue, by severity": "/queue?severity=high",
    "queue, by detector": "/queue?detector=price-manipulation",
    "queue, search": "/queue?q={hash}",
    "look-alikes": "/queue?view=groups",
    "case of 10,000 frames": "/cases/c-000001",
    "its call tree": "/cases/c-000001/trace",
    "search in its calls": "/cases/c-000001/trace?q=transfer",
    "overview": "/overview",
    "detectors": "/detectors",
}


def multiply(file: Path) -> str:
    """Copy case 2 until there are CASES; gives one of the new hashes."""
    with sqlite3.connect(file) as database:
        names = [row[1] for row in database.execute("PRAGMA table_info(cases)")]
        values = database.execute("SELECT * FROM cases WHERE case_id = 'c-000002'").fetchone()
        template = dict(zip(names, values, strict=True))
        spelled = ", ".join(f'"{name}"' for name in names)
        insert = f"INSERT INTO cases ({spelled}) VALUES ({', '.join('?' * len(names))})"
        for number in range(3, CASES + 1):
            digest = hashlib.sha256(str(number).encode()).hexdigest()
            loss = float(int(digest[:6], 16) % 100_000)
            row = template | {
                "case_id": f"c-{number:06d}",
                "hash": "0x" + digest,
                "sender": "0x" + digest[:38] + f"{number % 100:02d}",
                "estimated_loss": loss,
                "rank": -template["score"] * (1 + loss),
                "loss_rank": -loss,
                "group_key": f"{number % 300:016x}",
                "state": ("HELD", "REJECTED", "FORWARDED")[0 if number % 10 < 8 else number % 2 + 1],
            }
            database.execute(insert, [row[name] for name in names])
            terms = {row["case_id"], row["hash"], row["sender"], "price-manipulation"}
            database.executemany(
                "INSERT INTO case_terms (term, case_id) VALUES (?, ?)", [(term, row["case_id"]) for term in terms]
            )
    return "0x" + digest


async def measure(folder: Path) -> list[dict[str, object]]:
    """Fill the desk, and ask for each page ROUNDS times after a first one."""
    app = create_app(settings_at(folder))
    async with app.router.lifespan_context(app):
        room = app.state.room
        await seed_people(room)
        await hold(room, case(1, utc_now(), trace=many_frames(FRAMES)))
        await hold(room, case(2, utc_now(), left=timedelta(hours=9)))
        some_hash = await asyncio.to_thread(multiply, folder / "stopgate.sqlite3")
        transport = httpx.ASGITransport(app=app)
        async with httpx.AsyncClient(transport=transport, base_url="http://127.0.0.1:8081") as client:
            token = await room.sign_in.issue_login_token("otto")
            await client.post("/login/token", data={"token": token})
            return [await _page(client, name, path.format(hash=some_hash)) for name, path in PAGES.items()]


async def _page(client: httpx.AsyncClient, name: str, path: str) -> dict[str, object]:
    began = time.perf_counter()
    answer = await client.get(path)
    first = time.perf_counter() - began
    assert answer.status_code == 200, answer.text
    times, spent = [], []
    for _ in range(ROUNDS):
        began, worked = time.perf_counter(), time.process_time()
        await client.get(path)
        times.append(time.perf_counter() - began)
        spent.append(time.process_time() - worked)
    return {
        "page": name,
        "first_ms": round(first * 1e3, 1),
        "p50_ms": _quantile(times, 0.5),
        "p95_ms": _quantile(times, 0.95),
        "cpu_p50_ms": _quantile(spent, 0.5),
        "cpu_p95_ms": _quantile(spent, 0.95),
        "html_kb": round(len(answer.content) / 1000, 1),
    }


def _quantile(seconds: list[float], share: float) -> float:
    """In milliseconds."""
    return round(sorted(seconds)[int(len(seconds) * share)] * 1e3, 1)


async def in_chromium(folder: Path) -> dict[str, Any]:
    """First paint of the two large pages, and seconds from a hold to its line on an open page, ARRIVALS times."""
    async with served(settings_at(folder)) as (address, room), launched() as browser:
        page = await sign_in(browser, address, room, "otto", viewport={"width": 1280, "height": 800})
        paints: dict[str, list[float]] = {"queue": [], "case of 10,000 frames": []}
        for name, seen in paints.items():
            for _ in range(10):
                await page.goto(address + PAGES[name])
                painted = "performance.getEntriesByName('first-contentful-paint')[0]?.startTime ?? null"
                for _ in range(50):
                    if (at := await page.evaluate(painted)) is not None:
                        seen.append(at)
                        break
                    await asyncio.sleep(0.02)
        await page.goto(address + "/queue")
        await expect(page.locator(".live.on")).to_be_visible()
        await asyncio.sleep(1)
        waits = []
        for number in range(ARRIVALS):
            case_id = f"c-9{number:05d}"
            began = time.perf_counter()
            await hold(room, case(900_000 + number, utc_now(), loss=1e9 + number))
            await page.locator(f'a.title[href="/cases/{case_id}"]').wait_for(timeout=10_000)
            waits.append(time.perf_counter() - began)
        waits.sort()
        return {
            "first_paint_ms": {name: round(sorted(seen)[len(seen) // 2], 1) for name, seen in paints.items()},
            "arrivals": ARRIVALS,
            "hold_to_page_p50_ms": round(waits[len(waits) // 2] * 1e3, 1),
            "hold_to_page_max_ms": round(waits[-1] * 1e3, 1),
        }


def main() -> None:
    """Print a table, or with --json one object as the last line."""
    with tempfile.TemporaryDirectory() as folder:
        rows = asyncio.run(measure(Path(folder)))
        browser = asyncio.run(in_chromium(Path(folder))) if chromium_path() else None
    print(f"{ROUNDS} requests of each page, one after another; cpu: of this process, store and test client included")
    print(f"{'page':24}{'first ms':>10}{'p50 ms':>9}{'p95 ms':>9}{'cpu p50':>9}{'cpu p95':>9}{'HTML kB':>9}")
    for row in rows:
        print(
            f"{row['page']:24}{row['first_ms']:>10}{row['p50_ms']:>9}{row['p95_ms']:>9}"
            f"{row['cpu_p50_ms']:>9}{row['cpu_p95_ms']:>9}{row['html_kb']:>9}"
        )
    if browser is None:
        print("Chromium is not installed: no first paint, no arrival on an open page")
    else:
        for name, milliseconds in browser["first_paint_ms"].items():
            print(f"first paint in Chromium, {name}: {milliseconds} ms (median of 10)")
        print(
            f"hold to its line on an open page: {browser['hold_to_page_p50_ms']} ms in the middle of {ARRIVALS}, "
            f"{browser['hold_to_page_max_ms']} ms at most"
        )
    if "--json" in sys.argv[1:]:
        print(json.dumps({"cases": CASES, "frames": FRAMES, "rounds": ROUNDS, "pages": rows, "browser": browser}))


if __name__ == "__main__":
    main()
