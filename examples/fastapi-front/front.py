"""A front of your own before Chat Service: it says who is talking, and passes replies on as they are made."""

import json
import os
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Annotated

from fastapi import Cookie, FastAPI, Header, HTTPException, Request
from fastapi.responses import HTMLResponse, JSONResponse, StreamingResponse
from pydantic import BaseModel

from chat_service import ApiError, AsyncChatClient, AsyncReply, ConnectionError, ReplyEvent


@asynccontextmanager
async def lifespan(app: FastAPI) -> AsyncIterator[None]:
    url = os.environ.get("CHAT_URL", "http://127.0.0.1:8001")
    async with AsyncChatClient(url, api_key=os.environ.get("CHAT_API_KEY")) as client:
        app.state.chat = client
        yield


app = FastAPI(lifespan=lifespan)
page = Path(__file__).with_name("page.html")


def user_of(name: str | None) -> str:
    """Whoever has signed in with you; here a cookie says it."""
    return name or "guest"


class Question(BaseModel):
    text: str
    session_id: str | None = None


@app.get("/")
def show() -> HTMLResponse:
    return HTMLResponse(page.read_text("utf-8"))


@app.post("/ask")
async def ask(
    question: Question,
    request: Request,
    user: Annotated[str | None, Cookie()] = None,
    key: Annotated[str | None, Header(alias="Idempotency-Key")] = None,
) -> StreamingResponse:
    """A message, and its reply. With the same key it is the same message, however often the browser sends it."""
    options = {} if key is None else {"idempotency_key": key}
    reply = await chat(request).send(question.text, session_id=question.session_id, user_id=user_of(user), **options)
    return passed_on(reply)


@app.get("/replies/{message_id}")
async def follow(
    message_id: str, request: Request, after: int = 0, user: Annotated[str | None, Cookie()] = None
) -> StreamingResponse:
    """The same reply behind an event that the browser has seen."""
    return passed_on(await chat(request).messages.follow(message_id, after=after, user_id=user_of(user)))


@app.exception_handler(ApiError)
async def refused(_request: Request, error: ApiError) -> JSONResponse:
    return JSONResponse({"error": error.message, "type": error.type}, error.status)


@app.exception_handler(ConnectionError)
async def unreachable(_request: Request, error: ConnectionError) -> JSONResponse:
    return JSONResponse({"error": str(error), "type": "unreachable"}, 502)


def chat(request: Request) -> AsyncChatClient:
    client = request.app.state.chat
    if not isinstance(client, AsyncChatClient):
        raise HTTPException(503)
    return client


def passed_on(reply: AsyncReply) -> StreamingResponse:
    headers = {"X-Session-ID": reply.session_id, "X-Message-ID": reply.message_id, "Cache-Control": "no-store"}
    return StreamingResponse(lines(reply), media_type="text/event-stream", headers=headers)


async def lines(reply: AsyncReply) -> AsyncIterator[str]:
    """A browser that goes away ends this, and not the reply."""
    async with reply:
        try:
            async for event in reply:
                yield sent(event)
        except (ApiError, ConnectionError) as error:
            yield f"event: broken\ndata: {json.dumps(str(error))}\n\n"
            return
    yield "data: [DONE]\n\n"


def sent(event: ReplyEvent) -> str:
    return f"id: {event['seq']}\ndata: {json.dumps(event, ensure_ascii=False)}\n\n"
