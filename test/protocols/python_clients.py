"""What the official Python clients make of a service whose agent does as the first word of a message says.

Takes the service's URL and that of a proxy which cuts its first connection, and the place of the cut; prints one JSON object.
"""

import json
import sys

import httpx
import openai
from langchain_openai import ChatOpenAI
from openai import OpenAI

url, cut_urls = sys.argv[1], sys.argv[2:]
model = "actor"


def client_at(base, **more):
    return OpenAI(base_url=f"{base}/v1", api_key="none", default_headers={"X-User-Id": "python"}, **more)


client = client_at(url)
ask = lambda text: [{"role": "user", "content": text}]


def fault(do):
    try:
        do()
    except Exception as error:
        return {
            "kind": type(error).__name__,
            "status": getattr(error, "status_code", None),
            "code": getattr(error, "code", None),
            "message": str(error),
        }
    return None


def completion():
    whole = client.chat.completions.create(model=model, messages=ask("everything"))
    text, usage = "", None
    stream = client.chat.completions.create(
        model=model, messages=ask("everything"), stream=True, stream_options={"include_usage": True}
    )
    for chunk in stream:
        text += (chunk.choices[0].delta.content or "") if chunk.choices else ""
        usage = chunk.usage or usage
    message = whole.choices[0].message
    return {
        "whole": message.content,
        "calls": message.tool_calls,
        "stream": text,
        "usage": [each.total_tokens for each in (whole.usage, usage)],
    }


def response():
    whole = client.responses.create(model=model, input="everything")
    with client.responses.stream(model=model, input="everything") as stream:
        events = list(stream)
        final = stream.get_final_response()
    numbers = [event.sequence_number for event in events]
    rests = []
    for index, number in enumerate(numbers):
        rest = client.responses.retrieve(final.id, stream=True, starting_after=number)
        rests.append([event.sequence_number for event in rest] == numbers[index + 1 :])
    with client.responses.stream(response_id=final.id, starting_after=numbers[3]) as stream:
        resumed = stream.get_final_response()
    return {
        "whole": whole.output_text,
        "stream": final.output_text,
        "types": [item.type for item in final.output],
        "resumed": resumed.output_text,
        "behind every event": all(rests),
        "again": [item.id for item in client.responses.retrieve(final.id).output]
        == [item.id for item in final.output],
    }


def replaced():
    with client.responses.stream(model=model, input="replaced") as stream:
        return stream.get_final_response().output_text


def approval():
    asked = client.responses.create(model=model, input="confirm")
    request = asked.output[-1]
    answer = {"type": "mcp_approval_response", "approval_request_id": request.id, "approve": True}
    further = client.responses.create(model=model, previous_response_id=asked.id, input=[answer])
    return {"asked": request.type, "name": request.name, "further": further.output_text}


def external():
    asked = client.responses.create(model=model, input="external")
    calls = [item for item in asked.output if item.type == "function_call"]
    outputs = [
        {"type": "function_call_output", "call_id": each.call_id, "output": '"7"'} for each in calls
    ]
    further = client.responses.create(model=model, previous_response_id=asked.id, input=outputs)
    return {"names": [each.name for each in calls], "further": further.output_text}


def failed():
    events = []
    with client.responses.stream(model=model, input="fails") as stream:
        events.extend(stream)
        final = fault(stream.get_final_response)
    completion = fault(
        lambda: list(client.chat.completions.create(model=model, messages=ask("fails"), stream=True))
    )
    unknown = fault(lambda: client.responses.create(model="nobody", input="x"))
    return {"last": events[-1].type, "final": final, "completion": completion, "unknown": unknown}


def conversation():
    made = client.conversations.create(metadata={"topic": "x"})
    client.responses.create(model=model, input="replaced", conversation=made.id)
    items = [item.content[0].text for item in client.conversations.items.list(made.id)]
    client.conversations.delete(made.id)
    return {"items": items, "gone": fault(lambda: client.conversations.retrieve(made.id))}


def cut(base):
    cutting = client_at(base, timeout=httpx.Timeout(60))
    return cutting.responses.create(model=model, input="everything", metadata={"by": base}).output_text


def langchain():
    out = {}
    for name, more in (("completions", {}), ("responses", {"use_responses_api": True})):
        chat = ChatOpenAI(model=model, base_url=f"{url}/v1", api_key="none", **more)
        whole = chat.invoke("everything")
        text = "".join(chunk.text for chunk in chat.stream("everything"))
        out[name] = {"whole": whole.text, "stream": text, "calls": whole.tool_calls}
    return out


print(
    json.dumps(
        {
            "version": openai.__version__,
            "models": [each.id for each in client.models.list()],
            "completion": completion(),
            "response": response(),
            "replaced": replaced(),
            "approval": approval(),
            "external": external(),
            "failed": failed(),
            "conversation": conversation(),
            "cut": [cut(each) for each in cut_urls],
            "langchain": langchain(),
        }
    )
)
