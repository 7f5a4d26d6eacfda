"""Clients of databases: the SQL they are given is judged by the reader that the caller hands in."""

from __future__ import annotations

from collections.abc import Callable

from msgspec.structs import replace

from clearance.core.classify.found import doing, opaque, thing, union
from clearance.core.classify.shell.call import Call, Reader
from clearance.core.classify.shell.migrating import address
from clearance.core.classify.shell.options import cut
from clearance.core.classify.shell.words import Word
from clearance.core.model import Operation
from clearance.core.model.effects import Classification

_PSQL_VALUES_LIST = """
    -c --command -f --file -d --dbname -h --host -p --port -U --username -v --set --variable -o --output
    -F --field-separator -P --pset -R -T -L --log-file
"""
_PSQL_VALUES = frozenset(_PSQL_VALUES_LIST.split())
_MYSQL_VALUES_LIST = """
    -e --execute -h --host -P --port -u --user -D --database -S --socket --protocol --ssl-mode
    --delimiter --init-command --defaults-file --defaults-extra-file --tee --pager --connect-timeout
"""
_MYSQL_VALUES = frozenset(_MYSQL_VALUES_LIST.split())
_MYSQL_UNREAD = (
    "--init-command",
    "--defaults-file",
    "--defaults-extra-file",
    "--tee",
    "--pager",
    "--delimiter",
)
_SQLITE_VALUES = ("-cmd", "-init", "-separator", "-nullvalue", "-newline", "-vfs")
_SQLITE_PLAIN_LIST = """
    -readonly -csv -json -header -noheader -column -line -list -box -table -markdown -batch -bail -echo
    -separator -nullvalue -safe
"""
_SQLITE_PLAIN = tuple(_SQLITE_PLAIN_LIST.split())
_UNREAD = "SQL comes from a file or an input that is not part of the command"


def _psql(call: Call, reader: Reader) -> Classification:
    options = cut([_address(word, call) for word in call.arguments], _PSQL_VALUES)
    texts = [value for name, value in options.given if name in ("-c", "--command")]
    listing = options.has("-l", "--list")
    names = [options.value("-d", "--dbname"), *options.operands[:1]]
    host = options.value("-h", "--host") or call.variables.get("PGHOST")
    outputs = [value for name, value in options.given if name in ("-o", "--output", "-L", "--log-file")]
    if options.unsure or options.has("-f", "--file") or (options.has("-v", "--set") and not texts):
        return _unread(_UNREAD, _name(names, host))
    if any(value is not None and (value.text or "|").lstrip().startswith("|") for value in outputs):
        return opaque("the output goes to another program")
    written = [call.file(value, Operation.DELETE) for value in outputs if value is not None]
    found = doing("read") if listing else _judged(texts, call, reader, _name(names, host))
    return union(found, doing("write+delete", *written)) if written else found


def _address(word: Word, call: Call) -> Word:
    """`"$DATABASE_URL"`, not set in this command, is an address by its name, and no option."""
    named = word.variable.endswith(("_URL", "_URI", "_DSN")) and word.variable not in call.variables
    return replace(word, lead="postgres:") if named and not word.splits else word


def _mysql(call: Call, reader: Reader) -> Classification:
    words = [word for word in call.arguments if not (word.lead.startswith("-p") and word.plain != "-p")]
    options = cut(words, _MYSQL_VALUES)  # `-p` takes a password only where nothing stands between
    texts = [value for name, value in options.given if name in ("-e", "--execute")]
    names = [options.value("-D", "--database"), *options.operands[:1]]
    name = _name(names, options.value("-h", "--host"))
    shortened = any(
        given.startswith(("--exec", "--init", "--def", "--te", "--pag", "--del"))
        for given, _ in options.given
    )
    if options.unsure or (shortened and not options.has("--execute")) or options.has(*_MYSQL_UNREAD):
        return _unread("an option of the client is not reviewed", name)
    return _judged(texts, call, reader, name)


def _sqlite(call: Call, reader: Reader) -> Classification:
    """`sqlite3 file "SQL"`; a dot command may run a program."""
    options = cut(call.arguments, _SQLITE_VALUES, style="whole")
    file = [call.file(word, Operation.UPDATE) for word in options.operands[:1]]
    plain = all(name.replace("--", "-") in _SQLITE_PLAIN for name, _ in options.given)
    if options.unsure or not plain:
        return union(_unread("an option of the client is not reviewed", "unknown"), doing("read", *file))
    return union(_judged(list(options.operands[1:]), call, reader, ""), doing("read", *file))


def _judged(texts: list[Word | None], call: Call, reader: Reader, name: str) -> Classification:
    if not texts and call.stdin is not None and call.stdin.strip():
        texts = [Word(text=call.stdin)]
    if not texts:
        return _unread(_UNREAD, name)
    if any(text is None or text.plain is None for text in texts):
        return _unread("the SQL is not known before the command runs", name)
    found = union(*(reader.sql(text.plain or "") for text in texts if text is not None))
    return union(found, doing("read", *([thing("database", name, found.operation)] if name else [])))


def _unread(why: str, name: str) -> Classification:
    database = [thing("database", name, Operation.DDL)] if name else []
    return doing("ddl+delete+unknown", *database, why=[why])


def _name(names: list[Word | None], host: Word | None) -> str:
    """`host/database`, as far as it is written out."""
    word = next((name for name in names if name is not None), None)
    if word is not None and word.plain is None:
        return word.variable or "unknown"
    text = word.plain if word is not None else None
    if text and "://" in text:
        return address(text)
    if text and "=" in text:  # `host=… password=…`
        return "unknown"
    place = host.plain if host is not None else ""
    return "/".join(part for part in (place, text) if part) or "unknown"


def _other(call: Call, _reader: Reader) -> Classification:
    """Clients whose language is not read here."""
    if len(call.words) == 2 and call.arguments[0].plain in ("--version", "--help"):
        return doing("read")
    return _unread("the client's statements are not read", "unknown")


_OTHER_LIST = """
    mongosh mongo clickhouse clickhouse-client duckdb sqlcmd usql cockroach cqlsh snowsql snow bq isql
    sqlplus influx neo4j cypher-shell pgcli mycli litecli trino presto hive beeline spark-sql dolt turso
    libsql psqldef
"""
DATABASES: dict[str, Callable[[Call, Reader], Classification]] = {
    "psql": _psql,
    "mysql": _mysql,
    "mariadb": _mysql,
    "sqlite3": _sqlite,
    "sqlite": _sqlite,
    **dict.fromkeys(_OTHER_LIST.split(), _other),
}
