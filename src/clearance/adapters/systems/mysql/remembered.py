"""The catalogue as a session remembers it, and the proof, in the change's transaction, that it still holds.

Who has touched a table keeps others from altering it or making a trigger on it until the transaction ends.
So what is read once under that lock holds; only keys of other tables can be new, and are asked for again.
"""

# ruff: noqa: S608 - names are quoted and values are literals of `connect.literal`; nothing else is put in

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence

import pymysql

from clearance.adapters.systems.mysql import catalogue
from clearance.adapters.systems.mysql.catalogue import NOT_ALLOWED, ForeignKey, Name, Table
from clearance.adapters.systems.mysql.connect import Link, code, literal, quoted

_COUNTER = re.compile(r" AUTO_INCREMENT=\d+")
_MOST_TABLES = 1000  # then all is forgotten: a session that walks a whole server keeps no more than this
_WORD = "CAST(CONV({}(MD5(CONCAT_WS('/', {})), 16), 16, 10) AS UNSIGNED)"
_HALVES = ", ".join(
    f"COALESCE(BIT_XOR({_WORD.format(half, '{0}')}), 0), COALESCE(SUM({_WORD.format(half, '{0}')}), 0)"
    for half in ("LEFT", "RIGHT")
)
# Every foreign key of the server as a few numbers: 0.2 ms, where the standard views take 14.
KEYS = (
    f"SELECT COUNT(*), {_HALVES.format('ID, FOR_NAME, REF_NAME, N_COLS, TYPE')}"
    " FROM information_schema.INNODB_SYS_FOREIGN",
    f"SELECT COUNT(*), {_HALVES.format('ID, FOR_COL_NAME, REF_COL_NAME, POS')}"
    " FROM information_schema.INNODB_SYS_FOREIGN_COLS",
)


class StaleError(Exception):
    """The catalogue is not as it was when the change was planned."""


class Remembered:
    """Answers as `catalogue` does. Remembers only on MariaDB, with the right to see InnoDB's own lists."""

    def __init__(self, side: Link) -> None:
        self.side = side
        self.images: set[str] = set()
        self._tables: dict[Name, Table] = {}
        self._definitions: dict[Name, object] = {}
        self._keys: dict[frozenset[str], tuple[ForeignKey, ...]] = {}
        self._digest: object = None
        self._may = side.is_mariadb

    @property
    def holds(self) -> bool:
        """Whether `prove` can be asked: else the catalogue is read before and after each change."""
        return self._may and self._digest is not None

    def forget(self) -> None:
        self.images.clear()
        self._tables.clear()
        self._definitions.clear()
        self._keys.clear()
        self._digest = None

    def begin(self) -> bool:
        """Before a plan: note the keys there are. Whether something was remembered already."""
        if self.holds and len(self._tables) <= _MOST_TABLES:
            return bool(self._tables)
        self.forget()
        if self._may:
            try:
                self._digest = self.side.batch(KEYS)
            except pymysql.err.MySQLError as error:
                if code(error) not in NOT_ALLOWED:
                    raise
                self._may = False
        return False

    def tables(self, names: Iterable[Name]) -> dict[Name, Table]:
        wanted = set(names)
        if not self.holds:
            return catalogue.tables(self.side, wanted)
        missing = wanted - set(self._tables)
        if missing:
            before = {name: self._definition(name) for name in missing}
            for name, table in catalogue.tables(self.side, missing).items():
                if before[name] is not None and self._definition(name) == before[name]:
                    self._definitions[name] = before[name]
                self._tables[name] = table
        return {name: self._tables[name] for name in wanted if name in self._tables}

    def foreign_keys(self, schemas: Iterable[str]) -> tuple[ForeignKey, ...]:
        asked = frozenset(schemas)
        if not self.holds:
            return catalogue.foreign_keys(self.side, asked)
        if asked not in self._keys:
            self._keys[asked] = catalogue.foreign_keys(self.side, asked)
        return self._keys[asked]

    def _definition(self, name: Name) -> object:
        try:
            return _read(self.side.batch(definition(name)))
        except pymysql.err.MySQLError:
            return None  # nothing of that name, or no right: such a plan is never proved

    def prove(self, names: Sequence[Name], told: Sequence[list[tuple[object, ...]]]) -> None:
        """`told` are the answers to `definition` of each name and to KEYS. Raises StaleError."""
        size = len(told) - len(KEYS)
        if list(told[size:]) != self._digest or size % max(len(names), 1):
            raise StaleError
        each = size // max(len(names), 1)
        for at, name in enumerate(names):
            known = self._definitions.get(name)
            if known is None or _read(told[at * each : (at + 1) * each]) != known:
                raise StaleError

    def prove_keys(self, told: Sequence[list[tuple[object, ...]]]) -> None:
        if list(told) != self._digest:
            raise StaleError


def definition(name: Name) -> tuple[str, ...]:
    """What a table is, asked so that it stays so until the transaction ends."""
    schema, table = (literal(part) for part in name)
    return (
        f"SELECT 1 FROM {quoted(*name)} WHERE FALSE",
        f"SHOW CREATE TABLE {quoted(*name)}",
        "SELECT EVENT_MANIPULATION, TRIGGER_NAME FROM information_schema.TRIGGERS"
        f" WHERE EVENT_OBJECT_SCHEMA = {schema} AND EVENT_OBJECT_TABLE = {table}",
    )


def _read(told: Sequence[list[tuple[object, ...]]]) -> object:
    _, created, triggers = told
    return [_COUNTER.sub("", str(part)) for part in created[0]], sorted(triggers, key=repr)
