"""`clearance store`: proof, size and retention of the store itself.

Opens the journal alone: a store whose policies cannot be read can still be verified.
"""

from __future__ import annotations

import sys
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import timedelta
from pathlib import Path

import click
from msgspec import Struct

from clearance.adapters.store import SqliteJournal
from clearance.cli.failures import FAILED
from clearance.cli.output import is_colored, json_option, say, say_json
from clearance.cli.target import Target, require_local, require_store, store_option
from clearance.cli.terminal_text import Style, duration, paint, safe
from clearance.ports import RecordQuery, Verification
from clearance.wiring import utc_now

_TICK_SECONDS = 0.2


class Status(Struct, frozen=True, kw_only=True):
    """`records` counts every record ever written, pruned ones too; `bytes` is what the files take."""

    directory: str
    segments: int
    oldest: str
    newest: str
    records: int
    bytes: int
    in_flight: int


@click.group()
def store() -> None:
    """Verify, measure and prune the store itself.

    \b
    Example:
      clearance store verify
    """


@store.command()
@json_option
@store_option
@click.pass_obj
def verify(target: Target, *, as_json: bool) -> None:
    """Read every record and recompute every hash. Exits 1 when anything does not fit.

    The head is the chain's last hash: keep it elsewhere, and a cut-off tail is noticed too.

    \b
    Example:
      clearance store verify --json
    """
    with _journal(target) as (_, journal), _clock("verifying"):
        found = journal.verify()
    if as_json:
        say_json(found)
    else:
        _show(found)
    if found.problems:
        raise click.exceptions.Exit(FAILED)


@store.command()
@json_option
@store_option
@click.pass_obj
def status(target: Target, *, as_json: bool) -> None:
    """Show the store's directory, files, records, size, and the actions in flight.

    \b
    Example:
      clearance store status
    """
    with _journal(target) as (directory, journal):
        newest = journal.search(RecordQuery(limit=1))
        in_flight = len(journal.in_flight())
    found = _status(directory, records=newest[0].position if newest else 0, in_flight=in_flight)
    if as_json:
        say_json(found)
        return
    say(f"directory  {safe(found.directory)}")
    say(
        f"segments   {found.segments} ({found.oldest} to {found.newest})"
        if found.segments
        else "segments   0"
    )
    say(f"records    {found.records}")
    say(f"size       {found.bytes / 1e6:.1f} MB")
    say(f"in flight  {found.in_flight}")


@store.command()
@click.option("--keep-days", required=True, type=click.IntRange(1), help="Days to keep, today not counted.")
@json_option
@store_option
@click.pass_obj
def prune(target: Target, *, keep_days: int, as_json: bool) -> None:
    """Remove the files of whole days that are older. The newest file always stays.

    \b
    Example:
      clearance store prune --keep-days 90
    """
    day = (utc_now() - timedelta(days=min(keep_days, 36_500))).date()
    with _journal(target) as (_, journal):
        dropped = journal.drop_before(day)
    if as_json:
        say_json({"dropped": dropped})
    else:
        say("\n".join(f"dropped {name}" for name in dropped) or f"Nothing is older than {day}.")


@contextmanager
def _journal(target: Target) -> Iterator[tuple[Path, SqliteJournal]]:
    settings = target.settings()
    require_local(settings)
    require_store(settings)
    directory = Path(settings.store)
    journal = SqliteJournal(directory)
    try:
        yield directory, journal
    finally:
        journal.close()


@contextmanager
def _clock(text: str) -> Iterator[None]:
    """A running clock on stderr, as long as a terminal looks on."""
    if not sys.stderr.isatty():
        yield
        return
    done, begun = threading.Event(), time.monotonic()

    def tick() -> None:
        while not done.wait(_TICK_SECONDS):
            click.echo(f"\r{text} {duration(time.monotonic() - begun)} ", nl=False, err=True)
        click.echo("\r\x1b[K", nl=False, err=True)

    ticking = threading.Thread(target=tick, daemon=True)
    ticking.start()
    try:
        yield
    finally:
        done.set()
        ticking.join()


def _show(found: Verification) -> None:
    color = is_colored()
    for problem in found.problems:
        say(paint(safe(problem), Style.BAD, color=color))
    verdict, style = ("BROKEN", Style.BAD) if found.problems else ("sound", Style.GOOD)
    say(f"{paint(verdict, style, color=color)}: records {found.records}, runs {found.runs}")
    say(f"head {found.head}")


def _status(directory: Path, *, records: int, in_flight: int) -> Status:
    segments = sorted(path.stem for path in directory.glob("journal/????-??-??.db"))
    return Status(
        directory=str(directory.resolve()),
        segments=len(segments),
        oldest=segments[0] if segments else "",
        newest=segments[-1] if segments else "",
        records=records,
        bytes=sum(path.stat().st_size for path in directory.rglob("*") if path.is_file()),
        in_flight=in_flight,
    )
