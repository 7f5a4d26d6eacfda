"""`clearance mcp wrap`: what an MCP client starts in place of its server."""

from __future__ import annotations

import asyncio
import logging
import re
import sys
from collections.abc import Sequence
from pathlib import PurePath

import click

from clearance.cli.mcp_servers import need_packages
from clearance.cli.target import Target, target_options, tell_closed
from clearance.config.mcp import McpServer
from clearance.config.settings import Settings

_AGENT = "mcp"
_LONGEST_SECONDS = 3_600.0  # the client has its own patience; this one only ends what is forgotten
_RUNNERS = frozenset(
    {"npx", "uvx", "uv", "bunx", "bun", "pnpm", "deno", "node", "docker", "run", "exec", "tool"}
)
_PYTHON = re.compile(r"python[0-9.]*$|pypy[0-9.]*$")
_SAYS_NOTHING = frozenset({"index", "main", "__main__", "server", "dist", "build", "src", "bin", "/"})
_ENDS = re.compile(r"^(mcp-server-|server-|mcp-)|(-mcp-server|-mcp|-server)$")


@click.command()
@click.argument("command", nargs=-1, type=click.UNPROCESSED)
@click.option(
    "--server", "name", metavar="NAME", help="What policies call it; one of clearance.yaml, or a new name."
)
@click.option("--agent", metavar="NAME", help="Who acts (CLEARANCE_AGENT; mcp).")
@click.option(
    "--env",
    "passed",
    multiple=True,
    metavar="NAME",
    help="A variable that the server sees too; may be given again.",
)
@click.option(
    "--run",
    "run_id",
    metavar="ID",
    envvar="CLEARANCE_RUN_ID",
    default="",
    help="The run to join (CLEARANCE_RUN_ID); else one of its own.",
)
@click.option(
    "--policies",
    multiple=True,
    metavar="PATH",
    help="Policy file or directory, besides what the store holds; may be given again.",
)
@target_options
@click.pass_obj
def wrap(
    target: Target,
    /,
    command: tuple[str, ...],
    *,
    name: str | None,
    agent: str | None,
    passed: tuple[str, ...],
    run_id: str,
    policies: tuple[str, ...],
) -> None:
    """Put Clearance between an MCP client and its server: every message of either is judged on its way.

    In the client's configuration, write `clearance mcp wrap --` before the server's own command. Give a store
    that does not depend on the directory the client starts it in: --store, or CLEARANCE_STORE.

    The server sees PATH, HOME, LANG, TMPDIR and what --env names, nothing else of the environment. Policies
    know a tool as SERVER__TOOL. With --url the servers are those of the control point there, and no command
    is given; without --server it is all of them.

    Exits 0 when the client closes its end, or at SIGTERM or Ctrl-C; 3 when the server cannot be started or
    ends by itself, or the store cannot be opened.

    \b
    Examples:
      clearance mcp wrap --store ~/.clearance -- npx -y @modelcontextprotocol/server-filesystem /data
      clearance mcp wrap --server git --agent coder --env GIT_AUTHOR_NAME -- uvx mcp-server-git
      clearance mcp wrap --url https://clearance.internal:8700 --server git
    """
    need_packages()
    settings = target.settings(policies=list(policies) or None)
    logging.basicConfig(stream=sys.stderr, level=logging.INFO, format="clearance: %(message)s")
    logging.getLogger("httpx").setLevel(logging.WARNING)
    if settings.url:
        _bridge(settings, name or "", command, run_id)
        return
    name, server = _server(settings, name, command, passed)
    from clearance.gateway.mcp_proxy.wrap import wrap as wrapped
    from clearance.wiring import assemble

    assembly = assemble(settings)
    try:
        tell_closed(assembly)
        click.echo(f"clearance: policies know these tools as {name}__TOOL; store {settings.store}", err=True)
        asyncio.run(wrapped(assembly, name, server, agent=agent or settings.agent or _AGENT, run_id=run_id))
    finally:
        assembly.close()


def _bridge(settings: Settings, name: str, command: Sequence[str], run_id: str) -> None:
    if command:
        raise click.UsageError(
            "With a control point elsewhere, its servers are meant: give --server NAME, and no command. To"
            " judge a server that is started here by the store here, give --store DIR."
        )
    from clearance.gateway.mcp_proxy.bridge import bridge

    asyncio.run(bridge(settings, name, run_id=run_id))


def _server(
    settings: Settings, name: str | None, command: Sequence[str], passed: Sequence[str]
) -> tuple[str, McpServer]:
    """Its name and how it is started. Raises UsageError."""
    if not command:
        known = settings.mcp.servers.get(name or "")
        if known is None or not known.command:
            raise click.UsageError(
                "Give the server's own command after `--`, or with --server the name of one that has a"
                " `command` under `mcp:` in clearance.yaml."
            )
        return name or "", known
    env = {variable: f"${{{variable}}}" for variable in passed}
    named = name or name_of(command)
    if not re.fullmatch(r"[A-Za-z0-9][A-Za-z0-9-]{0,31}", named):
        raise click.UsageError("Give the server a name of letters, digits and `-`: --server NAME.")
    settled = settings.mcp.servers.get(named, McpServer(timeout_seconds=_LONGEST_SECONDS))
    from msgspec.structs import replace

    return named, replace(settled, command=tuple(command), env={**settled.env, **env}, url="")


def name_of(command: Sequence[str]) -> str:
    """What a server is probably called: `npx -y @scope/server-filesystem@1.2 /data` is `filesystem`."""
    for word in command:
        if word.startswith("-") or PurePath(word).name in _RUNNERS or _PYTHON.match(PurePath(word).name):
            continue
        telling = [part for part in PurePath(word).parts if part.partition(".")[0] not in _SAYS_NOTHING]
        bare = re.sub(r"(?<=.)[@:=].*$|\.\w+$", "", telling[-1] if telling else "").replace("_", "-")
        return re.sub(r"[^A-Za-z0-9-]", "-", _ENDS.sub("", bare))[:32].strip("-")
    return ""
