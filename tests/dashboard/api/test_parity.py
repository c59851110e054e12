"""What the pages do, the API does: every route of a page has its endpoint here, or the reason why it has none."""

from __future__ import annotations

from fastapi.routing import iter_route_contexts

from dashboard.app import create_app
from dashboard.settings import DashboardSettings

C, A = "/cases/{case_id}", "/api/v1/cases/{case_id}"
SAME = {
    "GET /queue": ["GET /api/v1/cases", "GET /api/v1/groups"],
    f"GET {C}": [
        f"GET {A}", f"GET {A}/effects", f"GET {A}/history", f"GET {A}/notes", f"GET {A}/marks", f"GET {A}/runs",
        f"GET {A}/appeals", f"GET {A}/attachments",
    ],
    f"GET {C}/trace": [f"GET {A}/trace"],
    f"GET {C}/trace.json": [f"GET {A}/trace"],
    f"POST {C}/decide": [f"POST {A}/decision"],
    f"POST {C}/withdraw": [f"DELETE {A}/first-voice"],
    f"POST {C}/extend": [f"POST {A}/extension"],
    f"POST {C}/assign": [f"POST {A}/assignment"],
    f"POST {C}/notes": [f"POST {A}/notes"],
    f"POST {C}/marks": [f"POST {A}/marks"],
    f"POST {C}/marks/{{mark_id}}/undo": [f"DELETE {A}/marks/{{mark_id}}"],
    f"POST {C}/runs": [f"POST {A}/runs"],
    f"GET {C}/runs/{{run_id}}": [f"GET {A}/runs/{{run_id}}"],
    f"POST {C}/appeals/{{appeal_id}}/answer": [f"POST {A}/appeals/{{appeal_id}}/answer"],
    f"POST {C}/attachments": [f"POST {A}/attachments"],
    f"GET {C}/attachments/{{attachment_id}}": [f"GET {A}/attachments/{{attachment_id}}"],
    f"POST {C}/attachments/{{attachment_id}}/remove": [f"DELETE {A}/attachments/{{attachment_id}}"],
    "GET /signatures": ["GET /api/v1/signatures"],
    "POST /signatures/{number}/withdraw": ["POST /api/v1/signatures/{number}/withdrawal"],
    "GET /trust": ["GET /api/v1/trust", "GET /api/v1/reputation/{address}"],
    "POST /trust": ["POST /api/v1/trust"],
    "POST /trust/{number}/withdraw": ["POST /api/v1/trust/{number}/withdrawal"],
    "GET /overview": ["GET /api/v1/overview"],
    "GET /detectors": ["GET /api/v1/detectors"],
    "GET /rules": ["GET /api/v1/rules"],
    "GET /health": ["GET /api/v1/health"],
    "GET /audit": ["GET /api/v1/audit"],
    "GET /audit.jsonl": ["GET /api/v1/audit/export"],
    "GET /audit/verify": ["GET /api/v1/audit/verification"],
    "GET /notifications": ["GET /api/v1/channels", "GET /api/v1/deliveries"],
    "POST /notifications": ["POST /api/v1/channels"],
    "POST /notifications/{channel_id}": [
        "PUT /api/v1/channels/{channel_id}/rule", "PUT /api/v1/channels/{channel_id}/enabled",
        "POST /api/v1/channels/{channel_id}/test", "DELETE /api/v1/channels/{channel_id}",
    ],
    "GET /account": ["GET /api/v1/me"],
}  # fmt: skip
PAGES_ALONE = {
    "of the browser: signing in and out, and confirming with a second factor, which a token does not have": [
        "GET /login", "POST /login", "GET /login/token", "POST /login/token", "POST /logout", "GET /step-up",
        "POST /step-up", "POST /login/passkey/question", "POST /login/passkey", "POST /step-up/passkey/question",
        "POST /step-up/passkey", "GET /login/sso", "GET /step-up/sso", "GET /login/sso/callback",
    ],
    "a token must not make keys, tokens or accounts: whoever stole one would keep what he has": [
        "POST /account/passkeys/question", "POST /account/passkeys", "POST /account/passkeys/{passkey_id}/name",
        "POST /account/passkeys/{passkey_id}/remove", "POST /account/identities",
        "POST /account/identities/{identity_id}/unlink", "POST /account/password", "POST /account/second-factor",
        "POST /account/sessions/revoke", "POST /account/tokens", "POST /account/tokens/{token_id}/revoke",
        "GET /users", "POST /users", "POST /users/{name}", "GET /services", "POST /services", "POST /services/{name}",
        "POST /services/{name}/tokens", "POST /services/{name}/tokens/{token_id}/rotate",
        "POST /services/{name}/tokens/{token_id}/revoke",
    ],
    "of the page itself: the way to it, its live part, and what one's own browser remembers": [
        "GET /", "GET /queue/rows", "GET /events", "POST /queue/views", "POST /queue/views/{view_id}/drop",
    ],
    "many at once: a program decides one by one, and a mass release needs two people": [
        "POST /queue/preview", "POST /queue/decide",
    ],
    "public: they need no account, so no token either": [
        "GET /status/{hash}", "POST /status/{hash}/appeal", "POST /status/{hash}/appeal/signed", "GET /figures",
        "GET /figures.json", "GET /healthz",
    ],
}  # fmt: skip


def test_the_api_does_what_the_pages_do() -> None:
    app = create_app(DashboardSettings())
    there = {
        f"{method} {route.path}"
        for route in iter_route_contexts(app.routes)
        for method in getattr(route, "methods", None) or ()
        if method != "HEAD"
    }
    pages = {route for route in there if " /api/" not in route}
    alone = {route for routes in PAGES_ALONE.values() for route in routes}
    assert pages == SAME.keys() | alone, "a new page needs an endpoint, or a reason above why it has none"
    assert not SAME.keys() & alone
    endpoints = {route for routes in SAME.values() for route in routes}
    assert endpoints == there - pages - {"GET /api/v1/openapi.json"}, "an endpoint that no page stands beside"
