from __future__ import annotations

from collections.abc import AsyncIterator
from types import TracebackType
from typing import Any

import httpx

from .._call import Call, CallOptions, StreamOptions, path
from .._errors import ApiError, ConnectionError, ReplyError
from .._reading import ReplyReading, ReplySource, text_after
from ..api_types import ReplyEvent
from ._io import interrupt
from .transport import AsyncTransport, _json


class AsyncReply:
    """A reply as it is made, that the service has accepted.

    A loop over it gives every event once and in order, through lost connections and restarts of the service, to the end or to
    a pause. Whoever leaves the loop stops reading, never the reply (`cancel` does that); another loop goes on behind the last
    event that was seen. Raises ApiError, and ConnectionError when patience has ended.
    """

    def __init__(self, transport: AsyncTransport, source: ReplySource, options: StreamOptions) -> None:
        self._transport = transport
        self._options = options
        self._reading = ReplyReading(source)
        # Open, and not read yet; open, and read.
        self._opened: httpx.Response | None = None
        self._read: httpx.Response | None = None
        self._is_left = False

    @property
    def session_id(self) -> str:
        """Of a reply that was asked for; empty of one that is only followed before the first event."""
        return self._reading.session_id

    @property
    def message_id(self) -> str:
        return self._reading.message_id

    @property
    def after(self) -> int:
        """The number of the last event seen."""
        return self._reading.after

    async def __aiter__(self) -> AsyncIterator[ReplyEvent]:
        reading, transport = self._reading, self._transport
        options = self._options.copy()
        options.pop("on_progress", None)
        patience = transport.patience(options)
        reading.begin(self._opened is not None)
        self._is_left = False
        while not self._is_left:
            try:
                response = self._opened or await transport.open(reading.next(), options)
                self._opened, self._read = None, response
                is_done = False
                try:
                    async for item in transport.events(response):
                        if item.event is None:
                            is_done = True
                            break
                        event = reading.take(item)
                        if event is not None:
                            patience.renew()
                            yield event
                finally:
                    self._read = None
                    await response.aclose()
                if self._is_left or reading.ended(is_done):
                    return
            except (ApiError, ConnectionError) as error:
                if self._is_left or reading.failed():
                    return
                await transport.wait(patience.bear(error))

    async def text(self) -> str:
        """Reads to the end and gives the whole text, or that before a pause. Raises ReplyError where the reply failed."""
        text = ""
        async for event in self:
            if event["type"] == "error":
                raise ReplyError(event)
            text = text_after(text, event)
        return text

    async def cancel(self) -> None:
        """Stops the reply at its source; what it had said is kept. Does nothing for one that has ended."""
        await cancel_reply(self._transport, self.message_id, {})

    async def leave(self) -> None:
        """Stops reading, wherever that is done. The reply goes on."""
        self._is_left = True
        if self._read is not None:
            await interrupt(self._read)
        if self._opened is not None:
            opened, self._opened = self._opened, None
            await opened.aclose()

    async def __aenter__(self) -> AsyncReply:
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        await self.leave()


async def ask(transport: AsyncTransport, source: ReplySource, options: StreamOptions) -> AsyncReply:
    """The reply, when the service has stored what was asked; sent again as long as patience lasts."""
    reply = AsyncReply(transport, source, options)
    reading = reply._reading
    patience = transport.patience(options)
    while True:
        try:
            response = await transport.open(reading.first(), options)
            if "json" in response.headers.get("Content-Type", ""):
                reading.accepted(response.headers, await _json(response))
            else:
                reading.accepted(response.headers, None)
                reply._opened = response
            return reply
        except (ApiError, ConnectionError) as error:
            if not reading.refused(error):
                await transport.wait(patience.bear(error))


async def cancel_reply(transport: AsyncTransport, message_id: str, options: CallOptions) -> None:
    """Does nothing for a reply that has ended."""
    url = path("/chat/message/{}/cancel", message_id)
    call = Call[Any]("POST", url, user="query", is_repeatable=True)
    try:
        await transport.json(call, options)
    except ApiError as error:
        if error.type != "message_not_running":
            raise
