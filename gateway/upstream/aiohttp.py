"""One upstream over HTTP with aiohttp: kept-alive connections, bounded answers, one attempt."""

from __future__ import annotations

from collections.abc import Sequence
from types import TracebackType
from typing import Self

import aiohttp
import msgspec

from gateway.errors import UpstreamNonsense, UpstreamRefused, UpstreamSilent, UpstreamUnreachable
from gateway.model.transaction import RawTransaction
from gateway.upstream.client import Call, UpstreamLimits, place_of, submission_body

_HEADERS = {"content-type": "application/json", "accept": "application/json", "accept-encoding": "identity"}


class _Failure(msgspec.Struct, frozen=True):
    code: int
    message: str = ""
    data: object = None


class _Answer(msgspec.Struct, frozen=True):
    id: int | str | None = None
    result: object = msgspec.UNSET
    error: _Failure | None = None


_encode = msgspec.json.Encoder().encode
_decode_any = msgspec.json.Decoder(_Answer | list[_Answer]).decode


class HttpUpstream:
    """An `Upstream` at one URL."""

    def __init__(self, url: str, limits: UpstreamLimits = UpstreamLimits()) -> None:
        self.url = url
        self._where = place_of(url)
        self._limits = limits
        self._session: aiohttp.ClientSession | None = None

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        await self.close()

    async def call(self, method: str, params: Sequence[object] = (), *, within: float | None = None) -> object:
        """See `Upstream.call`."""
        body = _encode({"jsonrpc": "2.0", "id": 1, "method": method, "params": list(params)})
        answer = self._decode(await self._post(body, within or self._limits.read_timeout), method)
        if isinstance(answer, list):
            raise UpstreamNonsense(f"{self._where} answered {method} with a batch")
        outcome = self._outcome(answer, method)
        if isinstance(outcome, UpstreamRefused):
            raise outcome
        if answer.id != 1:
            raise UpstreamNonsense(f"{self._where} answered {method} with another id")
        return outcome

    async def batch(self, calls: Sequence[Call], *, within: float | None = None) -> list[object | UpstreamRefused]:
        """See `Upstream.batch`."""
        if not calls:
            return []
        name = f"a batch of {len(calls)}, first {calls[0][0]}"
        body = _encode(
            [
                {"jsonrpc": "2.0", "id": index, "method": method, "params": list(params)}
                for index, (method, params) in enumerate(calls)
            ]
        )
        answers = self._decode(await self._post(body, within or self._limits.read_timeout), name)
        if not isinstance(answers, list):
            if answers.error is not None:
                raise UpstreamNonsense(f"{self._where} refused {name}: {answers.error.message}")
            raise UpstreamNonsense(f"{self._where} answered {name} with one object")
        by_id = {answer.id: answer for answer in answers}
        if len(by_id) != len(calls) or any(index not in by_id for index in range(len(calls))):
            raise UpstreamNonsense(f"{self._where} answered {len(answers)} items to {name}")
        return [self._outcome(by_id[index], method) for index, (method, _) in enumerate(calls)]

    async def forward(self, body: bytes) -> bytes:
        """See `Upstream.forward`."""
        return await self._post(body, self._limits.read_timeout)

    async def submit(self, body: bytes) -> bytes:
        """See `Upstream.submit`."""
        return await self._post(body, self._limits.send_timeout)

    async def send_raw(self, raw: RawTransaction) -> bytes:
        """See `Upstream.send_raw`."""
        return await self.submit(submission_body(raw))

    async def close(self) -> None:
        """See `Upstream.close`."""
        if self._session is not None:
            session, self._session = self._session, None
            await session.close()

    def _open(self) -> aiohttp.ClientSession:
        if self._session is None:
            self._session = aiohttp.ClientSession(
                connector=aiohttp.TCPConnector(limit=self._limits.connections, keepalive_timeout=30),
                headers=_HEADERS,
                cookie_jar=aiohttp.DummyCookieJar(),
            )
        return self._session

    async def _post(self, body: bytes, seconds: float) -> bytes:
        limits = aiohttp.ClientTimeout(total=seconds, sock_connect=min(seconds, self._limits.connect_timeout))
        try:
            async with self._open().post(self.url, data=body, timeout=limits, allow_redirects=False) as response:
                answer = await self._read(response)
        except (aiohttp.ClientConnectorError, aiohttp.ConnectionTimeoutError) as error:
            why = getattr(error, "strerror", None) or str(error)
            raise UpstreamUnreachable(
                f"cannot connect to {self._where} ({why}); does the node run there, and is that its RPC?"
            ) from error
        except TimeoutError as error:
            raise UpstreamSilent(f"{self._where} did not answer within {seconds:g} s") from error
        except (aiohttp.ClientError, ConnectionError) as error:
            raise UpstreamSilent(f"{self._where} broke off: {error or type(error).__name__}") from error
        # Some nodes put JSON-RPC errors into other statuses; the body then still is the answer.
        if response.status != 200 and answer[:1] not in (b"{", b"["):
            raise UpstreamNonsense(f"{self._where} answered HTTP {response.status}")
        return answer

    async def _read(self, response: aiohttp.ClientResponse) -> bytes:
        declared = response.content_length
        if declared is not None and declared > self._limits.answer_bytes:
            response.close()
            raise UpstreamNonsense(
                f"{self._where} announced {declared} bytes; the limit is {self._limits.answer_bytes}"
            )
        parts: list[bytes] = []
        size = 0
        async for part in response.content.iter_any():
            size += len(part)
            if size > self._limits.answer_bytes:
                response.close()
                raise UpstreamNonsense(f"{self._where} answered more than {self._limits.answer_bytes} bytes")
            parts.append(part)
        return parts[0] if len(parts) == 1 else b"".join(parts)

    def _decode(self, body: bytes, what: str) -> _Answer | list[_Answer]:
        try:
            answer: _Answer | list[_Answer] = _decode_any(body)
        except (msgspec.DecodeError, UnicodeDecodeError, RecursionError) as error:
            raise UpstreamNonsense(f"{self._where} did not answer {what} with JSON-RPC: {error}") from error
        return answer

    def _outcome(self, answer: _Answer, what: str) -> object | UpstreamRefused:
        if answer.error is not None:
            return UpstreamRefused(answer.error.code, answer.error.message, answer.error.data)
        if answer.result is msgspec.UNSET:
            raise UpstreamNonsense(f"{self._where} answered {what} with neither result nor error")
        return answer.result
