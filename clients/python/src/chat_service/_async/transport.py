"""Requests and answers: credentials, deadlines, errors, repeats. Raises ApiError and ConnectionError."""

from __future__ import annotations

from collections.abc import AsyncIterator, Callable, Mapping
from typing import Any, TypeVar

import httpx

from .._call import Call, CallOptions, OnProgress, StreamOptions
from .._errors import ApiError, ConnectionError, read_refusal
from .._event_stream import EventParser, SentEvent
from .._retry import Patience, Pause, Repeats
from .._socket import SocketCall
from .._wire import Described, Settings, bearer, describe, describe_socket, shares
from ._io import Token, Wait, resolve

T = TypeVar("T")

UserId = str | Callable[[], str | None] | None


class AsyncTransport:
    def __init__(self, settings: Settings, http: httpx.AsyncClient, token: Token, user_id: UserId, wait: Wait) -> None:
        self.settings = settings
        self.http = http
        self._token = token
        self._user_id = user_id
        self._wait = wait

    async def wait(self, pause: Pause) -> None:
        await resolve(self._wait(pause))

    def patience(self, options: StreamOptions) -> Patience:
        return Patience(options.get("patience", self.settings.patience), options.get("on_retry"))

    async def open(self, call: Call[Any], options: CallOptions) -> httpx.Response:
        """One request; its answer is good, and not read yet."""
        described = describe(self.settings, call, options, self._user())
        token = await self.token()
        on_progress = options.get("on_progress")
        try:
            response = await self._send(described, token, on_progress)
            fresh = await self.fresh_token(token) if response.status_code == 401 else None
            if fresh is not None:
                await response.aclose()
                response = await self._send(described, fresh, on_progress)
            if response.is_success:
                return response
            content = await _content(response)
        except (httpx.TransportError, httpx.TooManyRedirects) as error:
            raise ConnectionError(_fault(error)) from error
        raise read_refusal(response.status_code, response.reason_phrase, response.headers, content)

    async def json(self, call: Call[T], options: CallOptions) -> T:
        """The JSON of an answer; None of a DELETE whose first answer was lost."""
        answer: T = await self._repeated(call, options, _json)
        return answer

    async def content(self, call: Call[Any], options: CallOptions) -> bytes:
        answer: bytes = await self._repeated(call, options, _content)
        return answer

    async def response(self, call: Call[Any], options: CallOptions) -> httpx.Response:
        """An answer to be read by whoever asks, such as a file that is large."""
        answer: httpx.Response = await self._repeated(call, options, _as_it_is)
        return answer

    async def events(self, response: httpx.Response) -> AsyncIterator[SentEvent]:
        """The events of an answer. Ends with it; raises ConnectionError when it breaks or falls silent."""
        parser = EventParser()
        try:
            async for content in response.aiter_bytes():
                for item in parser.feed(content):
                    yield item
        except (httpx.TransportError, httpx.StreamError, httpx.DecodingError) as error:
            raise ConnectionError("The stream broke off") from error

    def socket_call(self, session_id: str | None, user_id: str | None, token: str | None) -> SocketCall:
        query = {"session_id": session_id, "user_id": user_id or self._user()}
        return describe_socket(self.settings, query, token)

    async def token(self) -> str | None:
        return await resolve(self._token(None)) if callable(self._token) else self._token

    async def fresh_token(self, refused: str | None) -> str | None:
        """In place of one that was refused; None: there is no other."""
        if not refused or not callable(self._token):
            return None
        fresh = await resolve(self._token(refused))
        return fresh if fresh and fresh != refused else None

    def _user(self) -> str | None:
        return self._user_id() if callable(self._user_id) else self._user_id

    async def _repeated(self, call: Call[Any], options: CallOptions, read: Callable[..., Any]) -> Any:
        max_retries = options.get("max_retries", self.settings.max_retries)
        repeats = Repeats(call, max_retries, options.get("on_retry"))
        while True:
            try:
                return await read(await self.open(call, options))
            except (ApiError, ConnectionError) as error:
                pause = repeats.bear(error)
                if pause is None:
                    return None
                await self.wait(pause)

    async def _send(self, described: Described, token: str | None, on_progress: OnProgress | None) -> httpx.Response:
        content = described.content
        headers: Mapping[str, str] = {
            **bearer(token),
            **described.headers,
            **({"Content-Length": str(len(content))} if content is not None else {}),
        }
        request = self.http.build_request(
            described.method,
            described.url,
            headers=headers,
            content=content if content is None or on_progress is None else _told(content, on_progress),
            timeout=described.timeout,
        )
        return await self.http.send(request, stream=True)


async def _told(content: bytes, on_progress: OnProgress) -> AsyncIterator[bytes]:
    for piece, share in shares(content):
        yield piece
        on_progress(share)


async def _content(response: httpx.Response) -> bytes:
    try:
        return await response.aread()
    except (httpx.TransportError, httpx.DecodingError) as error:
        raise ConnectionError("The answer broke off") from error
    finally:
        await response.aclose()


async def _json(response: httpx.Response) -> Any:
    await _content(response)
    try:
        return response.json()
    except ValueError as error:
        raise ConnectionError("The answer is no JSON: is this a Chat Service?") from error


async def _as_it_is(response: httpx.Response) -> httpx.Response:
    return response


def _fault(error: Exception) -> str:
    if isinstance(error, httpx.TimeoutException):
        return "The service does not answer in time"
    return f"The service cannot be reached: {error}"
