"""What is not the same with and without `await`."""

from __future__ import annotations

import inspect
from collections.abc import Awaitable, Callable
from typing import TYPE_CHECKING, TypeVar

import anyio
import httpx

from .._retry import Pause
from .._socket import SocketCall, faults

if TYPE_CHECKING:
    from websockets.asyncio.client import ClientConnection

T = TypeVar("T")

Token = str | Callable[[str | None], str | Awaitable[str | None] | None] | None
Wait = Callable[[Pause], Awaitable[None] | None]


async def resolve(value: T | Awaitable[T]) -> T:
    return await value if inspect.isawaitable(value) else value


async def sleep(pause: Pause) -> None:
    await anyio.sleep(pause.delay)


async def interrupt(response: httpx.Response) -> None:
    """Whoever reads it is told that it has broken."""
    await response.aclose()


class Socket:
    def __init__(self, connection: ClientConnection) -> None:
        self._connection = connection

    async def receive(self) -> str | bytes:
        with faults():
            return await self._connection.recv()

    async def send(self, message: str | bytes) -> None:
        with faults():
            await self._connection.send(message)

    async def aclose(self) -> None:
        await self._connection.close()


async def connect_socket(call: SocketCall) -> Socket:
    with faults():
        from websockets.asyncio.client import connect

        return Socket(await connect(call.url, **call.arguments))
