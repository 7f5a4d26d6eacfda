"""The MCP proxy's part of clearance.yaml: which servers stand behind it."""

from __future__ import annotations

from typing import Annotated

from msgspec import Meta, Struct

ServerName = Annotated[str, Meta(min_length=1, max_length=32, pattern=r"^[A-Za-z0-9][A-Za-z0-9-]*$")]


class McpServer(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """One MCP server: a `command` that is started and spoken to on stdio, or the `url` of a running one.

    `env` and `headers` may hold `${NAME}`, replaced from the environment; nothing else of ours reaches it.
    """

    command: tuple[str, ...] = ()
    env: dict[str, str] = {}
    directory: str = ""
    url: str = ""
    headers: dict[str, str] = {}
    environment: str = ""  # where its tools work: production, staging, sandbox
    trust: str = "untrusted"  # what is said of its results: trusted, untrusted
    timeout_seconds: Annotated[float, Meta(gt=0, le=3600)] = 60.0


class McpSettings(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """The `mcp:` mapping. Each server is at `/mcp/NAME`; all of them, tools as `NAME__tool`, at `/mcp`."""

    servers: dict[ServerName, McpServer] = {}
