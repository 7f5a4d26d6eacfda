"""One statement on its way through a guarded session: read, change, or counted without being run."""

from __future__ import annotations

from msgspec import Struct
from msgspec.structs import replace
from pymysql.cursors import Cursor

from clearance.adapters.systems.mysql import guard
from clearance.adapters.systems.mysql.capture import Ran, TooManyError, run_captured, run_plain
from clearance.adapters.systems.mysql.change import take_apart
from clearance.adapters.systems.mysql.connect import Link
from clearance.adapters.systems.mysql.counting import count_chosen, count_named, reads
from clearance.adapters.systems.mysql.plan import Plan, plan
from clearance.core.model import Classification, Reversibility, Touch

_INNER = "clearance_images"


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


def count_only(side: Link, attempt: Attempt) -> Attempt:
    """Count what a statement would touch that must not run yet."""
    change = take_apart(attempt.text)
    if change is not None and change.targets:
        made = plan(side, change)
        touches, blocked = count_chosen(side, made), made.blocked
    else:
        touches, blocked = count_named(side, attempt.found), ()
    why = ("a rollback does not take it back", *blocked)
    return replace(attempt, touches=touches, how="select", why_not=why, blocked=blocked)


def attempt_change(
    link: Link, side: Link, attempt: Attempt, most_rows: int, *, why_not: tuple[str, ...]
) -> Attempt:
    """Run a change behind the caller's savepoint, with images where its rows can be told."""
    change = take_apart(attempt.text)
    if change is None or not change.targets:
        return count_only(side, attempt)
    made = plan(side, change)
    if made.blocked:
        return count_only(side, attempt)
    bars = (*made.why_not, *why_not)
    if bars:
        return _as_ran(attempt, run_plain(link, made, attempt.text, why_not=bars), "server")
    guard.make_images(side, list(made.tables.values()))
    ran = _captured(link, made, attempt, most_rows)
    if plan(side, change).shapes != made.shapes:
        ran = replace(ran, short=(*ran.short, "a table was altered while the change ran"))
    return _as_ran(attempt, ran, "closure" if ran.kept or not ran.why_not else "server")


def _captured(link: Link, made: Plan, attempt: Attempt, most_rows: int) -> Ran:
    link.run(f"SAVEPOINT {_INNER}")
    try:
        return run_captured(link, made, attempt.text, snapshot_id=attempt.snapshot_id, most_rows=most_rows)
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
