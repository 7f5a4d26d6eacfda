"""The `clearance demo` command: options, colours, progress, exit code. The story itself is in `story`."""

from __future__ import annotations

import sys
from pathlib import Path

import click

from clearance.cli.output import is_colored

STORE = ".clearance-demo"


@click.command("demo")
@click.option(
    "--store",
    type=click.Path(file_okay=False, path_type=Path),
    default=STORE,
    show_default=True,
    help="Where the demo's records and policies go. Another demo adds to it; no other store is touched.",
)
def demo_command(store: Path) -> None:
    """A benchmark's agent, cleared, then hijacked and stopped; a database about to be wiped; an undo.

    Plays a task of AgentDojo (github.com/ethz-spylab/agentdojo) on its simulated bank: real tool calls on
    real state, no network, no keys, and a script in the place of the language model. Then a real migration
    command and a bulk update on a real SQLite database. Exits 0 only when the clean run did its task, attack
    and command work without Clearance and were stopped with it, and the update was undone.
    """
    progress = _show if sys.stderr.isatty() else _quiet
    progress("Loading AgentDojo's environments (a few seconds)")
    try:
        from clearance.cli.demo.story import run_demo
    except ModuleNotFoundError as error:
        if (error.name or "").partition(".")[0] != "agentdojo":
            raise
        progress("")
        raise click.ClickException(
            "The demo plays on AgentDojo, which is not installed: pip install 'clearance[demo]'"
        ) from None
    if not run_demo(store, echo=click.echo, color=is_colored(), progress=progress):
        raise click.exceptions.Exit(1)


def _show(doing: str) -> None:
    """One line that the next one replaces; an empty one takes it away."""
    click.echo(f"\r\x1b[K{doing}{' …' if doing else ''}", nl=False, err=True)


def _quiet(_doing: str) -> None:
    """Without a terminal there is nobody to entertain."""
