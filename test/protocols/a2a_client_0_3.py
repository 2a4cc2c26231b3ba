"""The same of the client of 0.3: takes the service's URL, prints one JSON object."""

import asyncio
import json
import sys
from uuid import uuid4

import httpx
from a2a.client import A2ACardResolver, ClientConfig, ClientFactory
from a2a.types import Message, Part, Role, Task, TaskQueryParams, TextPart


def asking(text, task=None, context=None):
    part = Part(root=TextPart(text=text))
    return Message(role=Role.user, parts=[part], message_id=str(uuid4()), task_id=task, context_id=context)


async def gathered(stream):
    task = None
    async for event in stream:
        if isinstance(event, Message):
            raise ValueError("a message instead of a task")
        task = event[0]
    return task


def text_of(task: Task):
    texts = [each for each in task.artifacts or [] if each.artifact_id == "text"]
    return "".join(part.root.text for each in texts for part in each.parts)


async def main():
    async with httpx.AsyncClient(headers={"X-User-Id": "python 0.3"}) as http:
        card = await A2ACardResolver(http, sys.argv[1] + "/a2a/actor").get_agent_card()
        told = {"name": card.name, "version": card.protocol_version}
        for streaming in (True, False):
            client = ClientFactory(ClientConfig(streaming=streaming, httpx_client=http)).create(card)
            whole = await gathered(client.send_message(asking("everything")))
            asked = await gathered(client.send_message(asking("confirm")))
            decided = await gathered(client.send_message(asking("yes", asked.id, asked.context_id)))
            stored = await client.get_task(TaskQueryParams(id=asked.id))
            told["streaming" if streaming else "whole"] = {
                "everything": text_of(whole),
                "asked": asked.status.state.value,
                "decided": [decided.status.state.value, text_of(stored)],
            }
    print(json.dumps(told))


asyncio.run(main())
