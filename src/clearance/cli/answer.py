"""`clearance approve`, `clearance deny`: an answer to exactly what was displayed."""

from __future__ import annotations

import sys
from collections.abc import Callable
from typing import Any, TypeVar

import click

from clearance.cli.desk import desk, find_hold
from clearance.cli.holds import show_hold
from clearance.cli.output import json_option, say, say_json
from clearance.cli.target import Target, target_options
from clearance.core.binding import shown_hash
from clearance.core.model import AnswerKind, HoldStatus, HoldView
from clearance.errors import ApprovalError

F = TypeVar("F", bound=Callable[..., Any])
_NO_TERMINAL = "There is no terminal to ask on: read it with `clearance holds show`, then say --yes."


_argument: Callable[[F], F] = click.argument("hold", metavar="ID")
_reason: Callable[[F], F] = click.option("--reason", default="", help="Why; it stays in the record.")
_yes: Callable[[F], F] = click.option("--yes", is_flag=True, help="Do not ask for confirmation.")


@click.command()
@_argument
@_reason
@_yes
@json_option
@target_options
@click.pass_obj
def approve(target: Target, /, hold: str, *, reason: str, yes: bool, as_json: bool) -> None:
    """Say yes to a held action. Shows all of it first; the answer holds for exactly that.

    ID is a hold's id, or the beginning of one. The action runs when the agent sends it again.

    \b
    Example:
      clearance approve hold_01a1fbb0a1b8 --reason "agreed with the customer"
    """
    _answer(target, hold, AnswerKind.APPROVE, reason=reason, is_sure=yes, as_json=as_json)


@click.command()
@_argument
@_reason
@_yes
@json_option
@target_options
@click.pass_obj
def deny(target: Target, /, hold: str, *, reason: str, yes: bool, as_json: bool) -> None:
    """Say no to a held action. One no is enough.

    \b
    Example:
      clearance deny hold_01a1fbb0a1b8 --reason "wrong customer"
    """
    _answer(target, hold, AnswerKind.DENY, reason=reason, is_sure=yes, as_json=as_json)


def _answer(
    target: Target, text: str, kind: AnswerKind, *, reason: str, is_sure: bool, as_json: bool
) -> None:
    if not is_sure and (as_json or not sys.stdin.isatty()):
        raise click.UsageError(_NO_TERMINAL)
    with desk(target) as opened:
        hold = find_hold(opened, text)
        if not as_json:
            show_hold(opened, hold)
        if not is_sure:
            click.confirm(f"\n{kind.value.capitalize()} this?", abort=True)
        after = opened.answer(hold.hold_id, kind, shown=_hash_of_what_is_shown(hold), reason=reason)
    if as_json:
        say_json(after)
    else:
        say(_told(after))


def _hash_of_what_is_shown(hold: HoldView) -> str:
    """Computed from what is here, never repeated from what was told. Raises ApprovalError."""
    here = shown_hash(hold.shown)
    if here != hold.shown_hash:
        raise ApprovalError(
            "This version of Clearance cannot show all of this hold; answer it with the server's version.",
            reason="approval_mismatch",
        )
    return here


def _told(hold: HoldView) -> str:
    if hold.status is HoldStatus.APPROVED:
        return "Approved. It runs when the agent sends the same call again."
    if hold.status is HoldStatus.DENIED:
        return "Denied. It will not run."
    missing = [
        f"{asked.count - len(hold.yeses(asked))} more for {asked.policy}"
        for asked in hold.requirements
        if len(hold.yeses(asked)) < asked.count
    ]
    return f"Your yes counts. Still needed: {', '.join(missing)}."
