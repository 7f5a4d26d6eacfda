"""Command lines to one operation and resources. Never anything milder than a deletion; runs nothing.

What a command does is said by `classify.shell`; here it is put into the one verb that a policy asks about.
"""

from __future__ import annotations

from typing import Any

from clearance.core.classify.shell import classify_shell
from clearance.core.model import Operation, Resource
from clearance.core.model.effects import Classification, EffectClass, Named
from clearance.core.normalize.http import url_resource
from clearance.core.normalize.reading import UNREADABLE, Reading, distinct, named, unreadable
from clearance.core.normalize.sql import read_sql

# Clients that may do anything to a schema, whatever text they were given.
_SQL_CLIENTS = frozenset({"command:mariadb", "command:mysql", "command:psql", "command:sqlite3"})
_SEVERE: dict[EffectClass, Operation] = {
    EffectClass.DELETE: Operation.DELETE,
    EffectClass.EXEC: Operation.EXECUTE,
    EffectClass.DDL: Operation.DDL,
    EffectClass.ADMIN: Operation.ADMIN,
    EffectClass.SESSION: Operation.ADMIN,
    EffectClass.UNKNOWN: Operation.UNKNOWN,
}
_EFFECT: dict[Operation, EffectClass] = {
    Operation.READ: EffectClass.READ,
    Operation.CREATE: EffectClass.WRITE,
    Operation.UPDATE: EffectClass.WRITE,
    Operation.DELETE: EffectClass.DELETE,
    Operation.DDL: EffectClass.DDL,
    Operation.ADMIN: EffectClass.ADMIN,
}


def read_shell(command: Any) -> Reading:
    """From a command line, or a list of words that no shell will expand."""
    found = understood(command)
    resources = [_resource(item) for item in found.objects]
    if EffectClass.UNKNOWN in found.effects:  # what could not be read may touch anything else
        resources.append(unreadable("command"))
    return Reading(operation=_operation(found), resources=distinct(resources))


def understood(command: Any) -> Classification:
    """Every effect of a command, the SQL in it judged by `read_sql`."""
    return classify_shell(command, sql=_sql)


def _operation(found: Classification) -> Operation:
    """One verb for all effects. Where no verb says them all, UNKNOWN, which every rule matches.

    A command that only reads, writes or sends is EXECUTE: which of these it is, only its author says.
    """
    severe = {_SEVERE[effect] for effect in found.effects if effect in _SEVERE}
    if any(item.name in _SQL_CLIENTS for item in found.objects):
        severe.add(Operation.DDL)
    if severe == {Operation.DDL, Operation.DELETE} and all(map(_in_database, found.objects)):
        return Operation.DDL
    if not severe:
        return Operation.EXECUTE
    return severe.pop() if len(severe) == 1 else Operation.UNKNOWN


def _in_database(item: Named) -> bool:
    return item.operation is not Operation.DELETE or item.name.startswith(("database:", "sql:"))


def _sql(text: str) -> Classification:
    reading = read_sql(text)
    effect = _EFFECT.get(reading.operation or Operation.UNKNOWN, EffectClass.UNKNOWN)
    operation = reading.operation or Operation.UNKNOWN
    return Classification(
        effects=frozenset({effect}),
        objects=tuple(Named(name=resource.id, operation=operation) for resource in reading.resources),
        unknown=("the SQL cannot be read",) if effect is EffectClass.UNKNOWN else (),
    )


def _resource(item: Named) -> Resource:
    kind, _, name = item.name.partition(":")
    if name == UNREADABLE:
        return unreadable(kind)
    return url_resource(name) if kind == "url" else named(kind, name)
