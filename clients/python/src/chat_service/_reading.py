"""A reply that is read: what to ask for next, what is news, when it is over. Nothing here reads or waits."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from dataclasses import dataclass
from typing import Any, cast

from ._call import Call, path
from ._errors import ApiError, ConnectionError
from ._event_stream import SentEvent
from .api_types import ReplyEvent

_LAST = ("conversation_complete", "cancelled", "error")


def is_last(event: ReplyEvent) -> bool:
    """Whether nothing comes behind it."""
    return event["type"] in _LAST


def text_after(text: str, event: ReplyEvent) -> str:
    """The text of a reply after one more event."""
    if event["type"] == "assistant_chunk":
        return text + event["chunk"]
    if event["type"] == "snapshot" or event["type"] == "replaced":
        return event["content"]
    if event["type"] == "conversation_complete" or event["type"] == "cancelled" or event["type"] == "error":
        return event["full_response"]
    return text


class Cursor:
    """What has been seen of a stream.

    It may be of several replies: a message that a running reply was to take in, and did not, is answered in the same stream
    by a reply of its own, with numbers of its own.
    """

    def __init__(self, message_id: str | None, after: int) -> None:
        self.message_id = message_id
        """The reply that is being read; None: not known yet."""
        self._seen: dict[str, int] = {} if message_id is None else {message_id: after}

    @property
    def after(self) -> int:
        """The number of its last event seen."""
        return self._seen.get(self.message_id or "", 0)

    def begin(self, message_id: str) -> None:
        self.message_id = self.message_id or message_id

    def take(self, message_id: str, number: int) -> bool:
        """Whether it is news."""
        if number <= self._seen.get(message_id, 0):
            return False
        self._seen[message_id] = number
        self.message_id = message_id
        return True


@dataclass(frozen=True)
class ReplySource:
    """How a reply is come by."""

    ask: Call[Any] | None
    """The request that asks for it; None: it is there, and only followed."""
    message_id: str | None = None
    after: int = 0
    may_move_on: bool = False
    """It may go on with another reply: only the same request, repeated, leads there."""
    decides: Collection[str] | None = None
    """Requirements that are decided."""


class ReplyReading:
    def __init__(self, source: ReplySource) -> None:
        self._source = source
        self._cursor = Cursor(source.message_id, source.after)
        self._asked = source.ask
        # What comes is from before the decision, as long as this holds.
        self._is_before = source.decides is not None and source.after == 0
        self._is_over = False
        self._was_lost = False
        # Whether what is read answers what was asked, and not a stream that only follows.
        self._is_answer = False
        self.session_id = ""
        self.message_id = source.message_id or ""

    @property
    def after(self) -> int:
        """The number of the last event seen."""
        return self._cursor.after

    def first(self) -> Call[Any]:
        """What asks for the reply."""
        return self._asked or self._following()

    def refused(self, error: Exception) -> bool:
        """Whether to go on at once though the service refuses what was asked."""
        is_taken = isinstance(error, ApiError) and error.type == "message_not_running"
        if is_taken and self._was_lost and self._source.decides is not None:
            # A decision whose answer was lost has been taken: the reply goes on already.
            self._asked = None
            return True
        self._was_lost = self._was_lost or isinstance(error, ConnectionError)
        return False

    def accepted(self, headers: Mapping[str, str], told: Mapping[str, str] | None) -> None:
        if told is None:
            self.session_id = headers.get("X-Session-ID", "")
            self.message_id = headers.get("X-Message-ID", self.message_id)
        else:
            self.session_id, self.message_id = told["session_id"], told["message_id"]
        self._cursor.begin(self.message_id)

    def begin(self, has_answer: bool) -> None:
        """Somebody reads, the answer itself or a stream that follows."""
        self._is_answer = has_answer and self._asked is not None

    def next(self) -> Call[Any]:
        """What opens the stream now."""
        return self._asked if self._is_answer and self._asked is not None else self._following()

    def take(self, item: SentEvent) -> ReplyEvent | None:
        """The event with its number; None: it was seen before, or is older than what was asked for."""
        if item.event is None:
            return None
        event = cast(ReplyEvent, {**item.event, "seq": item.id})
        if not self._cursor.take(event["message_id"], item.id) or self._is_old(event):
            return None
        self._is_over = is_last(event)
        return event

    def ended(self, is_done: bool) -> bool:
        """Whether all has come, when a stream has ended. Raises ConnectionError where it broke off."""
        if not is_done:
            raise ConnectionError("The stream broke off")
        if self._is_answer or not self._source.may_move_on or self._asked is None:
            return True
        # It has ended where it was followed: what was asked, asked again, tells what came behind it.
        self._is_answer = True
        return False

    def failed(self) -> bool:
        """Whether all had come before a stream failed; else it is followed from now on."""
        if self._is_over and not self._source.may_move_on:
            return True
        self._is_answer = False
        return False

    def _following(self) -> Call[Any]:
        return Call(
            "GET",
            path("/chat/message/{}/stream", self._cursor.message_id or ""),
            query={"after": self._cursor.after},
            headers={"Accept": "text/event-stream"},
            user="query",
        )

    def _is_old(self, event: ReplyEvent) -> bool:
        """Whether it was told before what was asked for; only a stream from the start has such."""
        if self._is_answer or event["type"] == "snapshot":
            self._is_before = False
        if not self._is_before:
            return False
        if event["type"] == "paused":
            decides = self._source.decides or ()
            self._is_before = not any(each["id"] in decides for each in event["requirements"])
        return True
