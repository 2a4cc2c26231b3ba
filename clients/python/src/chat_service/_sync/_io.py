"""What is not the same with and without `await`."""

from __future__ import annotations

import contextlib
import socket
import time
from collections.abc import Callable
from typing import TypeVar

import httpx

from .._retry import Pause

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
