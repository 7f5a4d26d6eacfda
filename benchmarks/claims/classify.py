"""What it costs to understand a statement or a command by its text, beside a parser that only parses."""

from __future__ import annotations

from collections.abc import Callable, Iterator

from benchmarks.harness import Bench, Result, latencies, median_of

_COLUMNS = ", ".join(f"a.column_{number} AS value_{number}" for number in range(24))
TEXTS = {
    "select_45_bytes": "SELECT id, name FROM accounts WHERE id = 42;",
    "update_180_bytes": (
        "UPDATE accounts SET balance = balance - 10, changed_by = 'billing', note = 'monthly fee' "
        "WHERE region = 'emea' AND balance > 100 AND id IN (SELECT account_id FROM due WHERE paid = 0)"
    ),
    "query_800_bytes": (
        f"SELECT {_COLUMNS} FROM accounts a JOIN orders o ON o.account_id = a.id "
        "WHERE o.state = 'open' AND a.region IN ('emea', 'apac') GROUP BY a.id ORDER BY a.id LIMIT 100"
    ),
    "in_list_10000": f"DELETE FROM accounts WHERE id IN ({', '.join(map(str, range(10_000)))})",
}
COMMANDS = {
    "command_plain": "rm -rf build/cache",
    "command_wrapped": "sudo env PGHOST=db sh -c 'cd /srv && npx prisma migrate reset -f | tee log'",
}
CALLS = {"in_list_10000": 20}
_DIALECTS = ("postgres", "mysql", "sqlite")


def measure(bench: Bench) -> Iterator[Result]:
    import sqlglot

    from clearance.core.normalize.dialects import Dialect, classify_text

    for dialect in _DIALECTS:
        for name, text in TEXTS.items():
            bench.say(f"{dialect}: {name}")
            mine, theirs = _interleaved(
                lambda _, text=text, dialect=dialect: classify_text(Dialect(dialect), text),
                lambda _, text=text, dialect=dialect: sqlglot.parse(text, dialect=dialect),
                CALLS.get(name, 500),
            )
            yield Result(
                claim=f"classify/{dialect}_{name}",
                ours=mine,
                peer=theirs,
                peer_name=f"sqlglot {sqlglot.__version__}, parse only",
                unit="µs",
                conditions={"calls_per_round": CALLS.get(name, 500), "rounds": 3},
            )
    for name, text in COMMANDS.items():
        rounds = [latencies(lambda _, text=text: classify_text(Dialect.SHELL, text), 500) for _ in range(3)]
        yield Result(
            claim=f"classify/shell_{name}",
            ours=median_of(rounds, "p50"),
            unit="µs",
            conditions={"calls_per_round": 500, "rounds": 3},
        )


def _interleaved(
    ours: Callable[[int], object], theirs: Callable[[int], object], calls: int
) -> tuple[float, float]:
    rounds = [(latencies(ours, calls)["p50"], latencies(theirs, calls)["p50"]) for _ in range(3)]
    return sorted(one for one, _ in rounds)[1], sorted(other for _, other in rounds)[1]
