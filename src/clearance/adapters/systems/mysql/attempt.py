"""One statement on its way through a guarded session: read, change, or counted without being run."""

from __future__ import annotations

from collections.abc import Sequence

import pymysql
from msgspec import Struct
from msgspec.structs import replace
from pymysql.cursors import Cursor

from clearance.adapters.systems.mysql import guard
from clearance.adapters.systems.mysql.capture import Ran, TooManyError, prepare, run_plain
from clearance.adapters.systems.mysql.captured import run_captured
from clearance.adapters.systems.mysql.change import Change, take_apart
from clearance.adapters.systems.mysql.connect import Link, code
from clearance.adapters.systems.mysql.counting import count_chosen, count_named, reads
from clearance.adapters.systems.mysql.plan import Plan, plan
from clearance.adapters.systems.mysql.remembered import KEYS, Remembered, StaleError, definition
from clearance.core.model import Classification, Reversibility, Touch

POINT = "clearance_attempt"
_INNER = "clearance_images"
_NO_TABLE = 1146  # an image table, or one that the change itself names


class Attempt(Struct, frozen=True, kw_only=True):
    """`cursor` is None while the statement was not run. `blocked` says why it was not."""

    text: str
    found: Classification
    snapshot_id: str
    cursor: Cursor | None = None
    touches: tuple[Touch, ...] = ()
    how: str = "text"
    kept: int = 0
    reversibility: Reversibility = Reversibility.NONE
    why_not: tuple[str, ...] = ()
    short: tuple[str, ...] = ()
    blocked: tuple[str, ...] = ()


def attempt_read(link: Link, attempt: Attempt) -> Attempt:
    """Run a query: it changes nothing, so there is nothing to keep."""
    cursor = link.run(attempt.text)
    return replace(
        attempt,
        cursor=cursor,
        touches=reads(attempt.found, max(cursor.rowcount, 0)),
        how="rows returned",
        reversibility=Reversibility.EXACT,
    )


def count_only(catalogue: Remembered, attempt: Attempt) -> Attempt:
    """Count what a statement would touch that must not run yet; code of its own that was not read neither."""
    side, change = catalogue.side, take_apart(attempt.text)
    if change is not None and change.targets:
        catalogue.forget()
        made = plan(catalogue, change)
        side.run("START TRANSACTION READ ONLY")  # against what hides in a view
        try:
            touches = count_chosen(side, made)
        finally:
            side.raw.rollback()
        blocked = made.blocked
    else:
        touches, blocked = count_named(side, attempt.found), ()
    why = ("a rollback does not take it back", *blocked)
    return replace(attempt, touches=touches, how="select", why_not=why, blocked=blocked)


def attempt_change(
    link: Link, catalogue: Remembered, attempt: Attempt, most_rows: int, *, why_not: tuple[str, ...]
) -> Attempt:
    """Run a change behind the savepoint POINT, with images where its rows can be told. Raises StaleError."""
    change = take_apart(attempt.text)
    if change is None or not change.targets:
        return count_only(catalogue, attempt)
    if catalogue.begin():
        try:
            return _attempt(link, catalogue, change, attempt, most_rows, why_not=why_not)
        except (StaleError, pymysql.err.ProgrammingError) as error:
            if not isinstance(error, StaleError) and code(error) != _NO_TABLE:
                raise
        link.run(f"ROLLBACK TO SAVEPOINT {POINT}")
        link.pin()
        catalogue.forget()
        catalogue.begin()
    return _attempt(link, catalogue, change, attempt, most_rows, why_not=why_not)


def _attempt(
    link: Link,
    catalogue: Remembered,
    change: Change,
    attempt: Attempt,
    most_rows: int,
    *,
    why_not: tuple[str, ...],
) -> Attempt:
    made = plan(catalogue, change)
    if made.blocked:
        return count_only(catalogue, attempt)
    bars = (*made.why_not, *why_not)
    if bars:
        _hold(link, catalogue, made, ())
        ran = run_plain(link, made, attempt.text, why_not=bars)
        return _as_ran(attempt, _unaltered(link, catalogue, made, ran), "server")
    guard.make_images(catalogue.side, list(made.tables.values()), there=catalogue.images)
    _hold(link, catalogue, made, (f"SAVEPOINT {_INNER}", *prepare(made, attempt.snapshot_id)))
    asks = KEYS if catalogue.holds else ()
    ran = _unaltered(link, catalogue, made, _captured(link, made, attempt, most_rows, asks=asks))
    return _as_ran(attempt, ran, "closure" if ran.kept or not ran.why_not else "server")


def _hold(link: Link, catalogue: Remembered, made: Plan, first: Sequence[str]) -> None:
    """Prepare, and see that the tables are what the plan says, in a way that keeps them so."""
    if not catalogue.holds:
        if first:
            link.batch(first)
        return
    names = list(made.tables)
    asked = [statement for name in names for statement in definition(name)]
    catalogue.prove(names, link.batch([*first, *asked, *KEYS]))


def _unaltered(link: Link, catalogue: Remembered, made: Plan, ran: Ran) -> Ran:
    """See that no key was made or altered meanwhile through which the change reached more."""
    if catalogue.holds:
        catalogue.prove_keys(ran.keys or link.batch(KEYS))
    elif plan(catalogue, made.change).shapes != made.shapes:
        return replace(ran, short=(*ran.short, "a table was altered while the change ran"))
    return ran


def _captured(link: Link, made: Plan, attempt: Attempt, most_rows: int, *, asks: Sequence[str]) -> Ran:
    try:
        return run_captured(
            link, made, attempt.text, snapshot_id=attempt.snapshot_id, most_rows=most_rows, asks=asks
        )
    except TooManyError:
        link.run(f"ROLLBACK TO SAVEPOINT {_INNER}")
        link.run(f"SET SESSION sql_mode='{link.agent_mode}', timestamp=DEFAULT")
        why = f"more than {most_rows} rows would have to be kept (`most_rows`)"
        return run_plain(link, made, attempt.text, why_not=(why,))


def _as_ran(attempt: Attempt, ran: Ran, how: str) -> Attempt:
    return replace(
        attempt,
        cursor=ran.cursor,
        touches=ran.touches,
        how=how,
        kept=ran.kept,
        reversibility=ran.reversibility,
        why_not=ran.why_not,
        short=ran.short,
    )
