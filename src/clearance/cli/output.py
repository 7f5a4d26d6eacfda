"""How commands answer: JSON for scripts, tables for people. Every text from outside is neutralised here."""

from __future__ import annotations

import shutil
import sys
from collections.abc import Callable, Sequence
from typing import Any, TypeVar

import click
import msgspec

from clearance.cli.terminal_text import Style, columns, cut, paint, safe, wants_color

F = TypeVar("F", bound=Callable[..., Any])
_WIDTH = 100  # columns, where there is no terminal to ask
_GAP = "  "
_LEAST = 24  # columns for a table's last column, however narrow the terminal

json_option: Callable[[F], F] = click.option("--json", "as_json", is_flag=True, help="Answer in JSON.")


def is_colored() -> bool:
    """Whether stdout takes colours."""
    return wants_color(sys.stdout)


def width() -> int:
    """Columns of the terminal, or of COLUMNS."""
    return shutil.get_terminal_size((_WIDTH, 24)).columns


def say(text: str) -> None:
    """One text to stdout. It is neutralised already, and painted or not."""
    click.echo(text, color=is_colored())


def say_json(value: Any) -> None:
    """One JSON document, for people to look at too."""
    click.echo(msgspec.json.format(msgspec.json.encode(value), indent=2).decode())


def say_table(heads: Sequence[str], rows: Sequence[Sequence[str]], *, loud: Sequence[str] = ()) -> None:
    """Rows under heads; the last column takes what room is left. `loud` heads stand out where not 0."""
    cells = [[safe(cell) for cell in row] for row in rows]
    sizes = [max(map(columns, column)) for column in zip(heads, *cells, strict=True)]
    room = width() - sum(sizes[:-1]) - len(_GAP) * (len(sizes) - 1)
    sizes[-1] = min(sizes[-1], max(room, _LEAST))
    color = is_colored()
    say(paint(_line(heads, sizes), Style.QUIET, color=color))
    for row in cells:
        styles = [
            Style.BAD if head in loud and cell != "0" else Style.PLAIN
            for head, cell in zip(heads, row, strict=True)
        ]
        say(_line(row, sizes, styles=styles, color=color))


def _line(
    cells: Sequence[str], sizes: Sequence[int], *, styles: Sequence[Style] = (), color: bool = False
) -> str:
    styles = styles or [Style.PLAIN] * len(cells)
    texts = []
    for cell, size, style in zip(cells, sizes, styles, strict=True):
        shown = cut(cell, size)
        texts.append(paint(shown, style, color=color) + " " * (size - columns(shown)))
    return _GAP.join(texts).rstrip()
