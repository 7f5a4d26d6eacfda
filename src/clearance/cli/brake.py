"""`clearance pause|quarantine|resume|brake|break-glass|end-glass`: one line each."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import datetime
from typing import TYPE_CHECKING, Any, TypeVar

import click

from clearance.cli.output import is_colored, json_option, say, say_json, say_table
from clearance.cli.person_here import local_person
from clearance.cli.target import Target, require_store, target_options
from clearance.cli.terminal_text import Style, paint, safe
from clearance.core.model import BreakGlass, Stop, StopKind, StopLevel

if TYPE_CHECKING:
    from clearance.sdk.brake_control import BrakeControl

F = TypeVar("F", bound=Callable[..., Any])
_STOPS = ("what", "level", "until (UTC)", "by", "reason")
_GLASSES = ("emergency access", "agent", "tools", "until (UTC)", "by", "reason")
_KINDS = click.Choice([kind.value for kind in StopKind])
_UNRECORDED = "note: it holds, but the journal could not record it; a server records it when it can"

_kind = click.argument("kind", type=_KINDS)
_name = click.argument("name", default="")
_why = click.option("--reason", required=True, metavar="TEXT", help="Why: whoever finds it stopped will ask.")
_minutes = click.option(
    "--minutes", type=click.FloatRange(min=0, min_open=True), help="For so long; left out: until resumed."
)


@click.command()
@json_option
@target_options
@click.pass_obj
def brake(target: Target, *, as_json: bool) -> None:
    """List what is stopped, and which emergency access is open.

    \b
    Example:
      clearance brake
    """
    with _control(target) as control:
        stops, glasses = control.stops(), control.glasses()
    if as_json:
        say_json({"stops": stops, "glasses": glasses})
        return
    if stops:
        say_table(_STOPS, [_row(stop) for stop in stops])
    else:
        say("Nothing is stopped.")
    if glasses:
        say_table(_GLASSES, [_glass_row(glass) for glass in glasses])


@click.command()
@_kind
@_name
@_why
@_minutes
@json_option
@target_options
@click.pass_obj
def pause(target: Target, /, **given: Any) -> None:
    """Stop an agent, a team, a tool, or all: nothing of it runs until it is resumed.

    \b
    Examples:
      clearance pause agent support-bot --reason "answers nonsense"
      clearance pause all --reason "incident 42" --minutes 30
    """
    _stop(target, StopLevel.PAUSED, **given)


@click.command()
@_kind
@_name
@_why
@_minutes
@json_option
@target_options
@click.pass_obj
def quarantine(target: Target, /, **given: Any) -> None:
    """Pause, and make void what was approved and granted before. Delegations are dead while it lasts.

    \b
    Example:
      clearance quarantine agent support-bot --reason "its key leaked"
    """
    _stop(target, StopLevel.QUARANTINED, **given)


@click.command()
@_kind
@_name
@click.option("--reason", default="", metavar="TEXT", help="Why it may go on.")
@json_option
@target_options
@click.pass_obj
def resume(target: Target, /, kind: str, name: str, *, reason: str, as_json: bool) -> None:
    """Let an agent, a team, a tool, or all go on. Other stops stay.

    \b
    Example:
      clearance resume agent support-bot --reason "fixed in 1.4"
    """
    about = _about(kind, name)
    with _control(target) as control:
        lifted = control.lift(about, name, reason=reason)
        left = control.stops()
    if as_json:
        say_json({"lifted": lifted, "stops": left})
        return
    say(f"{paint('RESUMED', Style.GOOD, color=is_colored())}  {safe(_what(lifted))}")
    if left:
        say("Still stopped:")
        say_table(_STOPS, [_row(stop) for stop in left])


@click.command("break-glass")
@click.argument("agent")
@click.option(
    "--tool", "tools", multiple=True, required=True, metavar="PATTERN", help="A tool; * is any text."
)
@click.option(
    "--reason", required=True, metavar="TEXT", help="At least 10 characters. It is told and recorded."
)
@click.option(
    "--minutes", default=30.0, show_default=True, type=click.FloatRange(min=0, min_open=True, max=240)
)
@json_option
@target_options
@click.pass_obj
def break_glass(
    target: Target, /, agent: str, tools: tuple[str, ...], *, reason: str, minutes: float, as_json: bool
) -> None:
    """Emergency access: for a while, policies do not refuse this agent with these tools. It raises an alarm.

    Brakes and the bounds of credentials still hold, and so does what policies ask for beside a refusal.

    \b
    Example:
      clearance break-glass ops-bot --tool 'restart_*' --reason "checkout is down" --minutes 30
    """
    with _control(target) as control:
        glass = control.break_glass(agent, tools=tools, reason=reason, seconds=minutes * 60)
    if as_json:
        say_json(glass)
        return
    head = paint("GLASS BROKEN", Style.BAD, color=is_colored())
    say(f"{head}  agent {safe(agent)}, tools {safe(', '.join(tools))}, until {_until(glass.until)} UTC")
    say(f"End it with: clearance end-glass {glass.glass_id}")


@click.command("end-glass")
@click.argument("glass_id")
@json_option
@target_options
@click.pass_obj
def end_glass(target: Target, /, glass_id: str, *, as_json: bool) -> None:
    """End emergency access before its time.

    \b
    Example:
      clearance end-glass glass_01a1fe5947482d918594
    """
    with _control(target) as control:
        glass = control.end_glass(glass_id)
    if as_json:
        say_json(glass)
        return
    say(f"{paint('ENDED', Style.GOOD, color=is_colored())}  {safe(glass_id)}, agent {safe(glass.agent)}")


def _stop(
    target: Target,
    level: StopLevel,
    *,
    kind: str,
    name: str,
    reason: str,
    minutes: float | None,
    as_json: bool,
) -> None:
    about = _about(kind, name)
    with _control(target) as control:
        seconds = None if minutes is None else minutes * 60
        stop = control.set(about, name, level, reason=reason, seconds=seconds)
        if control.unrecorded:
            click.echo(_UNRECORDED, err=True)
    if as_json:
        say_json(stop)
        return
    head = paint(level.value.upper(), Style.BAD, color=is_colored())
    ends = f"until {_until(stop.until)} UTC" if stop.until else "until resumed"
    say(f"{head}  {safe(_what(stop))}, {ends}")
    say(f"Let it go on with: clearance resume {safe(_argument(stop))}")


def _about(kind: str, name: str) -> StopKind:
    about = StopKind(kind)
    if about is StopKind.ALL and name:
        raise click.UsageError("`all` takes no name: it stops everything. To stop one, name its kind.")
    if about is not StopKind.ALL and not name:
        raise click.UsageError(f"Which {kind}? Name it: clearance pause {kind} NAME")
    return about


@contextmanager
def _control(target: Target) -> Iterator[BrakeControl]:
    """The brake of a server, or of the store alone: no policy has to compile for somebody to be stopped."""
    from clearance.cli.brake_alone import brake_alone
    from clearance.sdk.brake_control import LocalControl, RemoteControl

    settings = target.settings()
    if settings.url:
        from clearance.sdk.remote import RemoteBackend

        with target.backend() as backend:
            assert isinstance(backend, RemoteBackend)
            yield RemoteControl(backend.ask)
        return
    require_store(settings)
    with brake_alone(settings) as alone:
        yield LocalControl(alone, local_person().name)


def _what(stop: Stop) -> str:
    return "EVERYTHING" if stop.kind is StopKind.ALL else f"{stop.kind.value} {stop.name}"


def _argument(stop: Stop) -> str:
    return "all" if stop.kind is StopKind.ALL else f"{stop.kind.value} {stop.name}"


def _until(at: datetime | None) -> str:
    return f"{at:%Y-%m-%d %H:%M:%S}" if at else "resumed"


def _row(stop: Stop) -> tuple[str, ...]:
    return (_what(stop), stop.level.value.upper(), _until(stop.until), stop.by, stop.reason)


def _glass_row(glass: BreakGlass) -> tuple[str, ...]:
    return (glass.glass_id, glass.agent, ", ".join(glass.tools), _until(glass.until), glass.by, glass.reason)
