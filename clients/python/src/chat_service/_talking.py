"""A spoken conversation as it goes over a WebSocket. Nothing here reads, writes or waits."""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any, Literal, TypeAlias, TypedDict, cast

from ._errors import ApiError
from ._typing import NotRequired
from .api_types import ReplyEvent


class TalkVoice(TypedDict, total=False):
    enable_tts: bool
    voice: str
    speed: float
    format: Literal["opus", "wav", "pcm"]


class TalkOptions(TypedDict, total=False):
    """How to listen and to answer; all of it as `voice_start` takes it."""

    session_id: str
    user_id: str
    agent_id: str
    sample_rate: int
    """Of the sound that is sent, in Hz."""
    language: str
    turn_detection: Literal["auto", "manual"]
    silence_ms: int
    barge_in: bool
    on_busy: str
    voice_config: TalkVoice


class VoiceStarted(TypedDict):
    type: Literal["voice_started"]
    session_id: str | None
    sample_rate: int
    speech: bool
    format: str
    max_frame_bytes: int
    max_turn_ms: int


class SpeechStarted(TypedDict):
    type: Literal["speech_started"]
    utterance: int
    at_ms: int


class SpeechEnded(TypedDict):
    type: Literal["speech_ended"]
    utterance: int
    at_ms: int
    duration_ms: int
    reason: Literal["silence", "commit", "too_long", "noise"]


class Transcript(TypedDict):
    type: Literal["transcript"]
    utterance: int
    text: str
    language: str | None
    duration_ms: int


class TurnFailed(TypedDict):
    """A turn that could not become a message; the conversation goes on. One of a reply has no `utterance`."""

    type: Literal["error"]
    utterance: NotRequired[int]
    error: str
    error_type: str
    code: int


class StopPlayback(TypedDict):
    type: Literal["stop_playback"]
    message_id: str


class PlaybackInterrupted(TypedDict):
    type: Literal["playback_interrupted"]
    message_id: str
    session_id: str
    played_ms: int
    spoken: str
    unspoken: str


class VoiceStopped(TypedDict):
    type: Literal["voice_stopped"]


TalkEvent: TypeAlias = (
    ReplyEvent
    | VoiceStarted
    | SpeechStarted
    | SpeechEnded
    | Transcript
    | TurnFailed
    | StopPlayback
    | PlaybackInterrupted
    | VoiceStopped
)
"""What the service tells in a spoken conversation."""


def started(options: Mapping[str, object]) -> str:
    """What is said when the service has let one in."""
    return json.dumps({"type": "voice_start", **options})


def said(kind: str, **members: object) -> str:
    """What is not given is not said."""
    return json.dumps({"type": kind, **{name: value for name, value in members.items() if value is not None}})


def read_told(text: str | bytes) -> dict[str, Any]:
    """Raises ApiError where the service ends the conversation."""
    told: dict[str, Any] = json.loads(text)
    # A turn that could not become a message ends nothing else.
    is_of_turn = told.get("stream") == "reply" or "utterance" in told
    if told["type"] == "error" and not is_of_turn:
        raise ApiError(str(told["error"]), status=int(told["code"]), type=str(told["error_type"]))
    return told


def event_of(told: Mapping[str, Any]) -> TalkEvent | None:
    """None: known by now, or of no interest."""
    return None if told["type"] in ("connection_established", "pong") else cast(TalkEvent, told)
