"""What is not the same with and without `await`."""

from __future__ import annotations

import inspect
from collections.abc import Awaitable, Callable
from typing import TypeVar

import anyio
import httpx

from .._retry import Pause

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
