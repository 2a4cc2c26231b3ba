from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import suppress
from types import TracebackType

from .._errors import ApiError, ConnectionError
from .._socket import SocketClosed
from .._talking import TalkEvent, TalkOptions, event_of, read_told, said, started
from ._io import Socket, connect_socket
from .transport import AsyncTransport


class AsyncTalk:
    """A spoken conversation. What the service tells comes in a loop over it, which ends with the conversation.

    Whoever leaves the loop ends the conversation; a reply that is being made goes on.
    """

    def __init__(self, socket: Socket) -> None:
        self._socket = socket
        self._is_closed = False

    async def __aiter__(self) -> AsyncIterator[TalkEvent]:
        try:
            while True:
                try:
                    told = read_told(await self._socket.receive())
                except SocketClosed as error:
                    if self._is_closed:
                        return
                    raise ConnectionError("The spoken conversation was cut off") from error
                event = event_of(told)
                if event is not None:
                    yield event
        finally:
            await self.aclose()

    async def sound(self, samples: bytes) -> None:
        """Signed 16-bit samples, little-endian, one channel, at `sample_rate`; silence too. Not before `voice_started`."""
        await self._say(bytes(samples))

    async def commit(self) -> None:
        """The turn is over now."""
        await self._say(said("voice_commit"))

    async def played(self, message_id: str, played_ms: int, is_stopped: bool = False) -> None:
        """How far into the speech of a reply the listener is."""
        await self._say(said("played", message_id=message_id, played_ms=played_ms, stopped=is_stopped or None))

    async def interrupt(self, message_id: str, played_ms: int | None = None) -> None:
        """A stop button."""
        await self._say(said("interrupt", message_id=message_id, played_ms=played_ms))

    async def resume(self, message_id: str, after: int) -> None:
        """Goes on with a reply that another connection has lost."""
        await self._say(said("resume", message_id=message_id, after=after))

    async def aclose(self) -> None:
        self._is_closed = True
        await self._socket.aclose()

    async def __aenter__(self) -> AsyncTalk:
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        await self.aclose()

    async def _say(self, message: str | bytes) -> None:
        # Whoever loops over it is told.
        with suppress(SocketClosed):
            await self._socket.send(message)


async def talk(transport: AsyncTransport, options: TalkOptions) -> AsyncTalk:
    """Begins to listen. Raises ApiError and ConnectionError."""
    token = await transport.token()
    try:
        socket = await _open(transport, options, token)
    except ApiError as error:
        fresh = await transport.fresh_token(token) if error.status == 401 else None
        if fresh is None:
            raise
        socket = await _open(transport, options, fresh)
    await socket.send(started(options))
    return AsyncTalk(socket)


async def _open(transport: AsyncTransport, options: TalkOptions, token: str | None) -> Socket:
    """A connection on which one has been let in."""
    socket = await connect_socket(transport.socket_call(options.get("session_id"), options.get("user_id"), token))
    try:
        while read_told(await socket.receive())["type"] != "connection_established":
            pass
    except BaseException:
        await socket.aclose()
        raise
    return socket
