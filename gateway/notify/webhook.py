"""The signed webhook: JSON, HMAC-SHA256 over time, delivery id and body. Receivers read docs/notifications.md."""

from __future__ import annotations

import hashlib
import hmac
import json
from datetime import UTC, datetime, timedelta

import httpx

from gateway.errors import StopgateError
from gateway.model.notice import Delivery, Notice, link_of

DELIVERY, TIMESTAMP, SIGNATURE = "stopgate-delivery", "stopgate-timestamp", "stopgate-signature"
REPLAY_WINDOW = timedelta(minutes=5)
"""How old a timestamp a receiver takes. Within it, a repeated delivery id is a repetition to be ignored."""
_TIMEOUT = 10.0


class NotDelivered(StopgateError):
    """The channel did not take it. Says what came back, never what it was sent to."""


class NotGenuine(StopgateError):
    """A webhook's signature, time or headers do not hold."""


def body_of(delivery: Delivery, dashboard_url: str) -> bytes:
    """The JSON document. The same at every attempt."""
    document = {
        "version": 1,
        "delivery": delivery.delivery_id,
        "channel": delivery.channel.name,
        "notices": [_notice(notice, dashboard_url) for notice in delivery.notices],
    }
    return json.dumps(document, separators=(",", ":")).encode()


def signature(secret: str, timestamp: str, delivery_id: str, body: bytes) -> str:
    """`v1=` and the hexadecimal HMAC-SHA256 of timestamp, full stop, delivery id, full stop, body."""
    signed = b".".join((timestamp.encode(), delivery_id.encode(), body))
    return "v1=" + hmac.new(secret.encode(), signed, hashlib.sha256).hexdigest()


def verify(secret: str, headers: httpx.Headers, body: bytes, now: datetime) -> str:
    """What a receiver does before it believes anything; the delivery id.

    Raises:
        NotGenuine: a header is missing, the signature is another, or the time is not within the replay window.
    """
    delivery_id, timestamp = str(headers.get(DELIVERY, "")), str(headers.get(TIMESTAMP, ""))
    expected = signature(secret, timestamp, delivery_id, body)
    if not delivery_id or not hmac.compare_digest(expected.encode(), headers.get(SIGNATURE, "").encode()):
        raise NotGenuine("the signature is not ours")
    if not timestamp.isdecimal() or abs(now - datetime.fromtimestamp(int(timestamp), UTC)) > REPLAY_WINDOW:
        raise NotGenuine("the timestamp is not within five minutes of now")
    return delivery_id


async def send(client: httpx.AsyncClient, delivery: Delivery, dashboard_url: str, now: datetime) -> None:
    """POST it once; a redirect is not followed.

    Raises:
        NotDelivered: no answer, or none with a 2xx status.
    """
    body, timestamp = body_of(delivery, dashboard_url), str(int(now.timestamp()))
    headers = {
        "content-type": "application/json",
        "user-agent": "stopgate",
        DELIVERY: delivery.delivery_id,
        TIMESTAMP: timestamp,
        SIGNATURE: signature(delivery.secret, timestamp, delivery.delivery_id, body),
    }
    try:
        async with client.stream("POST", delivery.target, content=body, headers=headers, timeout=_TIMEOUT) as answer:
            status = answer.status_code  # the body is not read: nothing in it matters, and it may be endless
    except httpx.InvalidURL as error:
        raise NotDelivered("the target is no URL") from error
    except httpx.HTTPError as error:
        raise NotDelivered(f"no answer ({type(error).__name__})") from error
    if not 200 <= status < 300:
        raise NotDelivered(f"answered with status {status}")


def _notice(notice: Notice, dashboard_url: str) -> dict[str, object]:
    return {
        "kind": notice.kind.value,
        "case_id": notice.case_id or None,
        "at": notice.at.astimezone(UTC).isoformat(),
        "actor": notice.actor,
        "severity": notice.severity.name.lower(),
        "title": notice.title,
        "detectors": list(notice.detectors),
        "estimated_loss": notice.loss,
        "audit_sequence": notice.sequence or None,
        "link": link_of(notice, dashboard_url),
    }
