from __future__ import annotations

import builtins
import json
import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from .api_types import ErrorEvent

FOREIGN_TYPE = "unknown"
"""What an answer says that is none of the service's: a proxy's, or of something else at the address."""


class ChatServiceError(Exception):
    """What this package raises."""


class ApiError(ChatServiceError):
    """The service refuses. Decide by `type`, which never changes; the message is for people, in the language asked for."""

    def __init__(
        self,
        message: str,
        *,
        status: int,
        type: str = FOREIGN_TYPE,
        details: Sequence[Detail] = (),
        request_id: str | None = None,
        retry_after_seconds: float | None = None,
    ) -> None:
        super().__init__(message)
        self.message = message
        self.status = status
        self.type = type
        self.details = details
        """Faults of the request by JSON pointer."""
        self.request_id = request_id
        """What the service's log has it under."""
        self.retry_after_seconds = retry_after_seconds


@dataclass(frozen=True)
class Detail:
    path: str
    message: str


class ConnectionError(ChatServiceError, builtins.ConnectionError):
    """Nobody answers in time, or the connection broke."""


class ReplyError(ChatServiceError):
    """The reply has failed. What it had said is in `text`."""

    def __init__(self, event: ErrorEvent) -> None:
        super().__init__(event["error"])
        self.message = event["error"]
        self.type: str = event["error_type"]
        self.code = event["code"]
        self.message_id = event["message_id"]
        self.text = event["full_response"]


def read_refusal(status: int, reason: str, headers: Mapping[str, str], content: bytes) -> ApiError:
    """The refusal that an answer is."""
    body = _members(_json(content))
    error = _members(body.get("error"))
    message, type_ = error.get("message"), error.get("type")
    details = error.get("details")
    request_id = body.get("request_id", headers.get("X-Request-ID"))
    return ApiError(
        message if isinstance(message, str) else f"{status} {reason}".strip(),
        status=status,
        type=type_ if isinstance(type_, str) else FOREIGN_TYPE,
        details=[
            Detail(str(each.get("path", "")), str(each.get("message", "")))
            for each in (details if isinstance(details, list) else [])
            if isinstance(each, dict)
        ],
        request_id=request_id if isinstance(request_id, str) else None,
        retry_after_seconds=_seconds(headers.get("Retry-After")),
    )


def _json(content: bytes) -> Any:
    try:
        return json.loads(content)
    except ValueError:
        return None


def _members(value: object) -> dict[str, Any]:
    return value if isinstance(value, dict) else {}


def _seconds(text: str | None) -> float | None:
    try:
        seconds = float(text or "")
    except ValueError:
        return None
    return seconds if math.isfinite(seconds) else None
