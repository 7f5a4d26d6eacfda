"""`clearance mcp`: MCP servers wrapped on stdio, listed, and what is known of their tools."""

from __future__ import annotations

import click

from clearance.cli.lazy_group import LazyGroup, Row

_ROWS = {
    "wrap": Row("clearance.cli.mcp_wrap:wrap", "Put Clearance between an MCP client and its server."),
    "list": Row("clearance.cli.mcp_servers:list_servers", "List the configured servers; ask each one."),
    "tools": Row("clearance.cli.mcp_servers:tools", "List a server's tools, and which of them may run."),
    "pins": Row("clearance.cli.mcp_pins:pins", "List accepted tools, and what changed since."),
    "accept": Row("clearance.cli.mcp_pins:accept", "Accept a tool as it is now."),
}


@click.group(cls=LazyGroup, rows=_ROWS)
def mcp() -> None:
    """Put Clearance between MCP clients and the servers whose tools they use.

    \b
    Examples:
      clearance mcp wrap -- npx -y @modelcontextprotocol/server-filesystem /data
      clearance mcp pins
      clearance mcp accept filesystem write_file
    """
