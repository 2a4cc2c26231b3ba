from __future__ import annotations

from typing import Any

from .. import api_types as api
from .._call import Call, CallOptions, SendOptions, keyed, path, split
from .._files import FileLike, as_file
from .._reading import ReplySource
from .._talking import TalkOptions
from .._typing import Unpack
from .reply import AsyncReply, ask
from .talk import AsyncTalk, talk
from .transport import AsyncTransport

_TIMEOUT = 150.0
"""Recognising and speaking take their time."""


class _Recording(api.Recording, SendOptions, total=False): ...


class _Transcribe(api.Transcription, CallOptions, total=False): ...


class _Speech(api.Speech, CallOptions, total=False): ...


class AsyncVoice:
    """Speech in and out."""

    def __init__(self, transport: AsyncTransport) -> None:
        self._transport = transport

    async def send(self, audio: FileLike, **named: Unpack[_Recording]) -> AsyncReply:
        """Sends a recording as a message: its transcript is the `message` of the event `user_message`."""
        fields, options = split(named)
        call = Call[Any](
            "POST",
            "/chat/voice",
            json={**fields, "stream": True},
            file=("audio_file", as_file(audio, "recording")),
            headers={"Accept": "text/event-stream"},
            user="body",
            timeout=_TIMEOUT,
        )
        return await ask(self._transport, ReplySource(keyed(call, options)), options)

    async def transcribe(self, audio: FileLike, **named: Unpack[_Transcribe]) -> api.PostChatVoiceTranscribeAnswer:
        """Only writes it down."""
        fields, options = split(named)
        call = Call[api.PostChatVoiceTranscribeAnswer](
            "POST",
            "/chat/voice/transcribe",
            json=fields,
            file=("audio_file", as_file(audio, "recording")),
            user="body",
            is_repeatable=True,
            timeout=_TIMEOUT,
        )
        return await self._transport.json(call, options)

    async def synthesize(self, text: str, **named: Unpack[_Speech]) -> bytes:
        """Only speaks."""
        fields, options = split(named)
        call = Call[Any](
            "POST",
            "/chat/voice/synthesize",
            json={"text": text, **fields},
            headers={"Accept": "audio/*"},
            is_repeatable=True,
            timeout=_TIMEOUT,
        )
        return await self._transport.content(call, options)

    async def audio(self, audio_id: str, **options: Unpack[CallOptions]) -> bytes:
        """Speech of a reply, or a recording, that is kept."""
        url = path("/chat/audio/{}", audio_id)
        call = Call[Any]("GET", url, headers={"Accept": "audio/*"}, user="query", timeout=_TIMEOUT)
        return await self._transport.content(call, options)

    async def voices(self, **options: Unpack[CallOptions]) -> api.GetChatVoicesAnswer:
        return await self._transport.json(Call[api.GetChatVoicesAnswer]("GET", "/chat/voices"), options)

    async def talk(self, **options: Unpack[TalkOptions]) -> AsyncTalk:
        """A spoken conversation: sound both ways at once, over a WebSocket. For it `pip install 'chat-service-client[voice]'`."""
        return await talk(self._transport, options)
