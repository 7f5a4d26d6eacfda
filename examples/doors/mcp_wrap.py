"""An MCP client of the official SDK whose server is wrapped: one line of its configuration is another.

pip install mcp
python mcp_wrap.py
"""

import asyncio

from mcp import Client
from mcp.client.stdio import StdioServerParameters

SERVER = StdioServerParameters(
    command="clearance",  # was: command="python", args=["notes_server.py"]
    args=["mcp", "wrap", "--server", "notes", "--agent", "editor"],
)


async def main() -> None:
    async with Client(SERVER) as notes:
        print("tools:  ", ", ".join(tool.name for tool in (await notes.list_tools()).tools))
        for name in ("read_note", "delete_note"):
            result = await notes.call_tool(name, {"number": "1"})
            print("refused:" if result.is_error else "note:   ", result.content[0].text)


if __name__ == "__main__":
    asyncio.run(main())
