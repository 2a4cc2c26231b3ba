from __future__ import annotations

from collections.abc import AsyncIterator, Sequence
from types import TracebackType
from typing import Any, Literal

import httpx

from .. import api_types as api
from .._call import Call, CallOptions, KeyedOptions, StreamOptions, keyed, next_place, path, split
from .._errors import ApiError, ConnectionError
from .._files import FileLike, as_file
from .._typing import Unpack
from .transport import AsyncTransport


class _New(api.NewSession, KeyedOptions, total=False): ...


class _Changes(api.SessionChanges, CallOptions, total=False): ...


class _Filter(api.SessionFilter, CallOptions, total=False): ...


class _Share(api.NewShare, KeyedOptions, total=False): ...


class _Export(api.ExportChoice, CallOptions, total=False): ...


class AsyncDownload:
    """A file as it comes: `read` it, or loop over its bytes."""

    def __init__(self, response: httpx.Response) -> None:
        self._response = response
        self.media_type: str = response.headers.get("Content-Type", "")

    async def __aiter__(self) -> AsyncIterator[bytes]:
        try:
            async for piece in self._response.aiter_bytes():
                yield piece
        except (httpx.TransportError, httpx.DecodingError) as error:
            raise ConnectionError("The file broke off") from error
        finally:
            await self._response.aclose()

    async def read(self) -> bytes:
        return b"".join([piece async for piece in self])

    async def aclose(self) -> None:
        await self._response.aclose()

    async def __aenter__(self) -> AsyncDownload:
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        await self.aclose()


class AsyncSessions:
    """Conversations."""

    def __init__(self, transport: AsyncTransport) -> None:
        self._transport = transport

    async def create(self, **named: Unpack[_New]) -> api.SessionInfo:
        body, options = split(named)
        call = Call[api.PostChatSessionAnswer]("POST", "/chat/session", json=body, user="body")
        return (await self._transport.json(keyed(call, options), options))["session_info"]

    async def list(self, **named: Unpack[_Filter]) -> api.GetSessionsAnswer:
        """One page, newest activity first."""
        query, options = split(named)
        call = Call[api.GetSessionsAnswer]("GET", "/sessions", query=query, user="query")
        return await self._transport.json(call, options)

    async def all(self, **named: Unpack[_Filter]) -> AsyncIterator[api.SessionInfo]:
        """All of them, page by page."""
        query, options = split({"limit": 100, **named})
        place: dict[str, str] | None = {}
        while place is not None:
            call = Call[api.GetSessionsAnswer]("GET", "/sessions", query={**query, **place}, user="query")
            page = await self._transport.json(call, options)
            for session in page["sessions"]:
                yield session
            place = next_place(page)

    async def get(self, session_id: str, **options: Unpack[CallOptions]) -> api.SessionInfo:
        call = Call[api.SessionInfo]("GET", path("/sessions/{}", session_id), user="query")
        return await self._transport.json(call, options)

    async def update(self, session_id: str, **named: Unpack[_Changes]) -> api.SessionInfo:
        """Title, status, agent, branch shown (`head_message_id`), pin, tags, configuration, metadata."""
        body, options = split(named)
        call = Call[api.SessionInfo]("PATCH", path("/sessions/{}", session_id), json=body, user="query")
        return await self._transport.json(call, options)

    async def rename(self, session_id: str, title: str | None, **options: Unpack[CallOptions]) -> api.SessionInfo:
        body = {"title": title}
        call = Call[api.SessionInfo]("PATCH", path("/sessions/{}", session_id), json=body, user="query")
        return await self._transport.json(call, options)

    async def delete(self, session_id: str, **options: Unpack[CallOptions]) -> None:
        call = Call[Any]("DELETE", path("/sessions/{}", session_id), user="query")
        await self._transport.json(call, options)

    async def batch(
        self,
        session_ids: Sequence[str],
        operation: Literal["delete", "archive", "activate"],
        **options: Unpack[CallOptions],
    ) -> api.PostSessionsBatchAnswer:
        """For up to 100."""
        body = {"session_ids": [*session_ids], "operation": operation}
        call = Call[api.PostSessionsBatchAnswer]("POST", "/sessions/batch", json=body, user="body")
        return await self._transport.json(call, options)

    async def fork(self, session_id: str, message_id: str, **options: Unpack[KeyedOptions]) -> api.SessionInfo:
        """A new session of the path up to a message."""
        url = path("/sessions/{}/fork", session_id)
        call = Call[api.PostSessionsBySessionIdForkAnswer]("POST", url, json={"message_id": message_id}, user="query")
        return (await self._transport.json(keyed(call, options), options))["session_info"]

    async def queue(self, session_id: str, **options: Unpack[CallOptions]) -> Sequence[api.Message]:
        """What waits for an earlier reply, in its order, each with the messages that it will answer."""
        url = path("/sessions/{}/queue", session_id)
        call = Call[api.GetSessionsBySessionIdQueueAnswer]("GET", url, user="query")
        return (await self._transport.json(call, options))["messages"]

    async def stats(self, user_id: str, /, **options: Unpack[CallOptions]) -> api.GetSessionsUserByUserIdStatsAnswer:
        call = Call[api.GetSessionsUserByUserIdStatsAnswer]("GET", path("/sessions/user/{}/stats", user_id))
        return await self._transport.json(call, options)

    async def share(self, session_id: str, **named: Unpack[_Share]) -> api.PostSessionsBySessionIdShareAnswer:
        """A link under which anybody may read the conversation as it is now."""
        body, options = split(named)
        url = path("/sessions/{}/share", session_id)
        call = Call[api.PostSessionsBySessionIdShareAnswer]("POST", url, json=body, user="query")
        return await self._transport.json(keyed(call, options), options)

    async def shares(
        self, session_id: str, **options: Unpack[CallOptions]
    ) -> Sequence[api.GetSessionsBySessionIdShareAnswerSharesItem]:
        url = path("/sessions/{}/share", session_id)
        call = Call[api.GetSessionsBySessionIdShareAnswer]("GET", url, user="query")
        return (await self._transport.json(call, options))["shares"]

    async def end_share(self, session_id: str, share_id: str, **options: Unpack[CallOptions]) -> None:
        call = Call[Any]("DELETE", path("/sessions/{}/share/{}", session_id, share_id), user="query")
        await self._transport.json(call, options)

    async def export(self, session_id: str | None = None, **named: Unpack[_Export]) -> AsyncDownload:
        """The conversation as a file; all of them where none is named."""
        query, options = split(named)
        url = "/export" if session_id is None else path("/sessions/{}/export", session_id)
        call = Call[Any]("GET", url, query=query, headers={"Accept": "*/*"}, user="query", timeout=150)
        return AsyncDownload(await self._transport.response(call, options))

    async def import_(self, file: FileLike, **options: Unpack[KeyedOptions]) -> api.PostImportAnswer:
        """Conversations from a file: an export of this service, of ChatGPT, LibreChat or Open WebUI."""
        form = ("file", as_file(file, "conversations"))
        call = Call[api.PostImportAnswer]("POST", "/import", file=form, user="query", timeout=3_600)
        return await self._transport.json(keyed(call, options), options)

    async def events(
        self, *, after: int | None = None, **options: Unpack[StreamOptions]
    ) -> AsyncIterator[api.SessionEvent]:
        """What happens to the user's sessions, on whatever device, from now on or behind an event.

        Goes on until it is left. After `ready` and `reset` read the list anew.
        """
        transport = self._transport
        patience = transport.patience(options)
        while True:
            try:
                headers = {"Accept": "text/event-stream"}
                query = {"after": after}
                call = Call[Any]("GET", "/sessions/events", query=query, headers=headers, user="query")
                response = await transport.open(call, options)
                try:
                    async for number, event in transport.events(response):
                        patience.renew()
                        if event is None:
                            break
                        # These two say where the stream stands; the others come once.
                        is_place = event["type"] in ("ready", "reset")
                        if not is_place and after is not None and number <= after:
                            continue
                        after = number
                        numbered: Any = {**event, "seq": number}
                        yield numbered
                finally:
                    await response.aclose()
                raise ConnectionError("The stream broke off")
            except (ApiError, ConnectionError) as error:
                await transport.wait(patience.bear(error))
