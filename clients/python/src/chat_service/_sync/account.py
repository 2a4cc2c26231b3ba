from __future__ import annotations

from typing import Any

from .. import api_types as api
from .._call import Call, CallOptions, path, split
from .._files import EncodedFile, FileLike, encode_file
from .._typing import Unpack
from .transport import Transport


class _Memories(api.MemoryChoice, CallOptions, total=False): ...


class Memories:
    """What agents remember of a user, beside conversations."""

    def __init__(self, transport: Transport) -> None:
        self._transport = transport

    def list(self, **named: Unpack[_Memories]) -> api.GetChatMemoriesAnswer:
        query, options = split(named)
        call = Call[api.GetChatMemoriesAnswer]("GET", "/chat/memories", query=query, user="query")
        return self._transport.json(call, options)

    def forget(self, memory_id: str, **options: Unpack[CallOptions]) -> None:
        """One of them."""
        self._transport.json(Call[Any]("DELETE", path("/chat/memories/{}", memory_id), user="query"), options)

    def forget_all(self, **options: Unpack[CallOptions]) -> api.DeleteChatMemoriesAnswer:
        call = Call[api.DeleteChatMemoriesAnswer]("DELETE", "/chat/memories", user="query")
        return self._transport.json(call, options)


class Knowledge:
    """What agents look things up in; administrators change it."""

    def __init__(self, transport: Transport) -> None:
        self._transport = transport

    def list(self, **options: Unpack[CallOptions]) -> api.GetChatKnowledgeAnswer:
        return self._transport.json(Call[api.GetChatKnowledgeAnswer]("GET", "/chat/knowledge"), options)

    def add(
        self, knowledge_id: str, file: FileLike | EncodedFile, **options: Unpack[CallOptions]
    ) -> api.PostChatKnowledgeByKnowledgeIdDocumentsAnswer:
        url = path("/chat/knowledge/{}/documents", knowledge_id)
        body = file if isinstance(file, dict) else encode_file(file)
        call = Call[api.PostChatKnowledgeByKnowledgeIdDocumentsAnswer]("POST", url, json={**body})
        return self._transport.json(call, options)

    def remove(self, knowledge_id: str, document_id: str, **options: Unpack[CallOptions]) -> None:
        url = path("/chat/knowledge/{}/documents/{}", knowledge_id, document_id)
        self._transport.json(Call[Any]("DELETE", url), options)
