"""`clearance serve`: the network doors, as a process of its own."""

from __future__ import annotations

from collections.abc import Iterator
from functools import partial
from importlib.util import find_spec
from typing import TYPE_CHECKING

import click

from clearance.cli.failures import stop
from clearance.cli.target import Target, require_local, store_option, tell_closed

if TYPE_CHECKING:
    from clearance.config import Settings

_NEEDS = ("starlette", "uvicorn")
_MISSING = "The server's packages are not installed. Install them: pip install 'clearance[server]'"


@click.command()
@click.option("--host", metavar="ADDRESS", help="Where to listen (CLEARANCE_HOST; 127.0.0.1).")
@click.option("--port", type=click.IntRange(1, 65_535), help="On which port (CLEARANCE_PORT; 8700).")
@click.option(
    "--policies",
    multiple=True,
    metavar="PATH",
    help="Policy file or directory, besides what the store holds; may be given again.",
)
@store_option
@click.pass_obj
def serve(target: Target, host: str | None, port: int | None, *, policies: tuple[str, ...]) -> None:
    """Open the doors until SIGTERM or Ctrl-C; what is under way is finished first.

    The HTTP API is always open; the model, MCP and egress proxies as far as clearance.yaml has `models`,
    `mcp` and `egress`. Changed policy files and these settings are taken up while serving.

    \b
    Example:
      clearance serve --port 8700 --policies policies/
    """
    if any(find_spec(package) is None for package in _NEEDS):
        stop(_MISSING)
    reread = partial(target.settings, host=host, port=port, policies=list(policies) or None)
    settings = reread()
    require_local(settings)
    from clearance.gateway.serve import serve as open_door
    from clearance.wiring import assemble

    assembly = assemble(settings)
    tell_closed(assembly)
    click.echo(
        f"Clearance opens http://{settings.host}:{settings.port} on the store {settings.store}", err=True
    )
    for line in _doors(settings):
        click.echo(line, err=True)
    open_door(assembly, settings, load=reread)


def _doors(settings: Settings) -> Iterator[str]:
    """What is open beside the HTTP API, and where."""
    here = f"http://{settings.host}:{settings.port}"
    if settings.models.upstreams:
        yield f"  models   {here}/openai/v1, {here}/anthropic -> {', '.join(settings.models.upstreams)}"
    for name in settings.mcp.servers:
        yield f"  mcp      {here}/mcp/{name}"
    if settings.egress.port:
        yield f"  egress   http://{settings.egress.host or settings.host}:{settings.egress.port}"
