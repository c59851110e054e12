"""Pictures of every page at two sizes in both themes: `python -m tests.dashboard.screenshots FOLDER [PAGE...]`."""

from __future__ import annotations

import asyncio
import sys
import tempfile
from pathlib import Path

from tests.dashboard.browser import chromium_path, launched, served, sign_in
from tests.dashboard.scene import settings_at, utc_now
from tests.dashboard.seed import seed_administration, seed_cases, seed_knowledge, seed_people, seed_rules, seed_work

SCREENS = {"case": 1.7, "rules": 1.6, "run": 2, "trust": 2, "account": 2, "services": 2, "notifications": 2}
"""pages of which the first screen says too little: how many are taken"""
SIZES = {"wide": (1280, 800), "narrow": (360, 740)}
PAGES = {
    "queue": "/queue",
    "groups": "/queue?view=groups",
    "case": "/cases/c-000001",
    "hostile": "/cases/c-000010",
    "run": "/cases/c-000001/runs/1",
    "trace": "/cases/c-000001/trace",
    "overview": "/overview",
    "detectors": "/detectors",
    "rules": "/rules",
    "signatures": "/signatures",
    "trust": "/trust",
    "health": "/health",
    "audit": "/audit",
    "people": "/users",
    "services": "/services",
    "notifications": "/notifications",
    "figures": "/figures",
    "step-up": "/step-up",
    "account": "/account",
    "status": "/status/{hash}",
    "appeal": "/status/{other}",
    "login": "/login",
}


async def main(folder: Path, wanted: list[str]) -> int:
    """Take the pictures; 1 if a page is wider than its window."""
    too_wide = 0
    with tempfile.TemporaryDirectory() as scratch:
        settings = settings_at(Path(scratch), chain_name="Harbour L2", public_figures=True)
        async with served(settings) as (address, room), launched() as browser:
            await seed_people(room)
            entries = await seed_cases(room, utc_now())
            await seed_work(room, entries[0])
            await seed_administration(room)
            await seed_knowledge(room, entries[0])
            await seed_rules(room)
            for size, (width, height) in SIZES.items():
                for theme in ("light", "dark"):
                    options = {"viewport": {"width": width, "height": height}, "color_scheme": theme}
                    page = await sign_in(browser, address, room, "otto", **options)
                    for name, path in PAGES.items():
                        if wanted and name not in wanted:
                            continue
                        if name == "login":
                            await page.context.clear_cookies()
                        await page.goto(address + path.format(hash=entries[0].hash, other=entries[2].hash))
                        if name == "appeal":
                            await page.get_by_label("Your words").fill("We rebalance our own pool.")
                            await page.get_by_role("button", name="Go on to signing").click()
                        await page.wait_for_timeout(150)
                        spill = await page.evaluate("document.documentElement.scrollWidth - window.innerWidth")
                        if spill > 0:
                            print(f"{name} {size} {theme}: {spill} px too wide")
                            too_wide += 1
                        whole = await page.evaluate("document.documentElement.scrollHeight")
                        shown = min(whole, int(height * SCREENS.get(name, 1)))
                        await page.set_viewport_size({"width": width, "height": shown})
                        await page.screenshot(path=folder / f"{name}-{size}-{theme}.png")
                        await page.set_viewport_size({"width": width, "height": height})
                    await page.context.close()
    return 1 if too_wide else 0


if __name__ == "__main__":
    if chromium_path() is None:
        sys.exit("Chromium is not installed; Debian's package is called chromium")
    Path(sys.argv[1]).mkdir(parents=True, exist_ok=True)
    sys.exit(asyncio.run(main(Path(sys.argv[1]), sys.argv[2:])))
