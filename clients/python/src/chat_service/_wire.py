"""A call as it goes over the wire."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any
from urllib.parse import urlencode

import httpx

from ._call import Call, CallOptions
from ._socket import SocketCall

PIECE_BYTES = 64 * 1024


@dataclass(frozen=True)
class Settings:
    """Of a client."""

    base_url: str
    api_key: str | None
    language: str | None
    headers: Mapping[str, str]
    timeout: float
    max_retries: int
    patience: float
    silence: float
    websocket: Mapping[str, Any]

    def url(self, path: str, query: Mapping[str, object] | None = None) -> str:
        pairs = [
            (name, _text(each))
            for name, value in (query or {}).items()
            for each in (value if isinstance(value, (list, tuple, set, frozenset)) else [value])
            if each is not None
        ]
        return f"{self.base_url}{path}" + (f"?{urlencode(pairs)}" if pairs else "")


@dataclass(frozen=True)
class Described:
    method: str
    url: str
    headers: dict[str, str]
    content: bytes | None
    timeout: httpx.Timeout


def base_of(url: str) -> str:
    if not url.startswith(("http://", "https://")):
        raise ValueError(f"base_url has to begin with http:// or https://: {url!r}")
    return url.rstrip("/")


def describe(settings: Settings, call: Call[Any], options: CallOptions, user_id: str | None) -> Described:
    user_id = options.get("user_id", user_id)
    named = {} if user_id is None or call.user is None else {"user_id": user_id}
    query = {**named, **call.query} if call.user == "query" else call.query
    content, content_type = _body(call, named if call.user == "body" else {})
    headers = {
        "Accept": "application/json",
        **({"Content-Type": content_type} if content_type else {}),
        **_shared_headers(settings),
        **call.headers,
        **options.get("headers", {}),
    }
    timeout = options.get("timeout", call.timeout or settings.timeout)
    is_stream = headers["Accept"] == "text/event-stream"
    return Described(
        call.method,
        settings.url(call.path, query),
        headers,
        content,
        # Heartbeats come more often than `silence`; a connection that is silent longer is dead.
        httpx.Timeout(timeout, read=max(settings.silence, call.timeout or 0) if is_stream else timeout),
    )


def describe_socket(settings: Settings, query: Mapping[str, object], token: str | None) -> SocketCall:
    headers = {**bearer(token), **_shared_headers(settings)}
    given = {
        "additional_headers": headers,
        "open_timeout": settings.timeout,
        # Speech of a whole sentence, in Base64.
        "max_size": 64 * 1024 * 1024,
    }
    url = settings.url("/chat/ws", query).replace("http", "ws", 1)
    return SocketCall(url, {**given, **settings.websocket})


def bearer(token: str | None) -> dict[str, str]:
    return {"Authorization": f"Bearer {token}"} if token else {}


def _shared_headers(settings: Settings) -> dict[str, str]:
    return {
        **({"Accept-Language": settings.language} if settings.language else {}),
        **({"X-API-Key": settings.api_key} if settings.api_key else {}),
        **settings.headers,
    }


def shares(content: bytes) -> Iterator[tuple[bytes, float]]:
    """The pieces of a body, and how much has gone with each."""
    for start in range(0, len(content), PIECE_BYTES):
        yield content[start : start + PIECE_BYTES], min(1.0, (start + PIECE_BYTES) / len(content))


def _body(call: Call[Any], named: Mapping[str, object]) -> tuple[bytes | None, str | None]:
    if call.file is None:
        if call.json is None:
            return None, None
        return json.dumps({**named, **call.json}).encode(), "application/json"
    name, file = call.file
    # The file last: what is said of it is known before it has arrived.
    members = {**named, **(call.json or {})}
    data = {key: _text(value) for key, value in members.items() if value is not None}
    form = httpx.Request("POST", "http://form", data=data, files={name: (file.name, file.content, file.type)})
    return form.read(), form.headers["Content-Type"]


def _text(value: object) -> str:
    return str(value).lower() if isinstance(value, bool) else str(value)
