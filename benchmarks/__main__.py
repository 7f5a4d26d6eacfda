"""`python -m benchmarks [CLAIM ...]`: measure, write results.json, put the table into docs/benchmarks.md."""

from __future__ import annotations

import argparse
import importlib
import json
import pkgutil
import sys
import traceback
from typing import Any

from benchmarks import claims
from benchmarks.harness import Bench, page
from benchmarks.harness.machine import conditions, weather
from benchmarks.harness.result import RESULTS, ROOT, claim_of, read_rows, write_rows


def main() -> int:
    """0: everything was measured. 1: something could not be, or `--strict` and a target was missed."""
    known = sorted(module.name for module in pkgutil.iter_modules(claims.__path__))
    parser = argparse.ArgumentParser(prog="python -m benchmarks", description=__doc__)
    parser.add_argument("claim", nargs="*", metavar="CLAIM", help=f"one of: {', '.join(known)}; none: all")
    parser.add_argument("--list", action="store_true", help="list the claims and measure nothing")
    parser.add_argument("--json", action="store_true", help="print the results as JSON instead of a table")
    parser.add_argument("--strict", action="store_true", help="exit 1 when a target is missed")
    asked = parser.parse_args()
    if unknown := sorted(set(asked.claim) - set(known)):
        parser.error(f"no such claim: {', '.join(unknown)}; known: {', '.join(known)}")
    if asked.list:
        for name in known:
            print(f"{name:12} {_about(name)}")
        return 0
    measured, failed = _measure_all(asked.claim or known)
    _keep(measured, known)
    print(json.dumps(measured, indent=2, ensure_ascii=False) if asked.json else page.plain(measured))
    return _verdict(measured, failed, strict=asked.strict)


def _measure_all(names: list[str]) -> tuple[list[dict[str, Any]], list[str]]:
    """Every row, and the claims that could not be measured."""
    rows: list[dict[str, Any]] = []
    failed: list[str] = []
    for number, name in enumerate(names, 1):
        print(f"[{number}/{len(names)}] {name}: {_about(name)}", file=sys.stderr, flush=True)
        try:
            rows += _measure(name)
        except Exception:  # one claim that breaks must not lose the others
            traceback.print_exc()
            failed.append(name)
    return rows, failed


def _measure(name: str) -> list[dict[str, Any]]:
    bench = Bench(name)
    try:
        before = weather(bench.directory)
        results = list(_claim(name).measure(bench))
        machine = conditions() | {"before": before, "after": weather(bench.directory)}
        return [result.row(machine) for result in results]
    finally:
        bench.close()


def _keep(measured: list[dict[str, Any]], known: list[str]) -> None:
    """New rows replace all rows of their claims; rows of claims that no longer exist go."""
    fresh = {claim_of(row) for row in measured}
    rows = [*measured, *(row for row in read_rows() if claim_of(row) in set(known) - fresh)]
    rows.sort(key=lambda row: known.index(claim_of(row)))  # stable: a claim's own order stays
    write_rows(rows)
    page.update(rows)
    print(f"Written: {RESULTS.relative_to(ROOT)}, {page.PAGE.relative_to(ROOT)}", file=sys.stderr)


def _verdict(measured: list[dict[str, Any]], failed: list[str], *, strict: bool) -> int:
    missed = [row for row in measured if row["met"] is False]
    for row in missed:
        print(f"TARGET MISSED: {row['claim']} is {row['ours']:g} {row['unit']}, not {row['target']}")
    for name in failed:
        print(f"NOT MEASURED: {name}; the reason is above and in benchmarks/.data/{name}.log")
    return 1 if failed or (missed and strict) else 0


def _claim(name: str) -> Any:
    return importlib.import_module(f"{claims.__name__}.{name}")


def _about(name: str) -> str:
    return (_claim(name).__doc__ or "").partition("\n")[0]


if __name__ == "__main__":
    sys.exit(main())
