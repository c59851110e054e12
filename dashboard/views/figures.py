"""Figures for the public, if the operator has switched them on."""

from __future__ import annotations

from datetime import timedelta

from fastapi import APIRouter, HTTPException, Request
from fastapi.responses import JSONResponse, Response

from dashboard.dependencies import TheRoom
from dashboard.pages.public import FiguresPage
from dashboard.room import Room
from dashboard.templating import page
from gateway.model.published import SMALLEST, Published, publish

routes = APIRouter()


@routes.get("/figures")
async def figures(request: Request, room: TheRoom) -> Response:
    """What the gateway did in thirty days, coarse."""
    published = await _published(room)
    rows = (
        ("held", published.held),
        ("released", published.released),
        ("rejected", published.rejected),
        ("expired undecided", published.expired),
        ("appeals", published.appeals),
    )
    return page(request, "figures.html", FiguresPage(published, rows, SMALLEST))


@routes.get("/figures.json")
async def figures_json(room: TheRoom) -> Response:
    """The same for programs. null: fewer than `smallest`, which may be none."""
    published = await _published(room)
    within = published.median_within
    return JSONResponse(
        {
            "since": published.since.isoformat(),
            "until": published.until.isoformat(),
            "smallest": SMALLEST,
            "held": published.held,
            "released": published.released,
            "rejected": published.rejected,
            "expired": published.expired,
            "appeals": published.appeals,
            "median_decision_within_minutes": None if within is None else int(within / timedelta(minutes=1)),
        }
    )


async def _published(room: Room) -> Published:
    if not room.settings.public_figures:
        raise HTTPException(404, "This page does not exist.")
    return publish(await room.counted.get())
