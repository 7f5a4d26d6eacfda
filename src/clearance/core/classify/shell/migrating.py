"""Migration commands: what they do to the database that they resolve, as far as the command line tells it."""

from __future__ import annotations

import re
from collections.abc import Iterator
from urllib.parse import urlsplit

from msgspec.structs import replace

from clearance.core.classify.found import doing, thing, union
from clearance.core.classify.shell.call import Call
from clearance.core.classify.shell.catalogue import Entry, migrations
from clearance.core.classify.shell.listed import by_entry, options_of
from clearance.core.classify.shell.words import Word, literal
from clearance.core.model import Operation
from clearance.core.model.effects import Classification, EffectClass

_ADDRESS = re.compile(r"(?:jdbc:|db:)?[a-z][a-z0-9+.-]*://\S+|(?:sqlite|file):\S+")
_VARIABLES_LIST = """
    DATABASE_URL DB_URL POSTGRES_URL DATABASE_URI SQLALCHEMY_DATABASE_URI GOOSE_DBSTRING FLYWAY_URL
    LIQUIBASE_COMMAND_URL DIRECT_URL MYSQL_URL PRISMA_DATABASE_URL
"""
_VARIABLES = tuple(_VARIABLES_LIST.split())
_STAGES = ("RAILS_ENV", "RACK_ENV", "NODE_ENV", "MIX_ENV", "APP_ENV", "DJANGO_ENV", "FLASK_ENV")
_PAIR = re.compile(r"([A-Z_][A-Z0-9_]*)=(\S+)")


def migration(base: str, call: Call) -> Classification | None:
    """None where this is no migration command, or one that does nothing to a database."""
    entry = migrations().get(base)
    if entry is None:
        return None
    found = by_entry(entry, replace(call, stdin=None))
    effects = found.effects - {EffectClass.READ}
    if effects <= {EffectClass.EXEC, EffectClass.OUTBOUND} and not found.unknown:
        return found
    if EffectClass.UNKNOWN in effects:
        found = union(found, doing("ddl+delete"))
    objects = (*found.objects, thing("database", _database(entry, call), _operation(found)))
    return replace(found, objects=objects)


def _operation(found: Classification) -> Operation:
    if EffectClass.DELETE in found.effects:
        return Operation.DELETE
    return Operation.DDL if EffectClass.DDL in found.effects else Operation.UPDATE


def _database(entry: Entry, call: Call) -> str:
    """The address in an option or a variable; never a password. `unknown` where the command does not say."""
    for word in _addresses(entry, call):
        if word.plain is not None and (name := address(word.plain)):
            return name
        if word.variable:
            return word.variable
        if word.text is None:
            return "unknown"
    stages = [call.variables[name].plain for name in _STAGES if name in call.variables]
    return next((stage for stage in stages if stage), "unknown")


def _addresses(entry: Entry, call: Call) -> Iterator[Word]:
    options = options_of(entry, call)
    for name, value in options.given:
        if value is not None and name in entry.urls:
            yield literal(value.plain.removeprefix("url=")) if value.plain else value
    for word in options.operands:
        pair = _PAIR.fullmatch(word.plain or "")
        if pair and pair[1] in _VARIABLES:
            yield literal(pair[2])
        elif word.plain and _ADDRESS.fullmatch(word.plain):
            yield word
    yield from (call.variables[name] for name in _VARIABLES if name in call.variables)


def address(text: str) -> str:
    """`host/database` of a database's address, without user, password and parameters; empty if it is none."""
    text = text.removeprefix("jdbc:").removeprefix("db:")
    if not re.match(r"[a-z][a-z0-9+.-]*:", text):
        return ""
    try:
        parts = urlsplit(text)
        host, port = parts.hostname or "", parts.port
    except ValueError:
        return "unknown"
    misread = "@" in parts.path + parts.query + parts.fragment  # a password with `/`, `?` or `#` was cut
    if misread or not (host or parts.path):
        return "unknown"
    place = f"{host}:{port}" if port else host
    return f"{place}/{parts.path.strip('/')}".strip("/") if host else parts.path.lstrip("/")
