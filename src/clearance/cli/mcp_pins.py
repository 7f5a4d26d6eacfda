"""`clearance mcp pins` and `accept`: the tools of MCP servers as people accepted them. Asks no server."""

from __future__ import annotations

import difflib

import click
import msgspec

from clearance.cli.human_time import minute
from clearance.cli.output import is_colored, json_option, say, say_json, say_table
from clearance.cli.person_here import local_person
from clearance.cli.target import Target, store_option
from clearance.cli.terminal_text import Style, paint, safe
from clearance.core.model import PinState, ToolPin


@click.command()
@json_option
@store_option
@click.pass_obj
def pins(target: Target, *, as_json: bool) -> None:
    """List every tool that was ever shown to an agent, and of those that wait, what they say now.

    A tool that changed after it was accepted is not run until somebody accepts it again: its new description
    is read by a model, and may tell it to do something else.

    \b
    Example:
      clearance mcp pins
    """
    with target.store() as store:
        found = store.tool_pins.pins()
    if as_json:
        say_json({"pins": [{"state": pin.state, **msgspec.structs.asdict(pin)} for pin in found]})
        return
    if not found:
        say("No tools were seen yet.")
        return
    heads = ("server", "tool", "state", "since", "accepted by")
    say_table(heads, [_row(pin) for pin in found])
    for pin in found:
        if pin.state is not PinState.ACCEPTED:
            _say_difference(pin)


@click.command()
@click.argument("server")
@click.argument("tool")
@json_option
@store_option
@click.pass_obj
def accept(target: Target, /, server: str, tool: str, *, as_json: bool) -> None:
    """Accept a tool as it was seen last; look at it first with `clearance mcp pins`.

    \b
    Example:
      clearance mcp accept filesystem write_file
    """
    by = local_person().name
    with target.store() as store:
        pin = store.tool_pins.accept(server, tool, by=by)
    if as_json:
        say_json({"state": pin.state, **msgspec.structs.asdict(pin)})
    else:
        say(f"Accepted {safe(tool)} of {safe(server)} as it is now ({pin.accepted[:12]}).")


def _row(pin: ToolPin) -> tuple[str, ...]:
    return (pin.server, pin.tool, pin.state.value, minute(pin.seen_at or pin.since), pin.accepted_by)


def _say_difference(pin: ToolPin) -> None:
    """Line by line, what was accepted and what waits."""
    color = is_colored()
    say("")
    say(paint(f"{safe(pin.server)} {safe(pin.tool)}", Style.NAME, color=color))
    before, now = (_lines(text) for text in (pin.definition, pin.seen_definition))
    for line in difflib.unified_diff(before, now, n=1, lineterm=""):
        if line.startswith(("---", "+++", "@@")):
            continue
        style = {"+": Style.BAD, "-": Style.QUIET}.get(line[:1], Style.PLAIN)
        say("  " + paint(safe(line), style, color=color))


def _lines(definition: str) -> list[str]:
    if not definition:
        return []
    return msgspec.json.format(definition, indent=2).splitlines()
