"""What an error becomes on the command line: one line on stderr for each problem, and an exit code."""

from __future__ import annotations

import sys
from typing import NoReturn

import click

from clearance.cli.terminal_text import Style, paint, safe, wants_color
from clearance.errors import (
    ApprovalError,
    AuthenticationError,
    ClearanceError,
    ConfigurationError,
    IntegrityError,
    ProtocolError,
    RequestError,
    StoreError,
    SystemUnavailableError,
    UnreachableError,
)

FAILED = 1
UNREACHABLE = 3
INTERRUPTED = 130  # 128 and SIGINT, as shells report it


def exit_code(error: ClearanceError) -> int:
    """3 where nothing could be asked or read; 1 where something was, and says no."""
    unread = isinstance(error, StoreError | UnreachableError | ProtocolError | SystemUnavailableError)
    return UNREACHABLE if unread and not isinstance(error, IntegrityError) else FAILED


def tell(error: ClearanceError) -> None:
    """Print it to stderr: every problem of a configuration, one line for anything else."""
    color = wants_color(sys.stderr)
    code = error.code
    if isinstance(error, RequestError | ApprovalError | AuthenticationError):
        code = error.reason
    problems = error.problems if isinstance(error, ConfigurationError) else ()
    mark = paint(f"error [{code}]", Style.BAD, color=color)
    for text in [str(problem) for problem in problems] or [str(error)]:
        click.echo(f"{mark}: {_clean(text)}", err=True, color=color)


def stop(message: str) -> NoReturn:
    """End with exit code 1 and a line on stderr, for what is nobody's exception."""
    click.echo(_clean(message), err=True)
    raise click.exceptions.Exit(FAILED)


def _clean(text: str) -> str:
    from clearance.core import redact  # what it needs takes longer to import than most commands

    return safe(redact.clean_text(text))
