"""The endpoints of /api/v1 for signatures and the allow list."""

from __future__ import annotations

from datetime import datetime, timedelta
from typing import Annotated

from fastapi import APIRouter, Depends, HTTPException, Query
from fastapi.responses import Response
from pydantic import Field

from dashboard.api.bodies import Body
from dashboard.api.routes import ABOUT_ONE, REFUSALS, scoped
from dashboard.dependencies import RowId, TheRoom
from gateway.model.account import ApiToken, Permission
from gateway.model.primitive import Address
from gateway.model.signature import KeptSignature
from gateway.model.trust import Reputation, TrustEntry

routes = APIRouter(prefix="/api/v1", responses={**REFUSALS, **ABOUT_ONE})
_ADDRESS = r"^0x[0-9a-fA-F]{40}$"

Overseer = Annotated[ApiToken, Depends(scoped(Permission.OVERSEE))]
Judge = Annotated[ApiToken, Depends(scoped(Permission.DECIDE))]
Truster = Annotated[ApiToken, Depends(scoped(Permission.TRUST))]


class SignatureBody(Body):
    """One signature of a confirmed attack."""

    id: int
    kind: str
    state: str
    case_id: str
    entry: str | None
    digest: str
    author: str
    created_at: datetime
    expires_at: datetime
    hits: int
    last_hit_at: datetime | None
    ended_by: str | None
    ended_at: datetime | None
    end_reason: str | None

    @classmethod
    def of(cls, kept: KeptSignature) -> SignatureBody:
        """From the model's value."""
        one = kept.signature
        return cls(
            id=one.id,
            kind=one.kind.value,
            state=one.state.value,
            case_id=one.case_id,
            entry=None if one.entry is None else str(one.entry),
            digest=one.digest.hex(),
            author=one.author,
            created_at=one.created_at,
            expires_at=one.expires_at,
            hits=kept.hits,
            last_hit_at=kept.last_hit_at,
            ended_by=kept.ended_by,
            ended_at=kept.ended_at,
            end_reason=kept.end_reason,
        )


class TrustBody(Body):
    """One line of the allow list."""

    id: int
    sender: str | None
    contract: str | None
    selector: str | None
    detector: str | None
    reason: str
    author: str
    created_at: datetime
    expires_at: datetime
    ended_by: str | None
    ended_at: datetime | None

    @classmethod
    def of(cls, entry: TrustEntry) -> TrustBody:
        """From the model's value."""
        return cls(
            id=entry.id,
            sender=None if entry.sender is None else str(entry.sender),
            contract=None if entry.contract is None else str(entry.contract),
            selector=None if entry.selector is None else "0x" + entry.selector.hex(),
            detector=entry.detector,
            reason=entry.reason,
            author=entry.author,
            created_at=entry.created_at,
            expires_at=entry.expires_at,
            ended_by=entry.ended_by,
            ended_at=entry.ended_at,
        )


class ReputationBody(Body):
    """What history says of one address."""

    address: str
    standing: str
    clean: int
    senders: int
    false_alarms: int
    confirmed: int
    first_seen: datetime
    last_seen: datetime

    @classmethod
    def of(cls, found: Reputation) -> ReputationBody:
        """From the model's value."""
        return cls(
            address=str(found.address),
            standing=found.standing,
            clean=found.clean,
            senders=found.senders,
            false_alarms=found.false_alarms,
            confirmed=found.confirmed,
            first_seen=found.first_seen,
            last_seen=found.last_seen,
        )


class NewTrustBody(Body):
    """A line to be written."""

    sender: str | None = Field(default=None, pattern=_ADDRESS)
    contract: str | None = Field(default=None, pattern=_ADDRESS)
    selector: str | None = Field(default=None, pattern=r"^0x[0-9a-fA-F]{8}$")
    detector: str | None = Field(default=None, max_length=100)
    reason: str = Field(min_length=1, max_length=2000)
    days: int = Field(default=30, strict=True, ge=1, le=365)


class WithdrawalBody(Body):
    """Why something ends."""

    reason: str = Field(min_length=1, max_length=2000)


@routes.get("/signatures")
async def list_signatures(
    room: TheRoom, token: Overseer, case: Annotated[str, Query(max_length=80, pattern=r"^[^\x00]*$")] = ""
) -> list[SignatureBody]:
    """Signatures, the newest first."""
    return [SignatureBody.of(kept) for kept in await room.signatures.listed(case_id=case)]


@routes.post("/signatures/{number}/withdrawal", status_code=204, response_class=Response)
async def withdraw_signature(room: TheRoom, token: Judge, number: RowId, body: WithdrawalBody) -> Response:
    """End one signature for good."""
    if not await room.signatures.withdraw(number, token.account.name, body.reason):
        raise HTTPException(404, "There is no such signature, or it has ended.")
    return Response(status_code=204)


@routes.get("/trust")
async def list_trust(room: TheRoom, token: Overseer, ended: bool = False) -> list[TrustBody]:
    """Lines of the allow list, the newest first."""
    return [TrustBody.of(entry) for entry in await room.trust.entries(ended=ended)]


@routes.post("/trust", status_code=201)
async def add_trust(room: TheRoom, token: Truster, body: NewTrustBody) -> dict[str, int]:
    """Write one line; its number."""
    try:
        number = await room.trust.add(
            author=token.account.name,
            reason=body.reason,
            expires_at=room.now() + timedelta(days=body.days),
            sender=None if body.sender is None else Address.from_hex(body.sender),
            contract=None if body.contract is None else Address.from_hex(body.contract),
            selector=None if body.selector is None else bytes.fromhex(body.selector[2:]),
            detector=body.detector,
        )
    except ValueError as error:
        raise HTTPException(422, f"Nothing was added: {error}.") from error
    return {"id": number}


@routes.post("/trust/{number}/withdrawal", status_code=204, response_class=Response)
async def withdraw_trust(room: TheRoom, token: Truster, number: RowId, body: WithdrawalBody) -> Response:
    """End one line of the allow list."""
    if not await room.trust.withdraw(number, token.account.name, body.reason):
        raise HTTPException(404, "There is no such line, or it has ended.")
    return Response(status_code=204)


@routes.get("/reputation/{address}")
async def read_reputation(room: TheRoom, token: Overseer, address: str) -> ReputationBody:
    """What history says of one address."""
    try:
        found = await room.trust.reputation(Address.from_hex(address))
    except ValueError as error:
        raise HTTPException(422, f"{error}.") from error
    if found is None:
        raise HTTPException(404, "Nothing is known of this address.")
    return ReputationBody.of(found)
