"""What the official Python client of 1.0 makes of a service: takes its URL, prints one JSON object."""

import asyncio
import json
import sys

import httpx
from a2a.client import A2ACardResolver, ClientConfig, ClientFactory
from a2a.helpers import get_artifact_text, new_text_message
from a2a.types import Role, SendMessageRequest, SubscribeToTaskRequest, TaskState, GetTaskRequest


async def gathered(stream):
    text, states, task_id, context_id = "", [], None, None
    async for event in stream:
        if event.HasField("task"):
            task_id, context_id = event.task.id, event.task.context_id
            states.append(TaskState.Name(event.task.status.state))
            text = "".join(get_artifact_text(each) for each in event.task.artifacts)
        elif event.HasField("artifact_update"):
            update = event.artifact_update
            text = (text if update.append else "") + get_artifact_text(update.artifact)
        else:
            states.append(TaskState.Name(event.status_update.status.state))
    return {"text": text, "states": states, "task": task_id, "context": context_id}


def asking(text, task=None, context=None):
    message = new_text_message(text, role=Role.ROLE_USER, task_id=task, context_id=context)
    return SendMessageRequest(message=message)


async def main():
    async with httpx.AsyncClient(headers={"X-User-Id": "python"}) as http:
        card = await A2ACardResolver(http, sys.argv[1] + "/a2a/actor").get_agent_card()
        told = {"name": card.name}
        for streaming in (True, False):
            client = ClientFactory(ClientConfig(streaming=streaming, httpx_client=http)).create(card)
            whole = await gathered(client.send_message(asking("everything")))
            asked = await gathered(client.send_message(asking("confirm")))
            decided = await gathered(client.send_message(asking("yes", asked["task"], asked["context"])))
            task = await client.get_task(GetTaskRequest(id=whole["task"]))
            told["streaming" if streaming else "whole"] = {
                "everything": whole["text"],
                "ended": whole["states"][-1],
                "asked": asked["states"][-1],
                "decided": [decided["states"][-1], decided["text"]],
                "stored": get_artifact_text(task.artifacts[0]),
            }
            if not streaming:
                continue
            try:
                async for _ in client.subscribe(SubscribeToTaskRequest(id=whole["task"])):
                    pass
            except Exception as error:
                told["refused"] = type(error).__name__
    print(json.dumps(told))


asyncio.run(main())
