from __future__ import annotations

from collections.abc import Iterator
from contextlib import suppress
from types import TracebackType

from .._errors import ApiError, ConnectionError
from .._socket import SocketClosed
from .._talking import TalkEvent, TalkOptions, event_of, read_told, said, started
from ._io import Socket, connect_socket
from .transport import Transport


class Talk:
    """A spoken conversation. What the service tells comes in a loop over it, which ends with the conversation.

    Whoever leaves the loop ends the conversation; a reply that is being made goes on.
    """

    def __init__(self, socket: Socket) -> None:
        self._socket = socket
        self._is_closed = False

    def __iter__(self) -> Iterator[TalkEvent]:
        try:
            while True:
                try:
                    told = read_told(self._socket.receive())
                except SocketClosed as error:
                    if self._is_closed:
                        return
                    raise ConnectionError("The spoken conversation was cut off") from error
                event = event_of(told)
                if event is not None:
                    yield event
        finally:
            self.close()

    def sound(self, samples: bytes) -> None:
        """Signed 16-bit samples, little-endian, one channel, at `sample_rate`; silence too. Not before `voice_started`."""
        self._say(bytes(samples))

    def commit(self) -> None:
        """The turn is over now."""
        self._say(said("voice_commit"))

    def played(self, message_id: str, played_ms: int, is_stopped: bool = False) -> None:
        """How far into the speech of a reply the listener is."""
        self._say(said("played", message_id=message_id, played_ms=played_ms, stopped=is_stopped or None))

    def interrupt(self, message_id: str, played_ms: int | None = None) -> None:
        """A stop button."""
        self._say(said("interrupt", message_id=message_id, played_ms=played_ms))

    def resume(self, message_id: str, after: int) -> None:
        """Goes on with a reply that another connection has lost."""
        self._say(said("resume", message_id=message_id, after=after))

    def close(self) -> None:
        self._is_closed = True
        self._socket.close()

    def __enter__(self) -> Talk:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    def _say(self, message: str | bytes) -> None:
        # Whoever loops over it is told.
        with suppress(SocketClosed):
            self._socket.send(message)


def talk(transport: Transport, options: TalkOptions) -> Talk:
    """Begins to listen. Raises ApiError and ConnectionError."""
    token = transport.token()
    try:
        socket = _open(transport, options, token)
    except ApiError as error:
        fresh = transport.fresh_token(token) if error.status == 401 else None
        if fresh is None:
            raise
        socket = _open(transport, options, fresh)
    socket.send(started(options))
    return Talk(socket)


def _open(transport: Transport, options: TalkOptions, token: str | None) -> Socket:
    """A connection on which one has been let in."""
    socket = connect_socket(transport.socket_call(options.get("session_id"), options.get("user_id"), token))
    try:
        while read_told(socket.receive())["type"] != "connection_established":
            pass
    except BaseException:
        socket.close()
        raise
    return socket
