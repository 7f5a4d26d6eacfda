"""One side of a comparison: a generator in a process of its own, which measures one round when asked.

Ours and the peer's go through this same file. Lines of JSON in and out; a side's own prints go to stderr.
"""

from __future__ import annotations

import importlib
import json
import os
import subprocess
import sys
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Self, TextIO

from benchmarks.harness.result import ROOT

Round = dict[str, Any]


class ContenderError(RuntimeError):
    """A side died or could not start; the message ends with what it said last."""


@dataclass(frozen=True, slots=True)
class Side:
    """`generator` is named `module:function` below `benchmarks.claims`; `options` are its arguments."""

    python: Path
    generator: str
    options: Mapping[str, Any]


class Contender:
    """A running side. Use as a context manager; leaving it lets the generator clean up."""

    def __init__(self, side: Side, log: TextIO) -> None:
        self._side = side
        self._log = log
        command = [str(side.python), "-W", "ignore", "-m", "benchmarks.harness.contender"]
        self._process = subprocess.Popen(
            [*command, side.generator, json.dumps(dict(side.options))],
            cwd=ROOT,
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=log,
            text=True,
        )

    @property
    def pid(self) -> int:
        return self._process.pid

    def round(self) -> Round:
        """Measure once more. Raises ContenderError."""
        assert self._process.stdin is not None
        assert self._process.stdout is not None
        try:
            self._process.stdin.write("\n")
            self._process.stdin.flush()
            line = self._process.stdout.readline()
        except BrokenPipeError:
            line = ""
        if not line:
            raise ContenderError(f"{self._side.generator} ended early; see {self._log.name}")
        measured: Round = json.loads(line)
        return measured

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self._process.communicate()


def interleave(ours: Contender, peer: Contender, rounds: int) -> tuple[list[Round], list[Round]]:
    """Each side's rounds, taken in turns; whoever begins changes, so that a drift hits both alike."""
    measured: dict[int, list[Round]] = {0: [], 1: []}
    for index in range(rounds):
        for which in (0, 1) if index % 2 == 0 else (1, 0):
            measured[which].append((ours, peer)[which].round())
    return measured[0], measured[1]


def _serve(name: str, options: dict[str, Any]) -> None:
    answers = os.fdopen(os.dup(sys.stdout.fileno()), "w")
    os.dup2(sys.stderr.fileno(), sys.stdout.fileno())
    module, _, function = name.partition(":")
    side: Iterator[Round] = getattr(importlib.import_module(f"benchmarks.claims.{module}"), function)(
        **options
    )
    try:
        for _line in sys.stdin:
            answers.write(json.dumps(next(side)) + "\n")
            answers.flush()
    finally:
        side.close()  # type: ignore[attr-defined]


if __name__ == "__main__":
    _serve(sys.argv[1], json.loads(sys.argv[2]))
