"""A real database file, a guarded session on it, the system beside it, and an exact dump to compare."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import apsw
import pytest

from clearance.adapters.systems.sqlite.session import SqliteSession, open_session
from clearance.adapters.systems.sqlite.system import SqliteSystem, open_system
from clearance.core.model import Action, Context, Operation, Principal, Request, Resource
from clearance.ports import Measured

SCHEMA = """
CREATE TABLE accounts (id INTEGER PRIMARY KEY, owner TEXT UNIQUE, balance, note DEFAULT 'x');
CREATE TABLE entries (
  id INTEGER PRIMARY KEY, account REFERENCES accounts (id) ON DELETE CASCADE ON UPDATE CASCADE);
CREATE TABLE lines (id INTEGER PRIMARY KEY, entry REFERENCES entries (id) ON DELETE SET NULL);
CREATE TABLE audit (what TEXT);
CREATE TRIGGER accounts_gone AFTER DELETE ON accounts BEGIN INSERT INTO audit VALUES ('gone ' || old.id); END;
INSERT INTO accounts (id, owner, balance) VALUES (1, 'ann', 1.5), (2, 'bob', 2), (3, NULL, x'00ff');
INSERT INTO entries VALUES (10, 1), (11, 1), (12, 2);
INSERT INTO lines VALUES (100, 10), (101, 11), (102, 12);
"""


@dataclass
class Database:
    """One file, by every way that a test needs to reach it."""

    path: Path
    options: dict[str, Any] = field(default_factory=dict)
    opened: list[SqliteSession] = field(default_factory=list)

    def run(self, sql: str, parameters: Any = None) -> list[tuple[Any, ...]]:
        """As anybody else would, outside of the guard."""
        connection = apsw.Connection(str(self.path))
        connection.execute("PRAGMA synchronous = OFF")  # what is tested here syncs by itself
        try:
            return connection.execute(sql, parameters).fetchall()
        finally:
            connection.close()

    def session(self, **options: Any) -> SqliteSession:
        given = {"path": str(self.path), **self.options, **options}
        self.opened.append(open_session("db", given, images=self.path.parent / "images"))
        return self.opened[-1]

    def system(self, **options: Any) -> SqliteSystem:
        given = {"path": str(self.path), **self.options, **options}
        return open_system("db", given, images=self.path.parent / "images")

    def act(
        self, sql: str, parameters: object = None, *, snapshot_id: str = "s1", **options: Any
    ) -> Measured:
        """Attempt, keep, commit."""
        session = self.session(**options)
        measured = session.attempt(sql, parameters, snapshot_id=snapshot_id)
        session.saved()
        session.complete(at_most=measured.radius)
        session.commit()
        session.close()
        return measured

    def dump(self) -> dict[str, Any]:
        """Schema, and every value with its storage class; rowids that nobody can name are left out."""
        objects = self.run(
            "SELECT type, name, tbl_name, sql FROM sqlite_schema "
            "WHERE name NOT LIKE '\\_clearance%' ESCAPE '\\' "
            "AND tbl_name NOT LIKE '\\_clearance%' ESCAPE '\\' ORDER BY 1, 2"
        )
        found: dict[str, Any] = {"": objects}
        for kind, name, _, _ in objects:
            if kind != "table":
                continue
            columns = [row[0] for row in self.run("SELECT name FROM pragma_table_xinfo(?)", (name,))]
            names = ['"' + column.replace('"', '""') + '"' for column in columns]
            exact = "typeof({0}), iif(typeof({0}) = 'text', hex({0}), quote({0}))"
            shown = ", ".join(exact.format(column) for column in names)
            quoted = name.replace('"', '""')
            found[name] = sorted(self.run(f'SELECT {shown} FROM "{quoted}"'))
        return found

    def copies(self) -> list[Path]:
        return sorted((self.path.parent / "images").glob("*"))


Make = Callable[..., Database]


@pytest.fixture
def make(tmp_path: Path) -> Iterator[Make]:
    made: list[Database] = []

    def _make(schema: str = SCHEMA, *, wal: bool = False, **options: Any) -> Database:
        database = Database(path=tmp_path / f"a{len(made)}.db", options=options)
        connection = apsw.Connection(str(database.path))
        if wal:
            connection.pragma("journal_mode", "wal")
        connection.execute("PRAGMA synchronous = OFF")
        connection.execute(schema)
        connection.close()
        made.append(database)
        return database

    yield _make
    for database in made:
        for session in database.opened:
            session.close()


@pytest.fixture
def database(make: Make) -> Database:
    return make()


@pytest.fixture
def ask() -> Callable[..., Request]:
    def _ask(operation: Operation = Operation.UNKNOWN, **arguments: Any) -> Request:
        return Request(
            principal=Principal(agent="tester"),
            action=Action(tool="db", operation=operation, arguments=arguments),
            resources=(Resource(kind="sqlite", name="db"),),
            context=Context(run_id="run_1", action_id="act_1", at=datetime.now(UTC)),
        )

    return _ask
