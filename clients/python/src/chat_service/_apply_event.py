from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, Literal, TypedDict, cast

from ._typing import NotRequired
from .api_types import Message, ReplyEvent


class ToolCall(TypedDict):
    """A call of a tool as messages hold it."""

    tool_call_id: str
    name: str
    status: Literal["started", "completed", "failed"]
    arguments: NotRequired[Any]
    result: NotRequired[Any]
    agent_id: NotRequired[str]


_NOTHING: Mapping[str, Any] = {
    "content": "",
    "reasoning": "",
    "tool_calls": [],
    "media": [],
    "sources": [],
    "suggestions": [],
    "tasks": [],
    "custom_events": [],
    "steered": [],
}
"""What a reply with nothing in it has."""


def apply_event(message: Mapping[str, Any], event: ReplyEvent) -> Message:
    """The message of a reply after one more event; events must come in order."""
    return cast(Message, {**message, **_changes_by(event, message)})


def _changes_by(event: ReplyEvent, message: Mapping[str, Any]) -> dict[str, Any]:
    said: Mapping[str, Any] = event
    streaming = {"status": "streaming"}
    match event["type"]:
        case "user_message":
            # From the start again: whatever was known before is told once more.
            return {**streaming, **_NOTHING}
        case "queued":
            return {"status": "queued"}
        case "assistant_chunk":
            return {**streaming, "content": message.get("content", "") + said["chunk"]}
        case "reasoning_chunk":
            return {**streaming, "reasoning": message.get("reasoning", "") + said["chunk"]}
        case "tool_call":
            return {**streaming, "tool_calls": _with_tool_call(message.get("tool_calls", ()), said)}
        case "media":
            media = _kept(said, "kind", "url", "name", "attachment_id", "media_type", "size", "left_out")
            return {**streaming, "media": [*message.get("media", ()), media]}
        # These two are told again after a cut, by a run that was taken up.
        case "sources":
            return {**streaming, "sources": _with_new(message.get("sources", ()), said["sources"])}
        case "agent_custom":
            told = _kept(said, "name", "data", "agent_id")
            return {**streaming, "custom_events": _with_new(message.get("custom_events", ()), [told])}
        case "suggestions" | "tasks":
            return {**streaming, **_kept(said, said["type"])}
        case "steered":
            before = [each for each in message.get("steered", ()) if each["message_id"] != said["user_message_id"]]
            steered = {"message_id": said["user_message_id"], "text_start": said["text_start"]}
            return {**streaming, "steered": [*before, steered]}
        case "replaced":
            return {**streaming, "content": said["content"]}
        case "snapshot":
            names = ("content", "reasoning", "sources", "suggestions", "tasks", "custom_events", "steered", "model")
            return {**streaming, **_kept(said, *names)}
        case "paused":
            fault = {"error": _fault(said)} if "error" in said else {}
            return {"status": "paused", "requirements": said["requirements"], **fault}
        case "conversation_complete":
            told = _kept(said, "agent_id", "usage", "finish_reason", "output", "output_error")
            return {"status": "complete", "content": said["full_response"], **told}
        case "cancelled":
            return {"status": "cancelled", "content": said["full_response"]}
        case "error":
            status = "interrupted" if said["error_type"] == "interrupted" else "failed"
            return {"status": status, "content": said["full_response"], "error": _fault(said)}
        case "agent_event":
            return streaming
        case _:
            # Sound, and events of a service that is newer.
            return {}


def _with_tool_call(calls: Sequence[Mapping[str, Any]], event: Mapping[str, Any]) -> list[Mapping[str, Any]]:
    told = _kept(event, "tool_call_id", "name", "status", "agent_id", "arguments", "result")
    if all(call["tool_call_id"] != told["tool_call_id"] for call in calls):
        return [*calls, told]
    return [{**call, **told} if call["tool_call_id"] == told["tool_call_id"] else call for call in calls]


def _with_new(known: Sequence[object], told: Sequence[object]) -> list[object]:
    return [*known, *(each for each in told if each not in known)]


def _kept(event: Mapping[str, Any], *names: str) -> dict[str, Any]:
    return {name: event[name] for name in names if name in event}


def _fault(event: Mapping[str, Any]) -> dict[str, Any]:
    return {"type": event.get("error_type", ""), "code": event.get("code", 0), "message": event["error"]}
