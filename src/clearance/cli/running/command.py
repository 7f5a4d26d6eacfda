"""`clearance run`: starts any program behind all doors, on Linux with no other way out."""

from __future__ import annotations

import os
import re
import signal
from dataclasses import dataclass
from importlib.util import find_spec
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from clearance.cli.failures import tell
from clearance.cli.target import Target, target_options
from clearance.cli.terminal_text import safe
from clearance.errors import ClearanceError

if TYPE_CHECKING:
    from clearance.cage import Held, Isolation
    from clearance.cli.running.doors import Doors
    from clearance.config import Settings
    from clearance.sdk.backend import Backend

CANNOT = 125  # as env(1) and timeout(1): we, not the program, failed
_INTERPRETERS = re.compile(r"(python|node|deno|bun|ruby|perl|bash|sh|uv|uvx|npx|run)[\d.]*")
_WORD = re.compile(r"[\w./@][\w./@-]*")
_CAGED = "network: caged — nothing but Clearance is reachable"
_UNCAGED = "network: NOT caged ({}) — a program that ignores the proxy settings is not stopped"
_NEEDS = ("starlette", "uvicorn")
_MISSING = "A server of its own needs more packages. Install them: pip install 'clearance[server]'"


@dataclass(frozen=True, slots=True, kw_only=True)
class _Wanted:
    """This command line."""

    command: tuple[str, ...]
    isolation: Isolation
    agent: str
    goal: str
    keep: tuple[str, ...]
    hours: int


@click.command(context_settings={"ignore_unknown_options": True, "allow_interspersed_args": False})
@click.option("--agent", default="", metavar="NAME", help="Who acts (CLEARANCE_AGENT; the program's name).")
@click.option("--goal", default="", metavar="TEXT", help="What it is to do: the run's goal.")
@click.option(
    "--isolate",
    type=click.Choice(["auto", "require", "off"]),
    default="auto",
    show_default=True,
    help="Cut it off from every network but Clearance: where possible; or not start; or not at all.",
)
@click.option(
    "--keep-env", "keep", multiple=True, metavar="NAME", help="Let it have this variable, or pattern of them."
)
@click.option(
    "--hours",
    default=24,
    show_default=True,
    type=click.IntRange(1, 8_760),
    help="Its key, where one is made for it, ends after so many hours at the latest.",
)
@target_options
@click.argument("command", nargs=-1, required=True, type=click.UNPROCESSED)
@click.pass_context
def run(context: click.Context, /, *, isolate: str, command: tuple[str, ...], **options: Any) -> None:
    """Run a program with every door set for it: models, tools, and all other network.

    Works on a server with --url; without one it opens the doors itself for as long as the program runs.
    Exits with the program's code: 128 and the signal where one ended it, 127 where there is no such
    program, 126 where it cannot be executed, 125 where Clearance could not start it.

    \b
    Example:
      clearance run --goal "sort the inbox" -- python agent.py
    """
    from clearance.cage import Isolation, NotCagedError

    target: Target = context.obj
    code = CANNOT
    try:
        settings = target.settings()
        wanted = _Wanted(command=command, isolation=Isolation(isolate), **options)
        if settings.url or all(find_spec(package) is not None for package in _NEEDS):
            code = _run(settings, wanted)
        else:
            click.echo(_MISSING, err=True)
    except ClearanceError as error:
        tell(error)
    except NotCagedError as error:
        click.echo(f"error [not_caged]: the program was not started: {safe(str(error))}", err=True)
    except OSError as error:
        click.echo(f"error [cannot_start]: {safe(str(error))}", err=True)
    context.exit(code)


def _run(settings: Settings, wanted: _Wanted) -> int:
    """As a run of its own, which ends as the program does."""
    from msgspec.structs import replace

    from clearance.cli.running.certificates import bundle
    from clearance.cli.running.doors import doors
    from clearance.sdk.remote import RemoteBackend

    name = wanted.agent or settings.agent or name_of(wanted.command)
    with doors(settings, name, hours=wanted.hours) as opened, bundle(opened.ca_file) as certificates:
        backend = RemoteBackend(replace(settings, url=opened.url, api_key=opened.key))
        run_id = backend.start_run(agent=wanted.agent, goal=wanted.goal, parent_run_id="")
        click.echo(f"run: {run_id}", err=True)
        code = CANNOT
        try:
            code = _held(settings, wanted, opened, run_id=run_id, bundle=certificates).run()
        finally:
            _end(backend, run_id, code)
    return code


def _end(backend: Backend, run_id: str, code: int) -> None:
    """A server that is gone changes nothing about how the program ended."""
    from clearance.core.model import OutcomeStatus

    status = OutcomeStatus.FAILED if code else OutcomeStatus.SUCCEEDED
    try:
        backend.end_run(run_id, status=status, error=how_it_ended(code) if code else "")
    except ClearanceError as error:
        tell(error)
    finally:
        backend.close()


def _held(settings: Settings, wanted: _Wanted, opened: Doors, *, run_id: str, bundle: str) -> Held:
    """The program, ready to start, and on stderr what it is given and what keeps it in."""
    from clearance.cage import Plan, hold
    from clearance.cli.running import kept_back
    from clearance.cli.running.enclosure import walls
    from clearance.cli.running.environment import environment

    taken = kept_back.variables(os.environ, settings, keep=wanted.keep)
    given = environment(os.environ, opened, run_id, without=taken, bundle=bundle)
    plan = Plan(command=wanted.command, environment=given, walls=walls(settings, opened))
    held = hold(plan, wanted.isolation)
    if taken:
        click.echo(f"not given to it: {', '.join(map(safe, taken))}", err=True)
    click.echo(_UNCAGED.format(safe(held.why_not)) if held.why_not else _CAGED, err=True)
    return held


def name_of(command: tuple[str, ...]) -> str:
    """The program's own name, not that of what interprets it."""
    words = [Path(word).stem for word in command if _WORD.fullmatch(word)]
    own = [word for word in words if not _INTERPRETERS.fullmatch(word)]
    return (own or words or ["agent"])[0][:64]


def how_it_ended(code: int) -> str:
    """In words, for the trace."""
    try:
        return f"ended by {signal.Signals(code - 128).name}"
    except ValueError:
        return f"exit status {code}"
