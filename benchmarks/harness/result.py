"""One measured row and its target, and the file that keeps them."""

from __future__ import annotations

import json
import operator
from collections.abc import Callable, Iterable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

ROOT = Path(__file__).parents[2]
RESULTS = ROOT / "benchmarks" / "results.json"


@dataclass(frozen=True, slots=True)
class Target:
    """What a row must reach. `holds` is told our figure and the peer's."""

    text: str
    holds: Callable[[float, float | None], bool]


def at_most(limit: float) -> Target:
    return Target(f"≤ {limit:g}", lambda ours, _: ours <= limit)


def at_least(limit: float) -> Target:
    return Target(f"≥ {limit:g}", lambda ours, _: ours >= limit)


def beats_peer(*, higher_is_better: bool = False) -> Target:
    """Strictly better than the peer in the same run."""
    better = operator.gt if higher_is_better else operator.lt
    return Target("beats the peer", lambda ours, peer: peer is not None and better(ours, peer))


def at_least_times(times: float) -> Target:
    """So many times the peer's figure, which has to be there."""
    return Target(f"≥ {times:g} × the peer", lambda ours, peer: bool(peer) and ours >= times * (peer or 0))


@dataclass(frozen=True, slots=True, kw_only=True)
class Result:
    """One row. `claim` is `name/what`, where `name` is the claim's file.

    `ratio` says how many times better than the peer we are, whichever way the unit runs: above 1, ours is.
    """

    claim: str
    ours: float
    unit: str
    peer: float | None = None
    peer_name: str = ""
    target: Target | None = None
    higher_is_better: bool = False
    conditions: dict[str, Any] = field(default_factory=dict)

    @property
    def met(self) -> bool | None:
        return None if self.target is None else self.target.holds(self.ours, self.peer)

    @property
    def ratio(self) -> float | None:
        if self.peer is None or not self.peer or not self.ours:
            return None
        return self.ours / self.peer if self.higher_is_better else self.peer / self.ours

    def row(self, machine: dict[str, Any]) -> dict[str, Any]:
        """The form of the results file."""
        return {
            "claim": self.claim,
            "ours": _rounded(self.ours),
            "peer": _rounded(self.peer),
            "peer_name": self.peer_name,
            "unit": self.unit,
            "ratio": _rounded(self.ratio),
            "target": None if self.target is None else self.target.text,
            "met": self.met,
            "conditions": {**machine, **self.conditions},
        }


def read_rows() -> list[dict[str, Any]]:
    """Every row of the results file, in its order."""
    rows: list[dict[str, Any]] = json.loads(RESULTS.read_text(encoding="utf-8")) if RESULTS.exists() else []
    return rows


def write_rows(rows: Iterable[dict[str, Any]]) -> None:
    """Replace the results file whole."""
    text = json.dumps(list(rows), indent=2, ensure_ascii=False)
    RESULTS.write_text(f"{text}\n", encoding="utf-8")


def claim_of(row: dict[str, Any]) -> str:
    """The claim's file that a row came from."""
    name: str = row["claim"].partition("/")[0]
    return name


def _rounded(value: float | None) -> float | None:
    """Four significant digits: more than any of this repeats to."""
    return None if value is None else float(f"{value:.4g}")
