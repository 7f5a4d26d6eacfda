"""How many rows stand behind what must not run before it is cleared: DDL, other engines, triggers."""

# ruff: noqa: S608 - names are quoted and values are literals of `connect.literal`; nothing else is put in

from __future__ import annotations

from collections.abc import Sequence

import pymysql

from clearance.adapters.systems.mysql.catalogue import Name, base_tables, shown, tables
from clearance.adapters.systems.mysql.connect import Link, quoted
from clearance.adapters.systems.mysql.plan import Plan
from clearance.core.classify.mysql import classify_mysql
from clearance.core.model import Classification, EffectClass, Exactness, Named, Operation, Touch

_MOST_TABLES = 200  # counted one by one, each within the statement's time limit


def count_named(link: Link, found: Classification) -> tuple[Touch, ...]:
    """Rows of every table that a statement would change as a whole, now; None where that cannot be told."""
    touches: list[Touch] = []
    for named in found.objects:
        if named.operation is not Operation.READ:
            touches += _count(link, named)
    return tuple(touches)


def _count(link: Link, named: Named) -> list[Touch]:
    name = _name(link, named.name)
    if tables(link, [name]):
        return [count_table(link, name, named.operation)]
    inside = base_tables(link, named.name) if "." not in named.name else []
    if inside and len(inside) <= _MOST_TABLES:
        return [count_table(link, one, named.operation) for one in inside]
    there = 0 if named.operation is Operation.DDL and not inside else None
    exactness = Exactness.EXACT if there == 0 else Exactness.UNKNOWN
    return [Touch(resource=shown(name), operation=named.operation, count=there, exactness=exactness)]


def _name(link: Link, text: str) -> Name:
    schema, _, table = text.rpartition(".")
    name = (schema or link.schema, table)
    return (name[0].lower(), name[1].lower()) if link.folds_names else name


def count_table(link: Link, name: Name, operation: Operation, *, where: str = "") -> Touch:
    """ESTIMATE: somebody may add rows before the action runs."""
    try:
        count: int | None = link.number(f"SELECT COUNT(*) FROM {quoted(*name)} {where}")
    except pymysql.err.MySQLError:
        count = None
    exactness = Exactness.UNKNOWN if count is None else Exactness.ESTIMATE
    return Touch(resource=shown(name), operation=operation, count=count, exactness=exactness)


def count_chosen(link: Link, plan: Plan) -> tuple[Touch, ...]:
    """The rows that an UPDATE or DELETE would choose now, without running it.

    Choosing evaluates its condition: not done where that was not read whole.
    """
    change, touches = plan.change, []
    operation = Operation.DELETE if change.verb == "DELETE" else Operation.UPDATE
    if change.verb in ("INSERT", "REPLACE"):
        operation = Operation.CREATE if change.verb == "INSERT" else Operation.UPDATE
        count = len(change.values) or None
        return tuple(_of_values(name, operation, count) for name in plan.names)
    children = {key.child for key in plan.reach.edges}
    for name in dict.fromkeys((*plan.names, *children)):
        single = name in plan.names and len(plan.names) == 1 and name not in children and not change.several
        counted = _chosen(link, plan) if single else None
        exactness = Exactness.UNKNOWN if counted is None else Exactness.ESTIMATE
        touches.append(Touch(resource=shown(name), operation=operation, count=counted, exactness=exactness))
    return tuple(touches)


def _of_values(name: Name, operation: Operation, count: int | None) -> Touch:
    exactness = Exactness.UNKNOWN if count is None else Exactness.BOUND
    return Touch(resource=shown(name), operation=operation, count=count, exactness=exactness)


def _chosen(link: Link, plan: Plan) -> int | None:
    change = plan.change
    inner = f"{change.prefix} SELECT 1 FROM {change.references} {change.where} {change.tail}"
    if not classify_mysql(inner).only_reads:
        return None
    try:
        return link.number(f"SELECT COUNT(*) FROM ({inner}) AS clearance_c")
    except pymysql.err.MySQLError:
        return None


def exceeds(now: Sequence[Touch], approved: Sequence[Touch]) -> str:
    """Why what is there now is more than what was approved; "" where it is not."""
    allowed = {(touch.resource, touch.operation): touch.count for touch in approved}
    for touch in now:
        key = (touch.resource, touch.operation)
        if touch.count == 0:
            continue
        if key not in allowed:
            return f"{touch.resource} was not among what was approved"
        most = allowed[key]
        if most is not None and (touch.count is None or touch.count > most):
            told = "an unknown number" if touch.count is None else str(touch.count)
            return f"{touch.resource}: {told} now, {most} approved"
    return ""


def reads(found: Classification, rows: int) -> tuple[Touch, ...]:
    """One touch for what a query returned: a join's rows are not rows of one table."""
    names = [named.name for named in found.objects] or ["(no table)"]
    return (Touch(resource=", ".join(names), operation=Operation.READ, count=rows),)


def runs_first(found: Classification) -> bool:
    """Whether a rollback takes back whatever the statement may do."""
    return found.effects <= {EffectClass.READ, EffectClass.WRITE, EffectClass.DELETE}
