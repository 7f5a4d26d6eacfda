"""Asks for a password: unseen at a terminal, or one line of stdin. Keeps none."""

from __future__ import annotations

import sys
from collections.abc import Callable
from typing import Any, TypeVar

import click

F = TypeVar("F", bound=Callable[..., Any])
stdin_option: Callable[[F], F] = click.option(
    "--password-stdin", "from_stdin", is_flag=True, help="Read the password from stdin, one line."
)


def new_password(*, from_stdin: bool) -> str:
    """Asked for twice."""
    if from_stdin:
        return _line()
    told: str = click.prompt("Password", hide_input=True, confirmation_prompt=True, err=True)
    return told


def known_password(*, from_stdin: bool) -> str:
    """Asked for once."""
    if from_stdin:
        return _line()
    told: str = click.prompt("Password", hide_input=True, err=True)
    return told


def _line() -> str:
    return sys.stdin.readline().rstrip("\r\n")
