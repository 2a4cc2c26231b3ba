"""What the official Python client makes of a service, in both ways to begin: takes its URL, prints one JSON object."""

import asyncio
import json
import sys

from mcp import ClientSession
from mcp.client.streamable_http import create_mcp_http_client, streamable_http_client


async def ask(begin):
    notices = []

    async def progress(done, total, message):
        notices.append(message)

    async with create_mcp_http_client(headers={"X-User-Id": "python"}) as http:
        async with streamable_http_client(sys.argv[1] + "/mcp", http_client=http) as streams:
            async with ClientSession(streams[0], streams[1]) as session:
                await getattr(session, begin)()
                tools = await session.list_tools()
                asked = await session.call_tool("ask_agent", {"message": "look"}, progress_callback=progress)
                wrong = await session.call_tool("ask_agent", {"massage": "x"})
                found = await session.call_tool("search_history", {"q": "look"})
                return {
                    "version": session.protocol_version,
                    "tools": len(tools.tools),
                    "text": asked.structured_content["text"],
                    "notices": notices,
                    "wrong": wrong.is_error,
                    "finds": len(found.structured_content["hits"]) > 0,
                }


async def main():
    print(json.dumps([await ask("initialize"), await ask("discover")]))


asyncio.run(main())
