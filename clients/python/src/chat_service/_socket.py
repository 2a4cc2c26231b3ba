"""What a WebSocket is opened with, and what goes wrong with one. `websockets` is there where it was asked for."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

from ._errors import ConnectionError, read_refusal


class SocketClosed(ConnectionError):
    """By whichever side."""


@dataclass(frozen=True)
class SocketCall:
    url: str
    arguments: Mapping[str, Any]
    """Of `connect`."""


@contextmanager
def faults() -> Iterator[None]:
    """What goes wrong within, as this package raises it."""
    try:
        from websockets.exceptions import ConnectionClosed, InvalidStatus, WebSocketException
    except ImportError as error:
        raise ImportError(
            "A spoken conversation needs a WebSocket: pip install 'chat-service-client[voice]'"
        ) from error
    try:
        yield
    except ConnectionClosed as error:
        raise SocketClosed("The connection is closed") from error
    except InvalidStatus as error:
        answer = error.response
        content = bytes(answer.body or b"")
        raise read_refusal(answer.status_code, answer.reason_phrase, answer.headers, content) from error
    except (WebSocketException, OSError) as error:
        raise ConnectionError(f"The service cannot be reached: {error}") from error
