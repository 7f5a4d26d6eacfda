"""Putting the guard into a database, and taking it out. One table a transaction: no lock is held for long."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import psycopg
from psycopg import sql as composed

from clearance.adapters.systems.postgres.connection import Connection, connect, reached, sql
from clearance.adapters.systems.postgres.options import GUARD, Options, read_options


def install(
    options: Mapping[str, Any], *, roles: Sequence[str] = (), undo_roles: Sequence[str] = ()
) -> tuple[str, ...]:
    """Cover every table; again after an upgrade, or after DDL where event triggers are not allowed.

    `options` are a system's; of them only the dsn counts. `roles` may be guarded (theirs is the session),
    `undo_roles` may save and restore. Returns what it could not do, as sentences. Raises ConfigurationError,
    SystemUnavailableError.
    """
    notes: list[str] = []
    connection = _owner(options)
    try:
        with reached("install the guard"):
            connection.execute(sql("guard").encode())
            _grant(connection, roles, undo_roles)
            connection.commit()
        notes += _watch_ddl(connection)
        notes += _cover(connection)
    finally:
        connection.close()
    return tuple(notes)


def uninstall(options: Mapping[str, Any]) -> None:
    """Remove the guard and every image. Nothing can be undone afterwards. Raises as `install` does."""
    connection = _owner(options)
    try:
        with reached("remove the guard"):
            connection.execute("DROP EVENT TRIGGER IF EXISTS clearance_guard_ddl")
            functions = connection.execute(
                "SELECT oid::regprocedure::text FROM pg_catalog.pg_proc"
                " WHERE pronamespace = pg_catalog.to_regnamespace(%s) AND proname ~ '^capture_[0-9]+$'",
                (GUARD,),
            ).fetchall()
            connection.commit()
            for (name,) in functions:
                connection.execute(f"DROP FUNCTION {name} CASCADE".encode())
                connection.commit()
            connection.execute(f"DROP SCHEMA IF EXISTS {GUARD} CASCADE")
            connection.commit()
    finally:
        connection.close()


def _owner(options: Mapping[str, Any]) -> Connection:
    """A connection that may take its time: locks on busy tables are waited for, one table after the other."""
    dsn = read_options("postgres", options).main
    return connect(dsn, Options(dsn=dsn, statement_timeout_seconds=600))


def _grant(connection: Connection, roles: Sequence[str], undo_roles: Sequence[str]) -> None:
    schema = composed.Identifier(GUARD)
    for role in (*roles, *undo_roles):
        who = composed.Identifier(role)
        connection.execute(composed.SQL("GRANT USAGE ON SCHEMA {} TO {}").format(schema, who))
        for function in ("arm(text)", "captured(bigint)", "note(bigint, boolean, text[])"):
            grant = f"GRANT EXECUTE ON FUNCTION {GUARD}.{function} TO "
            connection.execute(composed.SQL(grant).format() + who)
    for role in undo_roles:
        who = composed.Identifier(role)
        for what in (
            "ALL TABLES IN SCHEMA {} TO {}",
            "ALL FUNCTIONS IN SCHEMA {} TO {}",
            "ALL SEQUENCES IN SCHEMA {} TO {}",
        ):
            connection.execute(composed.SQL("GRANT ALL ON " + what).format(schema, who))
        default = "ALTER DEFAULT PRIVILEGES IN SCHEMA {} GRANT ALL ON TABLES TO {}"
        connection.execute(composed.SQL(default).format(schema, who))


def _watch_ddl(connection: Connection) -> list[str]:
    try:
        connection.execute(sql("guard_events").encode())
        connection.commit()
    except psycopg.errors.InsufficientPrivilege:
        connection.rollback()
        return [
            "This role may not create event triggers: install again after every change of a table's shape, "
            "or what happens to new tables and columns is counted, but cannot be undone."
        ]
    return []


def _cover(connection: Connection) -> list[str]:
    notes = []
    with reached("list the tables"):
        tables = connection.execute(
            "SELECT oid, oid::regclass::text FROM clearance_guard.coverable_tables() oid"
        ).fetchall()
        connection.commit()
    for relid, name in tables:
        try:
            connection.execute("SELECT clearance_guard.cover(%s)", (relid,))
            connection.commit()
        except psycopg.Error as error:
            connection.rollback()
            notes.append(f"{name} is not watched ({error.sqlstate}): its changes are counted, never undone.")
    return notes
