"""Server-sent events out of bytes that were cut anywhere."""

from __future__ import annotations

import codecs
import json
import re
from typing import Any, NamedTuple

from ._errors import ConnectionError

_MAX_EVENT_LENGTH = 64 * 1024 * 1024
"""Characters of one event; a spoken reply in Base64 is the largest."""

_LINE_END = re.compile(r"\r\n?|\n")


class SentEvent(NamedTuple):
    """The number of an event, and what it says; None: the service has said that nothing more will come."""

    id: int
    event: dict[str, Any] | None


class EventParser:
    """Raises ConnectionError where an event has no end."""

    def __init__(self) -> None:
        self._decode = codecs.getincrementaldecoder("utf-8")("replace").decode
        self._pieces: list[str] = []
        self._length = 0
        self._is_after_return = False
        self._is_first = True
        self._id = ""
        self._data: list[str] = []

    def feed(self, content: bytes) -> list[SentEvent]:
        text = self._decode(content)
        if text == "":
            return []
        if self._is_first and text.startswith("\ufeff"):
            text = text[1:]
        self._is_first = False
        # CR LF is one end, also where the pieces were cut between them.
        start = 1 if self._is_after_return and text.startswith("\n") else 0
        self._is_after_return = text.endswith("\r") if text else self._is_after_return
        events: list[SentEvent] = []
        for end in _LINE_END.finditer(text, start):
            self._pieces.append(text[start : end.start()])
            self._end_line("".join(self._pieces), events)
            self._pieces = []
            start = end.end()
        if start < len(text):
            self._pieces.append(text[start:])
        self._length += len(text)
        if self._length > _MAX_EVENT_LENGTH:
            raise ConnectionError("An event of the stream has no end")
        return events

    def _end_line(self, line: str, events: list[SentEvent]) -> None:
        if line == "":
            if self._data:
                data = "\n".join(self._data)
                is_end = data == "[DONE]"
                events.append(SentEvent(0 if is_end else int(self._id), None if is_end else json.loads(data)))
            self._data = []
            self._length = 0
            return
        name, _, value = line.partition(":")
        value = value.removeprefix(" ")
        if name == "data":
            self._data.append(value)
        elif name == "id" and "\0" not in value:
            self._id = value
