from __future__ import annotations

from typing import Any

import pytest

from gateway.model.transaction import Client
from gateway.proxy.clients import ClientDesk, UnknownKey, is_rpc_path, key_digest

DESK = ClientDesk({key_digest("open sesame"): "partner"})


def scope(path: str = "/", *headers: tuple[bytes, bytes]) -> dict[str, Any]:
    return {"type": "http", "path": path, "headers": list(headers), "client": ("192.0.2.7", 1234)}


@pytest.mark.parametrize(
    "given",
    [
        scope("/", (b"x-api-key", b"open sesame")),
        scope("/", (b"authorization", b"Bearer open sesame")),
        scope("/key/open sesame"),
    ],
)
def test_a_key_is_taken_from_header_or_path(given: dict[str, Any]) -> None:
    assert DESK.identify(given) == Client("192.0.2.7", "partner")


def test_without_a_key_the_address_counts() -> None:
    assert DESK.identify(scope()) == Client("192.0.2.7")
    assert DESK.identify({**scope(), "client": None}) == Client("")
    assert DESK.identify(scope("/", (b"authorization", b"Basic dTpw"))) == Client("192.0.2.7")


def test_a_wrong_key_is_no_address_and_a_needed_one_is_asked_for() -> None:
    with pytest.raises(UnknownKey, match="not known"):
        DESK.identify(scope("/key/guess"))
    with pytest.raises(UnknownKey, match="needed"):
        ClientDesk(DESK.keys, required=True).identify(scope())


def test_the_rpc_has_two_paths() -> None:
    assert [is_rpc_path(path) for path in ("/", "/key/x", "/status/0x", "/keys")] == [True, True, False, False]
