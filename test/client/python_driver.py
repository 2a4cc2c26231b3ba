"""Does with the client of clients/python what it is told, line by line, and tells what came of it.

As it stands it awaits; the tests make it without `await` as they make the client.
"""

import asyncio
import base64
import inspect
import json
import sys
import threading
import time

from chat_service import AsyncChatClient, AsyncDownload, AsyncReply, File

clients, replies = {}, []
noted = {"waits": [], "retries": [], "shares": [], "asked": []}


def note(kind):
    return lambda *told: noted[kind].append(told[0] if kind == "shares" else str(told[0]))


def client_of(base_url, fresh_token=None, real_wait=False, **options):
    if fresh_token is not None:
        current = options["token"]

        async def token(refused):
            nonlocal current
            noted["asked"].append(refused)
            if refused is not None:
                current = fresh_token
            return current

        options["token"] = token
    if not real_wait:
        options["wait"] = lambda pause: noted["waits"].append(pause.delay)
    return AsyncChatClient(base_url, **options)


def given(value):
    """Files stand as {"$file": [name, Base64]}, functions as {"$note": kind}, sent replies as {"$reply": number}."""
    if isinstance(value, list):
        return [given(each) for each in value]
    if isinstance(value, dict):
        if "$file" in value:
            name, data = value["$file"]
            return File(base64.b64decode(data), name)
        if "$note" in value:
            return note(value["$note"])
        return {name: given(each) for name, each in value.items()}
    return value


async def shown(value):
    if isinstance(value, AsyncReply):
        replies.append(value)
        return {"reply": len(replies) - 1, "sessionId": value.session_id, "messageId": value.message_id}
    if isinstance(value, AsyncDownload):
        value = await value.read()
    if isinstance(value, bytes):
        return {"bytes": base64.b64encode(value).decode()}
    if hasattr(value, "__aiter__") and not isinstance(value, (dict, list, str)):
        return [each async for each in value]
    return value


async def call(client, path, args=(), named=None):
    at = clients[client]
    for name in path.split("."):
        at = getattr(at, name)
    value = at(*given(list(args)), **given(named or {}))
    return await shown(await value if inspect.isawaitable(value) else value)


async def read(reply, count=None, until=None):
    """Tells each event as it comes."""
    events = 0
    async for event in replies[reply]:
        print(json.dumps({"told": event}), flush=True)
        events += 1
        if events == count or event["type"] == until:
            break
    return events


async def listen(client, until):
    async for event in clients[client].sessions.events():
        print(json.dumps({"told": event}), flush=True)
        if event["type"] == until:
            break


async def converse(client, named, on, until):
    """A spoken conversation: behind the first event of a type what `on` has for it, to the end or the event `until`."""
    talk = await clients[client].voice.talk(**named)
    done = set()
    async for event in talk:
        print(json.dumps({"told": event}), flush=True)
        for name, *args in [] if event["type"] in done else on.get(event["type"], []):
            args = [event["message_id"] if each == "$message" else each for each in args]
            if name == "sound":
                samples = base64.b64decode(args[0])
                for at in range(0, len(samples), 1_600):
                    await talk.sound(samples[at : at + 1_600])
            elif name == "close":
                await talk.aclose()
            else:
                await getattr(talk, name)(*args)
        done.add(event["type"])
        if event["type"] == until:
            break
    # Whoever has left the loop has closed it.
    return [event async for event in talk]


async def leave_while_reading(reply):
    """Somebody else leaves while it is read."""
    return await leaving(replies[reply])


async def obey(order):
    kind, rest = order.pop("do"), order
    if kind == "client":
        name = rest.pop("client")
        clients[name] = client_of(**rest)
        return None
    if kind == "method":
        return await shown(await getattr(replies[rest["reply"]], rest["name"])())
    if kind == "noted":
        found = {name: list(values) for name, values in noted.items()}
        for values in noted.values():
            values.clear()
        return found
    known = {"call": call, "read": read, "listen": listen, "converse": converse, "leave": leave_while_reading}
    return await known[kind](**rest)


async def main():
    for line in sys.stdin:
        try:
            answer = {"result": await obey(json.loads(line))}
        except Exception as error:
            answer = {"raised": {"kind": type(error).__name__, "text": str(error), **fields(error)}}
        print(json.dumps(answer), flush=True)


def fields(error):
    kept = {name: value for name, value in vars(error).items() if isinstance(value, (str, int, float, type(None)))}
    if getattr(error, "details", None):
        kept["details"] = [each.path for each in error.details]
    return kept


def leaving_in_a_thread(reply):
    seen = []

    def read_on():
        seen.extend(reply)

    reader = threading.Thread(target=read_on)
    reader.start()
    time.sleep(0.3)
    reply.leave()
    reader.join(5)
    return {"alive": reader.is_alive(), "seen": len(seen)}


async def leaving_in_a_task(reply):
    seen = []

    async def read_on():
        async for event in reply:
            seen.append(event)

    reader = asyncio.ensure_future(read_on())
    await asyncio.sleep(0.3)
    await reply.leave()
    await asyncio.wait([reader], timeout=5)
    return {"alive": not reader.done(), "seen": len(seen)}


is_awaiting = inspect.iscoroutinefunction(main)
leaving = leaving_in_a_task if is_awaiting else leaving_in_a_thread
started = main()
if is_awaiting:
    asyncio.run(started)
