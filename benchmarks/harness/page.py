"""The results as tables: in Markdown between the markers of docs/benchmarks.md, and plain for a terminal."""

from __future__ import annotations

from itertools import groupby
from typing import Any

from benchmarks.harness.result import ROOT, claim_of

PAGE = ROOT / "docs" / "benchmarks.md"
BEGIN = "<!-- results: written by make bench -->"
END = "<!-- end of results -->"
_COLUMNS = ("Measured", "Clearance", "Peer", "Unit", "Times better", "Target", "Met")
_MET = {True: "yes", False: "**no**", None: ""}


def update(rows: list[dict[str, Any]]) -> None:
    """Put the rows between the page's markers."""
    text = PAGE.read_text(encoding="utf-8")
    before, after = text.partition(BEGIN)[0], text.partition(END)[2]
    PAGE.write_text(f"{before}{BEGIN}\n\n{markdown(rows)}\n\n{END}{after}", encoding="utf-8")


def published() -> str:
    """What stands between the page's markers."""
    return PAGE.read_text(encoding="utf-8").partition(BEGIN)[2].partition(END)[0].strip()


def markdown(rows: list[dict[str, Any]]) -> str:
    """One section for each claim: its table, then its conditions."""
    return "\n\n".join(_section(name, list(group)) for name, group in groupby(rows, key=claim_of))


def plain(rows: list[dict[str, Any]]) -> str:
    """One aligned table."""
    table = [("Claim", *_COLUMNS[1:]), *((row["claim"], *_cells(row)) for row in rows)]
    widths = [max(len(line[column]) for line in table) for column in range(len(_COLUMNS))]
    return "\n".join(
        "  ".join(cell.ljust(width) for cell, width in zip(line, widths, strict=True)).rstrip()
        for line in table
    )


def _section(name: str, rows: list[dict[str, Any]]) -> str:
    what = [row["claim"].partition("/")[2].replace("_", " ") for row in rows]
    lines = [_line(_COLUMNS), _line(["---"] * len(_COLUMNS))]
    lines += [_line([label, *_cells(row)]) for label, row in zip(what, rows, strict=True)]
    peers = ", ".join(sorted({row["peer_name"] for row in rows if row["peer_name"]}))
    shared = {key: value for key, value in rows[0]["conditions"].items() if _is_shared(key, value, rows)}
    told = "; ".join(f"{key.replace('_', ' ')} {_told(value)}" for key, value in shared.items())
    notes = sorted({row["conditions"]["note"] for row in rows if "note" in row["conditions"]})
    said = [f"Peer: {peers}. Conditions: {told}.", *(f"Not measured: {note}." for note in notes)]
    return "\n".join([f"### {name}", "", *lines, "", " ".join(said)])


def _cells(row: dict[str, Any]) -> list[str]:
    numbers = ["" if row[key] is None else f"{row[key]:,g}" for key in ("ours", "peer", "ratio")]
    return [numbers[0], numbers[1], row["unit"], numbers[2], row["target"] or "", _MET[row["met"]]]


def _is_shared(key: str, value: Any, rows: list[dict[str, Any]]) -> bool:
    return all(row["conditions"].get(key) == value for row in rows)


def _told(value: Any) -> str:
    if isinstance(value, dict):
        return ", ".join(f"{key}: {one}" for key, one in value.items())
    return f"{value:,}" if isinstance(value, int) else str(value)


def _line(cells: Any) -> str:
    return f"| {' | '.join(cells)} |"
