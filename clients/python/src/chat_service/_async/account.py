from __future__ import annotations

from typing import Any

from .. import api_types as api
from .._call import Call, CallOptions, path, split
from .._files import EncodedFile, FileLike, encode_file
from .._typing import Unpack
from .transport import AsyncTransport


class _Memories(api.MemoryChoice, CallOptions, total=False): ...


class AsyncMemories:
    """What agents remember of a user, beside conversations."""

    def __init__(self, transport: AsyncTransport) -> None:
        self._transport = transport

    async def list(self, **named: Unpack[_Memories]) -> api.GetChatMemoriesAnswer:
        query, options = split(named)
        call = Call[api.GetChatMemoriesAnswer]("GET", "/chat/memories", query=query, user="query")
        return await self._transport.json(call, options)

    async def forget(self, memory_id: str, **options: Unpack[CallOptions]) -> None:
        """One of them."""
        await self._transport.json(Call[Any]("DELETE", path("/chat/memories/{}", memory_id), user="query"), options)

    async def forget_all(self, **options: Unpack[CallOptions]) -> api.DeleteChatMemoriesAnswer:
        call = Call[api.DeleteChatMemoriesAnswer]("DELETE", "/chat/memories", user="query")
        return await self._transport.json(call, options)


class AsyncKnowledge:
    """What agents look things up in; administrators change it."""

    def __init__(self, transport: AsyncTransport) -> None:
        self._transport = transport

    async def list(self, **options: Unpack[CallOptions]) -> api.GetChatKnowledgeAnswer:
        return await self._transport.json(Call[api.GetChatKnowledgeAnswer]("GET", "/chat/knowledge"), options)

    async def add(
        self, knowledge_id: str, file: FileLike | EncodedFile, **options: Unpack[CallOptions]
    ) -> api.PostChatKnowledgeByKnowledgeIdDocumentsAnswer:
        url = path("/chat/knowledge/{}/documents", knowledge_id)
        body = file if isinstance(file, dict) else encode_file(file)
        call = Call[api.PostChatKnowledgeByKnowledgeIdDocumentsAnswer]("POST", url, json={**body})
        return await self._transport.json(call, options)

    async def remove(self, knowledge_id: str, document_id: str, **options: Unpack[CallOptions]) -> None:
        url = path("/chat/knowledge/{}/documents/{}", knowledge_id, document_id)
        await self._transport.json(Call[Any]("DELETE", url), options)
