"""The development chain behind HTTP on the loopback interface."""

from __future__ import annotations

import json
import re
from collections.abc import Awaitable, Callable, MutableMapping
from typing import Any

import uvicorn

from gateway.devnet.chain import DevChain
from gateway.devnet.methods import Methods

BODY = 8 * 1024 * 1024
"""bytes of one request"""

DEPTH = 64
"""levels of nesting in one request"""
_BRACKET_OR_STRING = re.compile(rb'"[^"\\]*(?:\\.[^"\\]*)*"|[\[\]{}]', re.DOTALL)

Message = MutableMapping[str, Any]
Receive = Callable[[], Awaitable[Message]]
Send = Callable[[Message], Awaitable[None]]


class App:
    """ASGI application; requests are answered one at a time, as one chain must."""

    def __init__(self, chain: DevChain) -> None:
        self._methods = Methods(chain)

    async def __call__(self, scope: Message, receive: Receive, send: Send) -> None:
        """Answer one HTTP request."""
        if scope["type"] != "http":
            raise ValueError(f"the development chain speaks HTTP only, not {scope['type']}")
        if scope["method"] != "POST":
            await _send(send, 405, b"POST JSON-RPC here\n", b"text/plain")
            return
        body = await _read(receive)
        if body is None:
            await _send(send, 413, b"request too large\n", b"text/plain")
            return
        await _send(send, 200, self.answer(body), b"application/json")

    def answer(self, body: bytes) -> bytes:
        """The answer to the body of one request; empty if nothing is to be said."""
        try:
            _check_depth(body)
            request = json.loads(body)
        except ValueError as error:
            broken = {"code": -32700, "message": f"parse error: {error}"}
            return json.dumps({"jsonrpc": "2.0", "id": None, "error": broken}).encode()
        answered = self._methods.respond(request)
        return b"" if answered is None else json.dumps(answered).encode()


def _check_depth(body: bytes) -> None:
    """py-evm raises Python's recursion limit beyond what the stack holds, so a parser cannot guard itself."""
    depth = 0
    for found in _BRACKET_OR_STRING.finditer(body):
        if found[0][:1] in b"[{":
            depth += 1
        elif found[0] in b"]}":
            depth -= 1
        if depth > DEPTH:
            raise ValueError(f"nested more than {DEPTH} deep")


async def _read(receive: Receive) -> bytes | None:
    """The body, or None if it is larger than `BODY`."""
    parts: list[bytes] = []
    size = 0
    while True:
        message = await receive()
        if message["type"] == "http.disconnect":
            return b"".join(parts)
        parts.append(message.get("body", b""))
        size += len(parts[-1])
        if size > BODY:
            return None
        if not message.get("more_body"):
            return b"".join(parts)


async def _send(send: Send, status: int, body: bytes, kind: bytes) -> None:
    headers = [(b"content-type", kind), (b"content-length", str(len(body)).encode())]
    await send({"type": "http.response.start", "status": status, "headers": headers})
    await send({"type": "http.response.body", "body": body})


def serve(port: int, *, host: str = "127.0.0.1") -> None:
    """Run the chain until interrupted; it forgets everything at the end."""
    uvicorn.run(App(DevChain()), host=host, port=port, log_level="warning", lifespan="off", ws="none")
