"""A guarded database: a schema is made, the guard installed, and every row can be compared exactly."""

from __future__ import annotations

import itertools
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path

import psycopg
import pytest

from clearance.adapters.systems.postgres import install, open_session, open_system
from clearance.adapters.systems.postgres.session import PostgresSession
from clearance.adapters.systems.postgres.system import PostgresSystem
from clearance.core.model import Operation, Radius, Restored, RestoreMode

_numbers = itertools.count(1)
_TABLES = """
SELECT format('%I.%I', n.nspname, c.relname) FROM pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace
WHERE c.relkind = 'r' AND c.relpersistence <> 't'
  AND n.nspname NOT IN ('pg_catalog', 'information_schema', 'pg_toast', 'clearance_guard') ORDER BY 1
"""


@dataclass
class Guarded:
    """One database with the guard. `owner` is an ordinary connection of somebody else, in autocommit."""

    dsn: str
    owner: psycopg.Connection
    images: Path
    opened: list[PostgresSession] = field(default_factory=list)

    def build(self, schema: str) -> None:
        self.owner.execute(schema)
        assert install({"dsn": self.dsn}) == ()

    def session(self, **options: object) -> PostgresSession:
        given = {"dsn": self.dsn, "trust_functions": True, **options}
        opened = open_session("crm", given, images=self.images)
        self.opened.append(opened)
        return opened

    def system(self, **options: object) -> PostgresSystem:
        given = {"dsn": self.dsn, "trust_functions": True, **options}
        return open_system("crm", given, images=self.images)

    def act(self, statement: str, parameters: object = None, **options: object) -> tuple[str, Radius]:
        """Attempt, complete, commit. The snapshot's id, and what was counted."""
        session, snapshot_id = self.session(**options), self.fresh()
        radius = session.attempt(statement, parameters, snapshot_id=snapshot_id).radius
        session.complete()
        session.commit()
        session.close()
        return snapshot_id, radius

    def undo(self, snapshot_id: str, mode: RestoreMode = RestoreMode.ALL, **options: object) -> Restored:
        return self.system(**options).restore(snapshot_id, as_snapshot=self.fresh(), mode=mode)

    def fresh(self) -> str:
        return f"snapshot-{next(_numbers)}"

    def dump(self) -> dict[str, list[str]]:
        """Every row of every table as text, which is exact under these settings."""
        self.owner.execute("SET extra_float_digits = 1; SET timezone = 'UTC'; SET datestyle = 'ISO, YMD'")
        tables = [row[0] for row in self.owner.execute(_TABLES)]
        return {
            table: sorted(
                row[0] for row in self.owner.execute(f"SELECT every_row::text FROM ONLY {table} AS every_row")
            )
            for table in tables
        }


def counted(radius: Radius) -> dict[str, int | None]:
    """`{"delete public.orders": 3}`: what a radius says, without reads."""
    return {
        f"{touch.operation} {touch.resource}": touch.count
        for touch in radius.touches
        if touch.operation is not Operation.READ
    }


@pytest.fixture
def guarded(postgres_dsn: str, tmp_path: Path) -> Iterator[Guarded]:
    with psycopg.connect(postgres_dsn, autocommit=True) as owner:
        made = Guarded(postgres_dsn, owner, tmp_path)
        yield made
        for session in made.opened:
            session.close()


@pytest.fixture(scope="session")
def shop_template(postgres_server: str) -> Iterator[str]:
    """A database with the shop and the guard, to be copied: installing takes a second, a copy a tenth."""
    name = "shop_template"
    with psycopg.connect(f"{postgres_server}/postgres", autocommit=True) as connection:
        connection.execute(f"CREATE DATABASE {name}")
        with psycopg.connect(f"{postgres_server}/{name}", autocommit=True) as owner:
            owner.execute((Path(__file__).parent / "shop.sql").read_text(encoding="utf-8"))
        assert install({"dsn": f"{postgres_server}/{name}"}) == ()
        yield name
        connection.execute(f"DROP DATABASE {name} WITH (FORCE)")


@pytest.fixture
def shop(postgres_server: str, shop_template: str, tmp_path: Path) -> Iterator[Guarded]:
    """Orders with two levels of cascade, an audit trail, and the awkward tables of the undo cases."""
    name = f"shop_{next(_numbers)}"
    with psycopg.connect(f"{postgres_server}/postgres", autocommit=True) as connection:
        connection.execute(f"CREATE DATABASE {name} TEMPLATE {shop_template}")
        with psycopg.connect(f"{postgres_server}/{name}", autocommit=True) as owner:
            made = Guarded(f"{postgres_server}/{name}", owner, tmp_path)
            yield made
            for session in made.opened:
                session.close()
        connection.execute(f"DROP DATABASE {name} WITH (FORCE)")
