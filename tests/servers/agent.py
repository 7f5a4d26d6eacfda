"""A whole agent program that knows nothing but its environment. Prints the run that its first answer named.

It asks one model for a tool, calls it by MCP, tells the result, asks another model, acts itself, and reads a
page. HEADERS (JSON) go along where a program can set any.
"""

from __future__ import annotations

import asyncio
import json
import os
import sys
from typing import Any

import httpx
import httpx2
from anthropic import Anthropic
from mcp import Client as McpClient
from mcp.client.streamable_http import streamable_http_client
from openai import OpenAI

import clearance

GOAL = "Find the note, and tell what it says."
HEADERS: dict[str, str] = json.loads(os.environ.get("HEADERS", "{}"))
ECHO = {"type": "function", "function": {"name": "remote__echo", "parameters": {"type": "object"}}}


async def call_tool(text: str) -> str:
    """By the official MCP client."""
    headers = {"Authorization": f"Bearer {os.environ['CLEARANCE_API_KEY']}", **HEADERS}
    async with httpx2.AsyncClient(headers=headers, timeout=30) as http:
        url = os.environ["CLEARANCE_MCP_URL"] + "/remote"
        async with McpClient(streamable_http_client(url, http_client=http)) as client:
            result = await client.call_tool("echo", {"text": text})
    return "".join(part.text for part in result.content)


def named_run(run_id: str) -> str:
    """None to name where the environment does: then the run is somebody else's to end."""
    return "" if os.environ.get("CLEARANCE_RUN_ID") else run_id


def main() -> None:
    messages: list[Any] = [{"role": "user", "content": GOAL}]
    model = OpenAI(default_headers=HEADERS)
    raw = model.chat.completions.with_raw_response.create(model="scripted-1", messages=messages, tools=[ECHO])
    run_id = raw.headers["clearance-run"]
    said = raw.parse().choices[0].message
    (wanted,) = said.tool_calls or ()
    messages.append(said.model_dump(exclude_none=True))
    result = asyncio.run(call_tool(**json.loads(wanted.function.arguments)))
    messages.append({"role": "tool", "tool_call_id": wanted.id, "content": result})
    model.chat.completions.create(model="scripted-1", messages=messages, tools=[ECHO])
    other = Anthropic(default_headers=HEADERS)
    if HEADERS or "/r/" in str(other.base_url):
        asked: Any = [{"role": "user", "content": "Is that so?"}]
        other.messages.create(model="scripted-2", max_tokens=50, messages=asked)
    httpx.get(os.environ["PAGE"], headers={k: v for k, v in HEADERS.items() if k == "traceparent"})
    with clearance.Client() as client, client.run(run_id=named_run(run_id)) as run:
        run.call("read_file", lambda path: "text", {"path": "note.txt"})
    sys.stdout.write(run_id)


if __name__ == "__main__":
    main()
