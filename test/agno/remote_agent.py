"""What Agno's RemoteAgent makes of an agent here, asked over A2A in each of its ways: prints one JSON object."""

import asyncio
import json
import sys

from agno.agent import RemoteAgent


async def main():
    told = {}
    for protocol in ("json-rpc", "rest"):
        agent = RemoteAgent(
            base_url=sys.argv[1] + "/a2a/actor",
            agent_id="actor",
            protocol="a2a",
            a2a_protocol=protocol,
        )
        whole = await agent.arun("everything", user_id=sys.argv[2], session_id="of agno")
        content = ""
        ends = []
        async for event in agent.arun("replaced", stream=True, user_id=sys.argv[2], session_id="of agno"):
            ends.append(event.event)
            if event.event == "RunContent":
                content += event.content
        try:
            await agent.arun("", user_id=sys.argv[2])
            refused = False
        except Exception:
            refused = True
        told[protocol] = {
            "name": (await agent.get_agent_config()).name,
            "content": whole.content,
            "session": whole.session_id,
            "streamed": content,
            "events": sorted(set(ends)),
            "refused": refused,
        }
    print(json.dumps(told))


asyncio.run(main())
