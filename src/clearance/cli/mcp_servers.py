"""`clearance mcp list` and `tools`: what the servers of clearance.yaml say of themselves. Runs no tool."""

from __future__ import annotations

import asyncio
from importlib.util import find_spec
from typing import TYPE_CHECKING, Any

import click
from msgspec.json import decode

from clearance.cli.failures import FAILED, stop
from clearance.cli.output import json_option, say, say_json, say_table
from clearance.cli.target import Target, has_store, store_option
from clearance.core.model import PinState, ToolPin
from clearance.errors import NotFoundError, SystemUnavailableError

if TYPE_CHECKING:
    from clearance.config.mcp import McpServer
    from clearance.core.dialects.mcp_tools import ToolSeen
    from clearance.gateway.mcp_proxy.asking import SaidOfItself

_NEEDS = ("starlette", "uvicorn")
_MISSING = "The proxy's packages are not installed. Install them: pip install 'clearance[server]'"
_NONE = "No MCP servers are configured: name them under `mcp: servers:` in clearance.yaml."
_NEVER_SEEN = "new"  # no list has shown it to an agent yet


def need_packages() -> None:
    """Ends the command where the proxy's packages are missing."""
    if any(find_spec(package) is None for package in _NEEDS):
        stop(_MISSING)


@click.command("list")
@json_option
@click.pass_obj
def list_servers(target: Target, *, as_json: bool) -> None:
    """Ask each configured server who it is. A server that is a command is started for it, and ended.

    Exits 1 when one of them does not answer.

    \b
    Example:
      clearance mcp list
    """
    need_packages()
    servers = target.settings().mcp.servers
    found = asyncio.run(_ask_all(servers))
    if as_json:
        say_json({"servers": [_told(name, servers[name], answer) for name, answer in found.items()]})
    elif found:
        rows = [_row(name, servers[name], answer) for name, answer in found.items()]
        say_table(("server", "kind", "answers", "revision", "tools", "is"), rows)
    else:
        say(_NONE)
    if any(isinstance(answer, str) for answer in found.values()):
        raise click.exceptions.Exit(FAILED)


@click.command()
@click.argument("server")
@json_option
@store_option
@click.pass_obj
def tools(target: Target, /, server: str, *, as_json: bool) -> None:
    """List a server's tools as it describes them now, and whether that is what was accepted.

    \b
    Example:
      clearance mcp tools filesystem
    """
    need_packages()
    settings = target.settings().mcp.servers.get(server)
    if settings is None:
        raise NotFoundError("No MCP server of this name is configured; see `clearance mcp list`.")
    said = asyncio.run(_ask(server, settings))
    if isinstance(said, str):
        raise SystemUnavailableError(said)
    known = _pins(target, server)
    listed = [(_state(tool, known.get(tool.name)), decode(tool.definition)) for tool in said.tools]
    if as_json:
        say_json({"tools": [{"state": state, **tool} for state, tool in listed]})
    elif listed:
        say_table(("tool", "state", "says"), [(tool["name"], state, _says(tool)) for state, tool in listed])
    else:
        say("No tools.")


def _pins(target: Target, server: str) -> dict[str, ToolPin]:
    """What is known of its tools; nothing where there is no store: reading makes none."""
    if not has_store(target.settings()):
        return {}
    with target.store() as store:
        return {pin.tool: pin for pin in store.tool_pins.pins(server)}


def _state(tool: ToolSeen, pin: ToolPin | None) -> str:
    if pin is None:
        return _NEVER_SEEN
    return pin.state.value if tool.digest == (pin.seen or pin.accepted) else PinState.CHANGED.value


async def _ask_all(servers: dict[str, McpServer]) -> dict[str, SaidOfItself | str]:
    answers = await asyncio.gather(*(_ask(name, one) for name, one in servers.items()))
    return dict(zip(servers, answers, strict=True))


async def _ask(name: str, settings: McpServer) -> SaidOfItself | str:
    """What it says, or why it says nothing."""
    from clearance.gateway.mcp_proxy.asking import ask

    try:
        return await ask(name, settings)
    except SystemUnavailableError as error:
        return str(error)


def _kind(settings: McpServer) -> str:
    return "url" if settings.url else "command"


def _row(name: str, settings: McpServer, answer: SaidOfItself | str) -> tuple[str, ...]:
    if isinstance(answer, str):
        return (name, _kind(settings), "no", "", "", answer)
    is_what = f"{answer.name} {answer.version}".strip()
    return (name, _kind(settings), "yes", answer.protocol, str(len(answer.tools)), is_what)


def _told(name: str, settings: McpServer, answer: SaidOfItself | str) -> dict[str, object]:
    told: dict[str, object] = {"server": name, "kind": _kind(settings)}
    if isinstance(answer, str):
        return {**told, "answers": False, "error": answer}
    return {
        **told,
        "answers": True,
        "revision": answer.protocol,
        "name": answer.name,
        "version": answer.version,
        "tools": [tool.name for tool in answer.tools],
    }


def _says(tool: dict[str, Any]) -> str:
    """The first line of what a model reads of it."""
    return str(tool.get("description") or tool.get("title") or "").partition("\n")[0]
