"""Chat, mail and paging services by apprise, which knows their protocols. Blocking, so it runs in a thread."""

from __future__ import annotations

import asyncio
import logging

from gateway.model.notice import Delivery, Notice, check_target, link_of, summary
from gateway.notify.webhook import NotDelivered

_SHOWN = 20
"""Notices listed one by one; the rest is counted."""


def text_of(delivery: Delivery, dashboard_url: str) -> str:
    """A line for each notice, with its link."""
    lines = [_line(notice, dashboard_url) for notice in delivery.notices[:_SHOWN]]
    if len(delivery.notices) > _SHOWN:
        lines.append(f"and {len(delivery.notices) - _SHOWN} more: {dashboard_url}/queue")
    return "\n".join(lines)


async def send(delivery: Delivery, dashboard_url: str) -> None:
    """Send it once.

    Raises:
        NotDelivered: the service did not take it.
    """
    check_target(delivery.channel.kind, delivery.target)
    title, body = "Stopgate " + summary(delivery.notices), text_of(delivery, dashboard_url)
    await asyncio.to_thread(_notify, delivery.target, title, body)


def _notify(target: str, title: str, body: str) -> None:
    import apprise  # a second of work, and most gateways have no such channel

    logging.getLogger("apprise").setLevel(logging.CRITICAL)  # its lines hold services' answers and parts of URLs
    sender = apprise.Apprise()
    if not sender.add(target):
        raise NotDelivered("the service's URL cannot be read; see apprise's page on that service")
    if not sender.notify(body=body, title=title, body_format=apprise.NotifyFormat.TEXT, interpret_escapes=False):
        raise NotDelivered("the service did not take it")


def _line(notice: Notice, dashboard_url: str) -> str:
    loss = "" if notice.loss is None else f", estimated loss {notice.loss:,.0f}"
    return f"{notice.kind}: {notice.title} ({notice.severity.name.lower()}{loss}) {link_of(notice, dashboard_url)}"
