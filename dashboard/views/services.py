"""Accounts of programs: they have no password and no pages, only API tokens with scopes and an end."""

from __future__ import annotations

from datetime import timedelta

from fastapi import APIRouter, HTTPException, Request
from fastapi.responses import RedirectResponse, Response

from dashboard.dependencies import Administrator, Posted, RowId, TheRoom, field, require_step_up
from dashboard.pages.people import ServicesPage
from dashboard.room import Room
from dashboard.templating import page
from dashboard.views.people import chosen_role, named_contracts, token_span
from gateway.errors import ConfigurationError
from gateway.model.account import PERMISSIONS, Account, Permission, Role

routes = APIRouter(prefix="/services")
_OVERLAP = timedelta(hours=24)
"""How long a rotated token still works, so that a program can be given the new one without a gap."""


@routes.get("")
async def services(request: Request, room: TheRoom, me: Administrator) -> Response:
    """Every service account."""
    return page(request, "services.html", await _services_page(room))


@routes.post("")
async def add(request: Request, room: TheRoom, me: Administrator, form: Posted) -> Response:
    """Create one."""
    require_step_up(room, me, "/services")
    try:
        role = chosen_role(field(form, "role"))
        contracts = named_contracts(field(form, "contracts", most=10_000))
        name = field(form, "name", most=64)
        await room.people.add(name, role, actor=me.account.name, contracts=contracts, service=True)
    except ConfigurationError as error:
        context = await _services_page(room, problem=f"The service account was not created: {error}.")
        return page(request, "services.html", context, status=422)
    return RedirectResponse("/services", 303)


@routes.post("/{name}")
async def change(request: Request, room: TheRoom, me: Administrator, form: Posted, name: str) -> Response:
    """Disable or enable one, or change its contracts."""
    require_step_up(room, me, "/services")
    service = await _service(room, name)
    try:
        match field(form, "step"):
            case "disable":
                await room.people.disable(service.name, actor=me.account.name)
            case "enable":
                await room.people.enable(service.name, actor=me.account.name)
            case "contracts":
                contracts = named_contracts(field(form, "contracts", most=10_000))
                await room.people.set_contracts(service.name, contracts, actor=me.account.name)
            case step:
                raise HTTPException(422, f"There is no step {step[:40]!r}.")
    except ConfigurationError as error:
        context = await _services_page(room, problem=f"Nothing was changed: {error}.")
        return page(request, "services.html", context, status=422)
    return RedirectResponse("/services", 303)


@routes.post("/{name}/tokens")
async def issue(request: Request, room: TheRoom, me: Administrator, form: Posted, name: str) -> Response:
    """A new token of a service account, shown once."""
    require_step_up(room, me, "/services")
    service = await _service(room, name)
    word = field(form, "name", most=64)
    scopes = {Permission(scope) for scope in form.getlist("scope") if scope in list(Permission)}
    scopes &= PERMISSIONS[service.role]
    if not word or not scopes:
        context = await _services_page(room, problem="A token needs a name and at least one scope of its role.")
        return page(request, "services.html", context, status=422)
    lasts = token_span(field(form, "days", most=4))
    token = await room.sign_in.issue_api_token(service, word, scopes, lasts=lasts, actor=me.account.name)
    return page(request, "services.html", await _services_page(room, new_token=token, new_for=service.name))


@routes.post("/{name}/tokens/{token_id}/rotate")
async def rotate(
    request: Request, room: TheRoom, me: Administrator, form: Posted, name: str, token_id: RowId
) -> Response:
    """A successor of a token, shown once; the old one works for another day."""
    require_step_up(room, me, "/services")
    service = await _service(room, name)
    token = await room.sign_in.rotate_api_token(service, token_id, overlap=_OVERLAP, actor=me.account.name)
    if token is None:
        raise HTTPException(404, "There is no such live token.")
    return page(request, "services.html", await _services_page(room, new_token=token, new_for=service.name))


@routes.post("/{name}/tokens/{token_id}/revoke")
async def revoke(room: TheRoom, me: Administrator, form: Posted, name: str, token_id: RowId) -> Response:
    """End a token now."""
    service = await _service(room, name)
    if not await room.sign_in.revoke_api_token(service, token_id, actor=me.account.name):
        raise HTTPException(404, "There is no such live token.")
    return RedirectResponse("/services", 303)


async def _service(room: Room, name: str) -> Account:
    known = await room.people.credentials(name[:64])
    if known is None or not known.account.service:
        raise HTTPException(404, "There is no such service account.")
    return known.account


async def _services_page(room: Room, *, new_token: str = "", new_for: str = "", problem: str = "") -> ServicesPage:
    services = [known for known in await room.people.accounts() if known.service]
    return ServicesPage(
        services=[(service, await room.sign_in.api_tokens(service)) for service in services],
        roles=tuple(role.value for role in Role),
        scopes={role.value: sorted(scope.value for scope in scopes) for role, scopes in PERMISSIONS.items()},
        new_token=new_token,
        new_for=new_for,
        problem=problem,
    )
