"""What is not the same with and without `await`."""

from __future__ import annotations

import contextlib
import socket
import time
from collections.abc import Callable
from typing import TYPE_CHECKING, TypeVar

import httpx

from .._retry import Pause
from .._socket import SocketCall, faults

if TYPE_CHECKING:
    from websockets.sync.client import ClientConnection

T = TypeVar("T")

Token = str | Callable[[str | None], str | None] | None
Wait = Callable[[Pause], None]


def resolve(value: T) -> T:
    return value


def sleep(pause: Pause) -> None:
    time.sleep(pause.delay)


def interrupt(response: httpx.Response) -> None:
    """Whoever reads it, in another thread, is told that it has broken."""
    # Closing alone would not wake him.
    stream = response.extensions.get("network_stream")
    connection = None if stream is None else stream.get_extra_info("socket")
    if connection is not None:
        with contextlib.suppress(OSError):
            connection.shutdown(socket.SHUT_RDWR)


class Socket:
    def __init__(self, connection: ClientConnection) -> None:
        self._connection = connection

    def receive(self) -> str | bytes:
        with faults():
            return self._connection.recv()

    def send(self, message: str | bytes) -> None:
        with faults():
            self._connection.send(message)

    def close(self) -> None:
        self._connection.close()


def connect_socket(call: SocketCall) -> Socket:
    with faults():
        from websockets.sync.client import connect

        # Entered, as every version of it means to be.
        return Socket(connect(call.url, **call.arguments).__enter__())
