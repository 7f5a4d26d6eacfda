"""The options that describe one action, for `check` and `policy explain`, and the ActionCall they make."""

from __future__ import annotations

import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any, TypeVar

import click
import msgspec

from clearance.cli.choices import choice_of
from clearance.core.model import ActionCall, Environment, Operation
from clearance.sdk.call import action_call

F = TypeVar("F", bound=Callable[..., Any])


def json_object(value: str) -> dict[str, Any]:
    """`{"a": 1}`, `@file`, or `-` for stdin. Raises BadParameter."""
    try:
        return msgspec.json.decode(_text(value), type=dict[str, Any])
    except OSError as error:
        raise click.BadParameter(f"{value[1:]!r} cannot be read ({type(error).__name__}).") from None
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError):
        raise click.BadParameter("this is no JSON object; write one, or @file, or - for stdin.") from None


def _text(value: str) -> str | bytes:
    if value == "-":
        return sys.stdin.buffer.read()
    return Path(value[1:]).read_bytes() if value.startswith("@") else value


_OPTIONS = (
    click.option("--resource", multiple=True, metavar="R", help="What it touches; may be given again."),
    click.option(
        "--payload",
        type=json_object,
        metavar="JSON|@file|-",
        help="Your own description; its numbers count as facts (record_count).",
    ),
    click.option(
        "--arguments",
        type=json_object,
        metavar="JSON|@file|-",
        help="The tool's arguments.",
    ),
    click.option("--facts", type=json_object, metavar="JSON|@file|-", help="What you vouch for, by name."),
    click.option("--operation", type=choice_of(Operation), help="The verb, where the name does not tell."),
    click.option("--environment", type=choice_of(Environment), help="Where it happens."),
    click.option("--agent", metavar="NAME", help="Who acts (CLEARANCE_AGENT); a server takes the key's own."),
)


def action_options(command: F) -> F:
    """Everything about an action but its name."""
    for option in reversed(_OPTIONS):
        command = option(command)
    return command


def call_of(action: str, *, resource: tuple[str, ...], agent: str, **described: Any) -> ActionCall:
    """Raises RequestError for what cannot be judged."""
    return action_call(action, resource, agent=agent, **described)
