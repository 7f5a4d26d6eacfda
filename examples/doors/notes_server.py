"""An MCP server with two tools, of the official SDK (pip install mcp). It knows nothing of Clearance."""

from mcp.server.mcpserver import MCPServer

server = MCPServer("notes")
NOTES = {"1": "Call ann@shop.example about the printer."}


@server.tool()
def read_note(number: str) -> str:
    """Read a note."""
    return NOTES[number]


@server.tool()
def delete_note(number: str) -> str:
    """Delete a note."""
    return f"deleted: {NOTES.pop(number)}"


if __name__ == "__main__":
    server.run("stdio")
