"""`clearance serve`: the HTTP door, as a process of its own."""

from __future__ import annotations

from functools import partial
from importlib.util import find_spec

import click

from clearance.cli.failures import stop
from clearance.cli.target import Target, require_local, store_option, tell_closed

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
    """Open the HTTP door until SIGTERM or Ctrl-C; what is under way is finished first.

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
    open_door(assembly, settings, load=reread)
