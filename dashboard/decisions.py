"""Decisions as the desk's rules allow them; pages and API both go through here."""

from __future__ import annotations

import hashlib
import logging
from dataclasses import dataclass
from datetime import timedelta

from dashboard.render.quantity import loss_text
from dashboard.room import Room
from gateway.errors import QueueUnavailable, StopgateError
from gateway.model.account import Account, Permission
from gateway.model.case import Conflict, Decision
from gateway.model.finding import finding_key
from gateway.model.quarantine import WAITING, CaseState, QuarantineEntry

log = logging.getLogger(__name__)


class DecisionRefused(StopgateError):
    """The decision is not allowed as it was asked for; nothing was changed."""


@dataclass(frozen=True, slots=True)
class Decided:
    """The case after the decision."""

    entry: QuarantineEntry


@dataclass(frozen=True, slots=True)
class SecondVoiceNeeded:
    """The first voice is recorded; another person has to agree."""

    entry: QuarantineEntry


Outcome = Decided | SecondVoiceNeeded | Conflict


async def why_two(room: Room, entry: QuarantineEntry, target: CaseState) -> str:
    """Why this needs two people; empty if one is enough.

    A release cannot be taken back, so a large one needs two, and so does one of which nobody can say how large it is:
    an attack on what has no price here must not be the easiest to let through. A rejected sender can always send again.
    """
    if target is not CaseState.RELEASED:
        return ""
    loss, limit = entry.estimated_loss, room.settings.two_person_limit
    if loss is not None and loss >= limit:
        return f"at least {loss_text(limit, room.settings.unit)} is at stake"
    if not room.settings.two_person_unpriced:
        return ""
    if loss is None:
        return "what is at stake has no price here"
    detail = await room.details.get(entry)
    unpriced = detail is not None and detail.loss is not None and detail.loss.unpriced
    return "part of what is at stake has no price here" if unpriced else ""


def findings_seen(entry: QuarantineEntry) -> str:
    """A short digest of the findings a page showed, to notice that they changed meanwhile."""
    keys = sorted(map(finding_key, entry.verdict.report.findings))
    return hashlib.sha256("\n".join(keys).encode()).hexdigest()[:16]


async def decide(
    room: Room,
    account: Account,
    entry: QuarantineEntry,
    target: CaseState,
    reason: str,
    *,
    seen: str | None = None,
    mass: bool = False,
) -> Outcome:
    """Release or reject, or record the first of two voices.

    Raises:
        DecisionRefused: no reason, findings that changed, or both voices are one person's.
    """
    if not reason.strip():
        raise DecisionRefused("A decision needs a reason.")
    if entry.state not in WAITING:
        return Conflict(entry.case_id, entry.state, entry.decided_by, target)
    if seen is not None and seen != findings_seen(entry):
        raise DecisionRefused("The findings changed while you were looking. Read them again before you decide.")
    second = None
    actor = account.name
    if (mass and target is CaseState.RELEASED) or await why_two(room, entry, target):
        asked = await room.desk.asked(entry.case_id)
        if asked is None or asked.target != target:
            await room.desk.ask(entry.case_id, target, account.name, reason)
            return SecondVoiceNeeded(entry)
        if asked.actor == account.name:
            raise DecisionRefused("You gave the first voice; another person has to give the second.")
        actor, second, reason = asked.actor, account.name, f"{asked.reason} | {account.name}: {reason}"
    keys = frozenset(map(finding_key, entry.verdict.report.findings))
    decision = Decision(target, actor, reason, second_actor=second, seen_findings=keys)
    after = await room.record.decide(entry.case_id, decision)
    if isinstance(after, Conflict):
        return after
    await room.desk.close_asked(entry.case_id, account.name, f"decided: {target}")
    await follow(room, after)
    return Decided(after)


async def extend(room: Room, account: Account, entry: QuarantineEntry, by: timedelta, reason: str) -> Outcome:
    """Give a waiting case more time, never beyond the longest hold.

    Raises:
        DecisionRefused: no reason, or no time left to give.
    """
    if not reason.strip():
        raise DecisionRefused("More time needs a reason.")
    latest = entry.held_at + timedelta(hours=room.settings.longest_hold_hours)
    until = min(entry.expires_at + by, latest)
    if until <= entry.expires_at:
        raise DecisionRefused(
            f"No hold lasts longer than {room.settings.longest_hold_hours} hours; this one is at its limit."
        )
    return await _followed(room, await room.record.extend(entry.case_id, until, account.name, reason))


async def assign(room: Room, account: Account, entry: QuarantineEntry, to: str | None) -> Outcome:
    """Claim, hand over or give back.

    Raises:
        DecisionRefused: the receiver is no account that can decide.
    """
    if to is not None and to != account.name:
        known = await room.people.credentials(to)
        if known is None or not known.account.may(Permission.DECIDE):
            raise DecisionRefused(f"{to[:64]} is no account that can decide cases.")
    after = await room.record.assign(entry.case_id, to, account.name, expected=entry.assigned_to)
    return await _followed(room, after)


async def _followed(room: Room, after: QuarantineEntry | Conflict) -> Outcome:
    if isinstance(after, Conflict):
        return after
    await follow(room, after)
    return Decided(after)


async def follow(room: Room, entry: QuarantineEntry) -> None:
    """Tell the live queue. The record has decided already, so a silent queue costs nothing but freshness."""
    room.counts.forget()
    room.ending.forget()
    try:
        await room.queue.move(entry)
    except QueueUnavailable as error:
        log.warning("queue.behind case=%s: %s", entry.case_id, error)
