"""The second act told: the trace, then before and after as a table. Plays nothing."""

from __future__ import annotations

import shlex
from collections.abc import Iterator

from clearance.cli.demo.incident.act import COMMAND, MISTAKE, Incident
from clearance.cli.demo.incident.database import State
from clearance.cli.terminal_text import Style, columns, fold, paint, safe
from clearance.cli.trace_tree import render

_HEADS = ("", "companies", "executives", "domains in their addresses")
_GONE = "gone"


def lines(told: Incident, *, color: bool, width: int) -> Iterator[str]:
    """Every line of the act after its title."""
    yield from fold(
        f"Real: a SQLite database of {told.before.companies:,} companies and {told.before.executives:,} "
        "executives, a real Alembic, every count and every byte. Scripted: the agent, which decides to start "
        f"over, as agents have on production databases: `{COMMAND}`. Then it makes a mistake: {MISTAKE}",
        width,
    )
    yield ""
    yield render(told.trace, color=color, width=width)
    yield ""
    yield from _table(told, color=color)
    yield ""
    yield _verdict(told.control.is_wiped, "Without Clearance the command wipes the database", color=color)
    yield _verdict(bool(told.refusal), "With Clearance it did not run", color=color)
    yield _verdict(
        told.undone.status.value == "restored" and told.same_rows,
        f"The update of {told.changed:,} rows was let through, counted before COMMIT, and undone: every row "
        "is as it was",
        color=color,
    )
    yield ""
    yield "  the undo, from the command line (again is no harm)"
    yield f"    cd {shlex.quote(str(told.store))} && clearance rollback {told.action_id}"


def _table(told: Incident, *, color: bool) -> Iterator[str]:
    moments = (
        ("before", told.before),
        ("a copy, after the command without Clearance", told.control),
        ("after the command with Clearance", told.after_command),
        ("after the update", told.after_update),
        ("after the undo", told.after_undo),
    )
    rows = [(name, *_cells(state)) for name, state in moments]
    sizes = [max(map(columns, column)) for column in zip(_HEADS, *rows, strict=True)]
    yield paint(_line(_HEADS, sizes), Style.QUIET, color=color)
    for (_, state), row in zip(moments, rows, strict=True):
        yield paint(_line(row, sizes), Style.PLAIN if state == told.before else Style.BAD, color=color)


def _cells(state: State) -> tuple[str, ...]:
    numbers = (state.companies, state.executives, state.domains)
    return tuple(_GONE if number is None else f"{number:,}" for number in numbers)


def _line(cells: tuple[str, ...], sizes: list[int]) -> str:
    first, *rest = (safe(cell) for cell in cells)
    return "  ".join(
        [f"{first:<{sizes[0]}}", *(f"{cell:>{size}}" for cell, size in zip(rest, sizes[1:], strict=True))]
    )


def _verdict(holds: object, what: str, *, color: bool) -> str:
    mark, style = ("✓", Style.GOOD) if holds else ("✗", Style.BAD)
    return f"{paint(mark, style, color=color)} {what}"
