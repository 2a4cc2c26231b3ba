"""What is asked of the service, before anybody asks it."""

from __future__ import annotations

import secrets
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING, Any, Generic, Literal, TypedDict, TypeVar
from urllib.parse import quote

if TYPE_CHECKING:
    from ._files import File
    from ._retry import OnRetry

T = TypeVar("T", covariant=True)

OnProgress = Callable[[float], object]
"""How much of the body has gone, from 0 to 1."""


class CallOptions(TypedDict, total=False):
    """What goes with any call, by name."""

    user_id: str
    """Who is talking, in place of the client's."""
    headers: Mapping[str, str]
    timeout: float
    max_retries: int
    on_retry: OnRetry
    on_progress: OnProgress


class KeyedOptions(CallOptions, total=False):
    idempotency_key: str
    """One of your own, where a request is to be recognised beyond this process."""


class StreamOptions(CallOptions, total=False):
    patience: float
    """How long to go on without progress, in place of the client's."""


class SendOptions(StreamOptions, total=False):
    idempotency_key: str


_OPTIONS = frozenset(SendOptions.__annotations__)


@dataclass(frozen=True)
class Call(Generic[T]):
    """A request whose answer is a T."""

    method: str
    path: str
    query: Mapping[str, object] = field(default_factory=dict)
    json: Mapping[str, object] | None = None
    file: tuple[str, File] | None = None
    """A form then, of the members of `json` and this file under this name."""
    headers: Mapping[str, str] = field(default_factory=dict)
    user: Literal["query", "body"] | None = None
    """Where the user is named, if he is."""
    is_repeatable: bool = False
    """Whether a POST may be repeated though nobody knows whether it has arrived."""
    timeout: float | None = None
    """Recognising, speaking and large files take their time."""

    @property
    def is_safe(self) -> bool:
        return self.method != "POST" or self.is_repeatable or "Idempotency-Key" in self.headers


def keyed(call: Call[T], options: Mapping[str, Any]) -> Call[T]:
    """The same call however often it is sent."""
    key = options.get("idempotency_key") or secrets.token_hex(16)
    return replace(call, headers={**call.headers, "Idempotency-Key": key})


def path(template: str, *values: str) -> str:
    """A path with its values in place, whatever they contain."""
    return template.format(*(quote(value, safe="") for value in values))


def split(named: Mapping[str, Any]) -> tuple[dict[str, Any], SendOptions]:
    """What is said to the service, and the options of the call."""
    fields = {name: value for name, value in named.items() if name not in _OPTIONS}
    options = {name: value for name, value in named.items() if name in _OPTIONS}
    return fields, options  # type: ignore[return-value]


def next_place(page: Mapping[str, Any]) -> dict[str, str] | None:
    """Where the list goes on; None behind its end."""
    pagination = page["pagination"]
    cursor = pagination.get("next_cursor")
    return {"cursor": cursor} if pagination["has_more"] and cursor is not None else None
