"""The database of the demo's second act: a real SQLite file, migrated by a real Alembic."""

from __future__ import annotations

import os
import shutil
import sqlite3
import subprocess
import sys
from contextlib import closing
from dataclasses import dataclass
from pathlib import Path

COMPANIES, EXECUTIVES = 1_196, 1_206  # as many as an agent dropped in the incident of July 2025
_PROJECT = Path(__file__).with_name("alembic")


@dataclass(frozen=True, slots=True)
class State:
    """What a person looks at to see whether the data is there. None: the table is gone."""

    companies: int | None
    executives: int | None
    domains: int | None  # how many different companies the executives' addresses name

    @property
    def is_wiped(self) -> bool:
        return self.companies is None and self.executives is None


def build(path: Path) -> None:
    """A fresh database with its tables made by the migration, and filled."""
    path.unlink(missing_ok=True)
    migrate(path, "upgrade head")
    with closing(sqlite3.connect(path)) as plain, plain:
        plain.executemany(
            "INSERT INTO companies (name) VALUES (?)",
            [(f"Company {number}",) for number in range(1, COMPANIES + 1)],
        )
        plain.executemany(
            "INSERT INTO executives (company_id, email) VALUES (?, ?)",
            [
                (number % COMPANIES + 1, f"person{number}@company{number % COMPANIES + 1}.example")
                for number in range(EXECUTIVES)
            ],
        )


def copy(path: Path) -> Path:
    """A copy beside it, for a control."""
    copied = path.with_name("control.db")
    shutil.copyfile(path, copied)
    return copied


def migrate(path: Path, command: str) -> None:
    """Run Alembic on the database, as an agent's shell would. Raises RuntimeError."""
    where = ["-c", str(path.with_suffix(".ini"))]
    path.with_suffix(".ini").write_text(f"[alembic]\nscript_location = {_PROJECT}\n", encoding="utf-8")
    done = subprocess.run(  # noqa: S603 - a fixed program on the demo's own file
        [sys.executable, "-m", "alembic", *where, *command.split()],
        env={**os.environ, "DATABASE_URL": f"sqlite:///{path}", "PYTHONDONTWRITEBYTECODE": "1"},
        capture_output=True,
        text=True,
        check=False,
    )
    if done.returncode:
        raise RuntimeError(f"alembic {command} failed:\n{done.stderr}")


def state(path: Path) -> State:
    """What is in the database now."""
    with closing(sqlite3.connect(path)) as plain:
        tables = {name for (name,) in plain.execute("SELECT name FROM sqlite_master WHERE type = 'table'")}
        if not {"companies", "executives"} <= tables:
            return State(None, None, None)
        [(companies,)] = plain.execute("SELECT count(*) FROM companies")
        [(executives, domains)] = plain.execute(
            "SELECT count(*), count(DISTINCT substr(email, instr(email, '@'))) FROM executives"
        )
        return State(companies, executives, domains)


def rows(path: Path) -> list[tuple[object, ...]]:
    """Every row of every table, to compare bit for bit."""
    with closing(sqlite3.connect(path)) as plain:
        return [
            row
            for table in ("companies", "executives")
            for row in plain.execute(f"SELECT '{table}', * FROM {table} ORDER BY id")  # noqa: S608
        ]
