from __future__ import annotations

from collections.abc import Mapping, Sequence
from types import TracebackType
from typing import Any

import httpx

from .. import api_types as api
from .._call import Call, CallOptions, split
from .._typing import Unpack
from .._wire import Settings, base_of
from ._io import Token, Wait, sleep
from .account import Knowledge, Memories
from .messages import Messages
from .sessions import Sessions
from .transport import Transport, UserId
from .voice import Voice


class _Usage(api.UsageChoice, CallOptions, total=False): ...


class ChatClient:
    """A client of a Chat Service. Its calls raise ApiError and ConnectionError."""

    def __init__(
        self,
        base_url: str,
        *,
        token: Token = None,
        api_key: str | None = None,
        user_id: UserId = None,
        language: str | None = None,
        headers: Mapping[str, str] | None = None,
        timeout: float = 30,
        max_retries: int = 2,
        patience: float = 60,
        silence: float = 60,
        http_client: httpx.Client | None = None,
        websocket: Mapping[str, Any] | None = None,
        wait: Wait = sleep,
    ) -> None:
        """
        base_url: where the service is, with the prefix that a gateway puts in front: `https://chat.example.com/api`.
        token: for `Authorization: Bearer`. A function is asked before each request, and once more when the service refuses
            what it gave: it is told the refused token then, and gives a fresh one.
        api_key: for `X-API-Key`.
        user_id: who is talking, where no token says it (`auth.mode: open`, or an administrator for somebody).
        language: of messages for people: `en` or `zh`.
        timeout: seconds for each step of a request: connecting, sending, waiting for the answer.
        max_retries: of a request that can be repeated. Streams are taken up again as long as `patience` says.
        patience: a message is sent again, and a lost stream taken up again, for so many seconds without progress.
        silence: a stream that is silent longer is taken for lost: more than the service's `server.heartbeat_seconds`.
        http_client: one of your own, with proxies and certificates; it is not closed with this one.
        websocket: for spoken conversations, which do not go over `http_client`: what `connect` of `websockets` takes, such as
            `ssl` and `proxy`.
        wait: waits between attempts, in place of sleeping.
        """
        settings = Settings(
            base_of(base_url),
            api_key,
            language,
            headers or {},
            timeout,
            max_retries,
            patience,
            silence,
            websocket or {},
        )
        self._http = http_client or _http()
        self._is_owner = http_client is None
        self._transport = Transport(settings, self._http, token, user_id, wait)
        self.sessions = Sessions(self._transport)
        self.messages = Messages(self._transport)
        self.voice = Voice(self._transport)
        self.memories = Memories(self._transport)
        self.knowledge = Knowledge(self._transport)
        self.send = self.messages.send
        """As `messages.send`."""
        self.search = self.messages.search
        """As `messages.search`."""

    def agents(self, **options: Unpack[CallOptions]) -> Sequence[api.Agent]:
        call = Call[api.GetChatAgentsAnswer]("GET", "/chat/agents")
        return (self._transport.json(call, options))["agents"]

    def models(self, **options: Unpack[CallOptions]) -> Sequence[api.GetChatModelsAnswerModelsItem]:
        call = Call[api.GetChatModelsAnswer]("GET", "/chat/models")
        return (self._transport.json(call, options))["models"]

    def usage(self, **named: Unpack[_Usage]) -> api.GetUsageAnswer:
        query, options = split(named)
        call = Call[api.GetUsageAnswer]("GET", "/usage", query=query, user="query")
        return self._transport.json(call, options)

    def health(self, **options: Unpack[CallOptions]) -> api.GetHealthAnswer:
        """Whether it is there, and which version."""
        return self._transport.json(Call[api.GetHealthAnswer]("GET", "/health"), options)

    def config(self, **options: Unpack[CallOptions]) -> api.GetHealthConfigAnswer:
        """Features and limits."""
        return self._transport.json(Call[api.GetHealthConfigAnswer]("GET", "/health/config"), options)

    def request(
        self,
        method: str,
        path: str,
        *,
        query: Mapping[str, object] | None = None,
        json: Mapping[str, object] | None = None,
        is_repeatable: bool = False,
        **options: Unpack[CallOptions],
    ) -> Any:
        """Any other path of the service, with the credentials, deadlines, repeats and errors of this client."""
        call = Call[Any](method, path, query=query or {}, json=json, is_repeatable=is_repeatable)
        return self._transport.json(call, options)

    def url(self, path: str, query: Mapping[str, object] | None = None) -> str:
        """An address of the service, for links and images."""
        return self._transport.settings.url(path, query)

    def close(self) -> None:
        """Ends its connections. Replies go on."""
        if self._is_owner:
            self._http.close()

    def __enter__(self) -> ChatClient:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()


def _http() -> httpx.Client:
    # Streams hold a connection each.
    limits = httpx.Limits(max_connections=None, max_keepalive_connections=20)
    return httpx.Client(limits=limits, follow_redirects=True)
