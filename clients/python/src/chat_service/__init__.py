"""A client of Chat Service: conversations with AI agents, streamed replies that survive lost connections, voice."""

from . import api_types
from ._apply_event import ToolCall, apply_event
from ._async.client import AsyncChatClient
from ._async.reply import AsyncReply
from ._async.sessions import AsyncDownload
from ._async.talk import AsyncTalk
from ._errors import ApiError, ChatServiceError, ConnectionError, Detail, ReplyError
from ._files import EncodedFile, File, encode_file
from ._reading import is_last, text_after
from ._retry import Pause
from ._sync.client import ChatClient
from ._sync.reply import Reply
from ._sync.sessions import Download
from ._sync.talk import Talk
from ._talking import TalkEvent, TalkOptions
from .api_types import Decision, Message, ReplyEvent, SessionEvent, SessionInfo

__all__ = [
    "ApiError",
    "AsyncChatClient",
    "AsyncDownload",
    "AsyncReply",
    "AsyncTalk",
    "ChatClient",
    "ChatServiceError",
    "ConnectionError",
    "Decision",
    "Detail",
    "Download",
    "EncodedFile",
    "File",
    "Message",
    "Pause",
    "Reply",
    "ReplyError",
    "ReplyEvent",
    "SessionEvent",
    "SessionInfo",
    "Talk",
    "TalkEvent",
    "TalkOptions",
    "ToolCall",
    "api_types",
    "apply_event",
    "encode_file",
    "is_last",
    "text_after",
]
