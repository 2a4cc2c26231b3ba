from __future__ import annotations

from collections.abc import Iterator, Iterable, Mapping, Sequence
from typing import Any, Literal

from .. import api_types as api
from .._call import (
    Call,
    CallOptions,
    KeyedOptions,
    SendOptions,
    StreamOptions,
    keyed,
    next_place,
    path,
    split,
)
from .._files import EncodedFile, FileLike, with_files
from .._reading import ReplySource
from .._typing import Unpack
from .reply import Reply, ask, cancel_reply
from .transport import Transport

_FILES_TIMEOUT = 150.0

Files = Iterable[FileLike | EncodedFile] | None


class _Send(api.NewMessage, SendOptions, total=False): ...


class _Post(api.NewMessage, KeyedOptions, total=False): ...


class _Again(api.Again, SendOptions, total=False): ...


class _Edit(api.Edit, SendOptions, total=False): ...


class _Amend(api.Amendment, CallOptions, total=False): ...


class _Rate(api.Feedback, CallOptions, total=False): ...


class _Search(api.SearchChoice, CallOptions, total=False): ...


class _History(api.HistoryChoice, CallOptions, total=False): ...


class Messages:
    """Messages and their replies."""

    def __init__(self, transport: Transport) -> None:
        self._transport = transport

    def send(self, message: str, *, attachments: Files = None, **named: Unpack[_Send]) -> Reply:
        """Sends a message; the reply comes as it is made. Without `session_id` it begins a conversation."""
        fields, options = split(named)
        body = {"message": message, "attachments": attachments, **fields}
        return self._ask("/chat/message/stream", body, options, "body")

    def post(self, message: str, *, attachments: Files = None, **named: Unpack[_Post]) -> api.Accepted:
        """Sends a message and does not wait: its reply is fetched or followed by its id."""
        fields, options = split(named)
        body = {"message": message, "attachments": attachments, **fields}
        call = _with_files("POST", "/chat/message", body, {"Prefer": "respond-async"}, "body")
        answer: api.Accepted = self._transport.json(keyed(call, options), options)
        return answer

    def follow(self, message_id: str, *, after: int = 0, **options: Unpack[StreamOptions]) -> Reply:
        """A reply that runs or has ended, from the start or behind an event."""
        return ask(self._transport, ReplySource(None, message_id, after), options)

    def get(self, message_id: str, **options: Unpack[CallOptions]) -> api.Message:
        call = Call[api.Message]("GET", path("/chat/message/{}", message_id), user="query")
        return self._transport.json(call, options)

    def cancel(self, message_id: str, **options: Unpack[CallOptions]) -> None:
        """Stops a reply; what it had said is kept. Does nothing for one that has ended."""
        cancel_reply(self._transport, message_id, options)

    def continue_(
        self,
        message_id: str,
        decisions: Sequence[api.Decision],
        *,
        after: int = 0,
        **options: Unpack[StreamOptions],
    ) -> Reply:
        """Tells a paused reply what a person has decided; it goes on. `after`: the `seq` of the event `paused`."""
        url = path("/chat/message/{}/continue", message_id)
        headers = {"Accept": "text/event-stream"}
        call = Call[Any]("POST", url, json={"decisions": [*decisions]}, headers=headers, user="query")
        decides = [each["id"] for each in decisions]
        return ask(self._transport, ReplySource(call, message_id, after, decides=decides), options)

    def regenerate(self, message_id: str, **named: Unpack[_Again]) -> Reply:
        """Another reply to the message that this one answers."""
        body, options = split(named)
        return self._ask(path("/chat/message/{}/regenerate", message_id), body, options, "query")

    def edit(
        self, message_id: str, message: str, *, attachments: Files = None, **named: Unpack[_Edit]
    ) -> Reply:
        """Says it otherwise: a message beside this one, and its reply."""
        fields, options = split(named)
        body = {"message": message, "attachments": attachments, **fields}
        return self._ask(path("/chat/message/{}/edit", message_id), body, options, "query")

    def amend(self, message_id: str, *, attachments: Files = None, **named: Unpack[_Amend]) -> api.Message:
        """Of a message that waits."""
        fields, options = split(named)
        body = {"attachments": attachments, **fields}
        call = _with_files("PATCH", path("/chat/message/{}", message_id), body, {}, "query")
        answer: api.Message = self._transport.json(call, options)
        return answer

    def delete(self, message_id: str, **options: Unpack[CallOptions]) -> None:
        """With everything below it; one that waits is withdrawn."""
        call = Call[Any]("DELETE", path("/chat/message/{}", message_id), user="query")
        self._transport.json(call, options)

    def rate(self, message_id: str, rating: Literal["up", "down"] | None, **named: Unpack[_Rate]) -> api.Message:
        """What the user thinks of a reply; a rating of None takes it back."""
        fields, options = split(named)
        url = path("/chat/message/{}/feedback", message_id)
        call = Call[api.Message]("PUT", url, json={"rating": rating, **fields}, user="query")
        return self._transport.json(call, options)

    def history(self, session_id: str, **named: Unpack[_History]) -> api.GetChatHistoryBySessionIdAnswer:
        """A page of the active path, or of another (`path`)."""
        query, options = split(named)
        return self._transport.json(_history(session_id, query), options)

    def all(self, session_id: str, **named: Unpack[_History]) -> Iterator[api.Message]:
        """All of it, page by page, oldest first."""
        query, options = split({"limit": 200, **named})
        place: dict[str, str] | None = {}
        while place is not None:
            page = self._transport.json(_history(session_id, {**query, **place}), options)
            for message in page["messages"]:
                yield message
            place = next_place(page)

    def search(self, q: str, **named: Unpack[_Search]) -> api.GetChatSearchAnswer:
        """Through everything the user has said and was told."""
        query, options = split(named)
        call = Call[api.GetChatSearchAnswer]("GET", "/chat/search", query={"q": q, **query}, user="query")
        return self._transport.json(call, options)

    def attachment(self, attachment_id: str, **options: Unpack[CallOptions]) -> bytes:
        """The bytes of a file that came with a message."""
        url = path("/chat/attachments/{}", attachment_id)
        call = Call[Any]("GET", url, headers={"Accept": "*/*"}, user="query", timeout=_FILES_TIMEOUT)
        return self._transport.content(call, options)

    def _ask(
        self, url: str, body: dict[str, Any], options: SendOptions, user: Literal["body", "query"]
    ) -> Reply:
        """With a key, it is the same reply however often it is asked for."""
        call = _with_files("POST", url, body, {"Accept": "text/event-stream"}, user)
        source = ReplySource(keyed(call, options), may_move_on=body.get("on_busy") == "steer")
        return ask(self._transport, source, options)


def _history(session_id: str, query: Mapping[str, object]) -> Call[api.GetChatHistoryBySessionIdAnswer]:
    return Call("GET", path("/chat/history/{}", session_id), query=query, user="query")


def _with_files(
    method: str,
    url: str,
    fields: dict[str, Any],
    headers: Mapping[str, str],
    user: Literal["body", "query"],
) -> Call[Any]:
    body = with_files({name: value for name, value in fields.items() if name != "attachments" or value is not None})
    timeout = _FILES_TIMEOUT if body.get("attachments") else None
    return Call(method, url, json=body, headers=headers, user=user, timeout=timeout)
