"""A tool call to an operation and resources, by declaration, readers and name. Never milder in doubt."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any

from msgspec import Struct

from clearance.core.classify.records import Records
from clearance.core.model import Family, Operation, Resource, ToolSpec
from clearance.core.model.paths import MISSING, at_path
from clearance.core.normalize import argument_names as names
from clearance.core.normalize.changes import Asked, read_changes
from clearance.core.normalize.files import read_files
from clearance.core.normalize.groups import GROUP_NAMES
from clearance.core.normalize.http import read_http
from clearance.core.normalize.message import read_recipients
from clearance.core.normalize.naming import Suggestion, suggested
from clearance.core.normalize.reading import Reading, read_as_unknown, strictest
from clearance.core.normalize.resources import by_canonical_name, recognised, templated
from clearance.core.normalize.shell import read_shell
from clearance.core.normalize.sql import read_sql

_UNDECLARED = ToolSpec(name="")
_SQL_VERBS_LIST = """
    ALTER BEGIN CALL COPY CREATE DELETE DO DROP EXEC EXECUTE EXPLAIN GRANT INSERT MERGE PRAGMA REPLACE
    REVOKE SELECT SET SHOW TRUNCATE UPDATE VACUUM WITH
"""
_SQL_VERBS = frozenset(_SQL_VERBS_LIST.split())


class ToolReading(Struct, frozen=True, kw_only=True):
    """The operation, UNKNOWN where nothing tells it; resources, maybe none; records, where told."""

    operation: Operation
    resources: tuple[Resource, ...]
    records: Records | None


def read_tool(name: str, arguments: Mapping[Any, Any], *, spec: ToolSpec | None) -> ToolReading:
    """What a call of this tool does, by its declaration, its arguments and its name."""
    spec = spec or _UNDECLARED
    by_name = by_canonical_name(arguments)
    suggestion = suggested(name)
    family = spec.family or _family(suggestion, by_name)
    declared = at_path(arguments, spec.argument) if spec.argument else MISSING
    read = _READERS.get(family) if family and (spec.family or family in _TEXTS) else None
    reading = read(by_name, declared) if read else Reading()
    if spec.argument and declared is MISSING and family in _TEXTS:
        reading = read_as_unknown(_TEXTS[family])
    if spec.family:
        operation = _declared_family(reading, suggestion, spec.family)
    else:
        operation = _guessed_family(reading, suggestion, by_name)
    if len(by_name) != len(arguments):
        operation = Operation.UNKNOWN  # two spellings of one name, or a name that is none
    changes = read_changes(
        Asked(
            name=name,
            by_name=by_name,
            declared=spec.family,
            family=family,
            targets=_values(by_name, declared, names.URLS) if family is Family.HTTP else (),
            operation=spec.operation or operation,
        )
    )
    if spec.resource:
        resources = templated(spec.resource, arguments)
    else:
        sends = (
            family is None and suggestion.operation is Operation.SEND and not GROUP_NAMES.isdisjoint(by_name)
        )
        sought = Family.MESSAGE if sends else family
        resources = [*reading.resources, *recognised(by_name, family=sought)]
    return ToolReading(
        operation=spec.operation or changes.operation, resources=tuple(resources), records=changes.records
    )


def _declared_family(reading: Reading, suggestion: Suggestion, family: Family) -> Operation:
    """The reading counts, and of the name what it tells beyond handing on what is read."""
    by_name = suggestion.beyond_carrier
    if reading.operation is None or (family is Family.MESSAGE and by_name):
        return suggestion.operation or Operation.UNKNOWN
    if by_name is None or (family is Family.SHELL and by_name is Operation.EXECUTE):
        return reading.operation
    return strictest(reading.operation, by_name)


def _guessed_family(reading: Reading, suggestion: Suggestion, by_name: Mapping[str, Any]) -> Operation:
    """The name counts, unless it only hands on the one text that was read: a reading makes nothing milder.

    Otherwise an agent could add a harmless `sql` argument to a tool that does something else.
    """
    if reading.operation is not None and suggestion.only_carries and _is_the_only_text(by_name):
        return reading.operation
    named = suggestion.operation or Operation.UNKNOWN
    return strictest(named, reading.operation or named)


def _is_the_only_text(by_name: Mapping[str, Any]) -> bool:
    return all(
        name in names.BESIDE or value is None or isinstance(value, (bool, int, float))
        for name, value in by_name.items()
    )


def _family(suggestion: Suggestion, by_name: Mapping[str, Any]) -> Family | None:
    """From the names of the arguments, then from the tool's."""
    known = by_name.keys()
    if not names.ALWAYS_SQL.isdisjoint(known):
        return Family.SQL
    if not names.ALWAYS_SHELL.isdisjoint(known):
        return Family.SHELL
    if suggestion.only_carries and any(_looks_like_sql(by_name.get(name)) for name in names.SQL):
        return Family.SQL
    if not names.METHODS.isdisjoint(known) and not known.isdisjoint(names.URLS):
        return Family.HTTP
    if suggestion.family is None and not names.ALWAYS_RECIPIENTS.isdisjoint(known):
        return Family.MESSAGE
    return suggestion.family


def _looks_like_sql(value: Any) -> bool:
    return (
        isinstance(value, str) and value[:40].lstrip(" \t\r\n(;/*-").partition(" ")[0].upper() in _SQL_VERBS
    )


def _values(by_name: Mapping[str, Any], declared: Any, known: Sequence[str]) -> list[Any]:
    return [by_name[name] for name in known if name in by_name] if declared is MISSING else [declared]


def _merged(readings: Sequence[Reading]) -> Reading:
    if len(readings) == 1:
        return readings[0]
    operation: Operation | None = None
    for reading in readings:
        if reading.operation is not None:
            operation = strictest(reading.operation, operation or reading.operation)
    return Reading(operation=operation, resources=tuple(r for reading in readings for r in reading.resources))


def _sql(by_name: Mapping[str, Any], declared: Any) -> Reading:
    readings = [
        read_sql(value) if isinstance(value, str) else read_as_unknown("sql")
        for value in _values(by_name, declared, names.SQL)
    ]
    return _merged(readings)


def _shell(by_name: Mapping[str, Any], declared: Any) -> Reading:
    more = next((by_name[name] for name in names.SHELL_WORDS if isinstance(by_name.get(name), list)), None)
    readings = []
    for value in _values(by_name, declared, names.SHELL):
        joined = [value, *more] if more is not None and isinstance(value, str) else value
        readings.append(read_shell(joined))
    return _merged(readings)


def _http(by_name: Mapping[str, Any], declared: Any) -> Reading:
    return _merged([read_http(by_name, target) for target in _values(by_name, declared, names.URLS)])


def _message(by_name: Mapping[str, Any], declared: Any) -> Reading:
    """Where a declared message tool's name tells nothing, a text for somebody is sent."""
    resources = () if declared is MISSING else tuple(read_recipients(declared))
    operation = Operation.SEND if not names.BODIES.isdisjoint(by_name) else None
    return Reading(operation=operation, resources=resources)


def _file(_by_name: Mapping[str, Any], declared: Any) -> Reading:
    return Reading(resources=() if declared is MISSING else tuple(read_files(declared)))


# Families whose one text tells the operation, and the kind that stands for a declared text not given.
_TEXTS: dict[Family | None, str] = {Family.SQL: "sql", Family.SHELL: "command", Family.HTTP: "url"}
_READERS: dict[Family, Callable[[Mapping[str, Any], Any], Reading]] = {
    Family.SQL: _sql,
    Family.SHELL: _shell,
    Family.HTTP: _http,
    Family.MESSAGE: _message,
    Family.FILE: _file,
}
