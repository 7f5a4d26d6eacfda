"""Deferrable unique constraints, checked by hand: their own check is a trigger, quiet in an undo."""

# ruff: noqa: S608  names come quoted from the catalogue

from __future__ import annotations

from clearance.adapters.systems.postgres.connection import Connection
from clearance.adapters.systems.postgres.targets import Target
from clearance.errors import RecoveryError

_DEFERRABLE = """
SELECT c.contype::text, pg_catalog.quote_ident(c.conname),
    pg_catalog.array_agg(pg_catalog.quote_ident(a.attname)),
    coalesce((pg_catalog.to_jsonb(i) ->> 'indnullsnotdistinct')::boolean, false)
FROM pg_catalog.pg_constraint c
JOIN pg_catalog.pg_index i ON i.indexrelid = c.conindid
JOIN pg_catalog.pg_attribute a ON a.attrelid = c.conrelid AND a.attnum = ANY (c.conkey)
WHERE c.conrelid = %s AND c.condeferrable AND c.contype IN ('p', 'u', 'x')
GROUP BY c.oid, c.contype, c.conname, i.*
"""


def refuse_duplicates(connection: Connection, target: Target) -> None:
    """Raises RecoveryError where a restored value is taken, or where that cannot be told (EXCLUDE)."""
    for kind, name, columns, counts_nulls in connection.execute(_DEFERRABLE, (target.relid,)).fetchall():
        if kind == "x":
            raise RecoveryError(
                f"{name} of {target.name} is deferrable, and its check cannot be repeated here"
            )
        listed = ", ".join(columns)
        given = "" if counts_nulls else f" WHERE ({listed}) IS NOT NULL"
        query = f"SELECT 1 FROM {target.name}{given} GROUP BY {listed} HAVING count(*) > 1 LIMIT 1"
        if connection.execute(query.encode()).fetchone() is not None:
            raise RecoveryError(f"a value that {name} of {target.name} keeps unique was taken since")
