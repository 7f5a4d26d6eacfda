"""Snapshots taken beforehand: rows read into images, how things stood after, whole reading, forgetting.

Speaks only to the guard's own tables and reads the tables named; it changes no row of theirs.
"""

# ruff: noqa: S608  names come quoted from the catalogue, numbers from the guard; values are parameters

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime

import psycopg
from msgspec import Struct

from clearance.adapters.systems.postgres.connection import Connection
from clearance.adapters.systems.postgres.tables import Named, load_table, quoted
from clearance.adapters.systems.postgres.targets import Target, load_targets
from clearance.core.model import Reversibility, Saved
from clearance.errors import NotFoundError, RecoveryError

_CHUNK = 500  # images in one array: 50 kB of rows of 100 bytes
_SHAPE = """
SELECT coalesce((SELECT shape FROM clearance_guard.shapes
                 WHERE relid = %(relid)s AND columns = clearance_guard.shape_of(%(relid)s)),
                clearance_guard.shape_for(%(relid)s)),
       clearance_guard.columns_of(%(relid)s, 't.')
"""
_ROW = """
SELECT number, kind, at, settled, complete, irreversible FROM clearance_guard.snapshots WHERE snapshot_id = %s
"""
# Only the rows named are kept: where something may follow from their change elsewhere, that is told.
_FOLLOWS = """
UPDATE clearance_guard.snapshots SET irreversible = irreversible
    || format('What a cascade or a trigger of %%s changes elsewhere is not kept.', %(name)s::text)
WHERE number = %(number)s AND (
    EXISTS (SELECT FROM pg_constraint WHERE contype = 'f' AND confrelid = %(relid)s
            AND (confdeltype IN ('c', 'n', 'd') OR confupdtype IN ('c', 'n', 'd')))
    OR EXISTS (SELECT FROM pg_trigger WHERE tgrelid = %(relid)s AND NOT tgisinternal
               AND tgname NOT LIKE 'clearance\\_%%'))
"""
_WHOLE = """
SELECT count(*) FILTER (WHERE sign < 0), count(*) FILTER (WHERE sign > 0),
    coalesce(sum(octet_length(r::text)), 0)
FROM (SELECT i.sign, unnest(i.rows) AS r FROM {image} i WHERE i.snapshot = %(number)s) each
"""


class Found(Struct, frozen=True, kw_only=True):
    """What the guard says of one snapshot."""

    number: int
    kind: str
    at: datetime
    settled: bool
    complete: bool
    irreversible: tuple[str, ...]


def look_up(connection: Connection, snapshot_id: str) -> Found | None:
    row = connection.execute(_ROW, (snapshot_id,)).fetchone()
    if row is None:
        return None
    number, kind, at, settled, complete, irreversible = row
    return Found(
        number=number,
        kind=kind,
        at=at,
        settled=settled,
        complete=complete,
        irreversible=tuple(irreversible),
    )


def save(
    connection: Connection, names: Sequence[str], *, ids: tuple[str, ...] | None, snapshot_id: str, most: int
) -> None:
    """Keep the rows as they are now; commits. Under an id that exists already, what was kept stays."""
    connection.execute("SET TRANSACTION ISOLATION LEVEL REPEATABLE READ")
    made = connection.execute(
        "INSERT INTO clearance_guard.snapshots (snapshot_id, kind, settled) VALUES (%s, 'saved', false)"
        " ON CONFLICT DO NOTHING RETURNING number",
        (snapshot_id,),
    ).fetchone()
    if made is not None:
        for table in dict.fromkeys(_tables(connection, names, ids)):
            _keep(connection, table, ids=ids, number=int(made[0]), most=most)
            connection.execute(_FOLLOWS, {"relid": table.relid, "number": made[0], "name": table.name})
    connection.commit()


def settle(connection: Connection, snapshot_id: str) -> None:
    """Keep how the rows stand now beside how they stood; commits. Once, and only for what was saved."""
    row = connection.execute(
        "UPDATE clearance_guard.snapshots SET settled = true"
        " WHERE snapshot_id = %s AND kind = 'saved' AND NOT settled RETURNING number",
        (snapshot_id,),
    ).fetchone()
    if row is not None:
        scopes = connection.execute(
            "SELECT c.relid::regclass::text, c.keys, s.columns = clearance_guard.shape_of(c.relid)"
            " FROM clearance_guard.scopes c JOIN clearance_guard.shapes s USING (shape)"
            " WHERE c.snapshot = %s",
            (row[0],),
        ).fetchall()
        for name, keys, same in scopes:
            table = load_table(connection, name) if same else None
            if table is not None:
                _images(connection, table, ids=keys, number=int(row[0]), sign=1)
    connection.commit()


def read_whole(connection: Connection, snapshot_id: str, *, system: str, fingerprint: str) -> Saved:
    """Read every image. Raises NotFoundError, RecoveryError."""
    found = look_up(connection, snapshot_id)
    if found is None:
        raise NotFoundError(f"there is no snapshot `{snapshot_id}` in this database")
    targets = load_targets(connection, found.number)
    rows = size = 0
    for target in targets:
        olds, news, octets = _whole(connection, target, found.number)
        rows += max(olds, news)
        size += octets
    exact = found.complete and (found.kind == "captured" or not found.irreversible)
    return Saved(
        snapshot_id=snapshot_id,
        system=system,
        fingerprint=fingerprint,
        at=found.at,
        resources=tuple(target.name for target in targets),
        count=rows,
        bytes=size,
        reversibility=Reversibility.EXACT if exact else Reversibility.NONE,
        irreversible=found.irreversible,
    )


def forget(connection: Connection, snapshot_id: str) -> None:
    """Remove images and all that speaks of them; commits."""
    found = look_up(connection, snapshot_id)
    if found is not None:
        for target in load_targets(connection, found.number):
            connection.execute(f"DELETE FROM {target.image} WHERE snapshot = %s".encode(), (found.number,))
        for table, column in (("events", "snapshot"), ("scopes", "snapshot"), ("snapshots", "number")):
            connection.execute(
                f"DELETE FROM clearance_guard.{table} WHERE {column} = %s".encode(), (found.number,)
            )
    connection.commit()


def _tables(connection: Connection, names: Sequence[str], ids: Sequence[str] | None) -> list[Named]:
    tables = []
    for name in names:
        table = load_table(connection, name)
        if table is None:
            raise RecoveryError(
                f"`{name}` is no table of this database; check what the resource is mapped to"
            )
        if ids is not None and not table.key:
            raise RecoveryError(f"{table.name} has no primary key of one column to find record ids by")
        tables.append(table)
    return tables


def _keep(
    connection: Connection, table: Named, *, ids: tuple[str, ...] | None, number: int, most: int
) -> None:
    given = {"ids": [] if ids is None else list(ids)}
    query = f"SELECT count(*) FROM {table.source} t WHERE {table.chosen(ids, alias='t')}"
    counted = connection.execute(query.encode(), given).fetchone()
    if counted is None or counted[0] > most:
        raise RecoveryError(f"{table.name} has more rows to keep than most_rows ({most}) allows")
    keys = None
    if ids is not None:
        canonical = f"SELECT array_agg(k::text) FROM unnest(%(ids)s::text[]::{table.type}[]) k"
        row = connection.execute(canonical.encode(), given).fetchone()
        keys = (row[0] if row else None) or []
    shape = _images(connection, table, ids=ids, number=number, sign=-1)
    connection.execute(
        "INSERT INTO clearance_guard.scopes VALUES (%s, %s, %s, %s)", (number, shape, table.relid, keys)
    )


def _images(
    connection: Connection, table: Named, *, ids: Sequence[str] | None, number: int, sign: int
) -> int:
    row = connection.execute(_SHAPE, {"relid": table.relid}).fetchone()
    assert row is not None
    shape, columns = row
    query = f"""
        WITH kept AS (
            INSERT INTO clearance_guard.image_{shape}
            SELECT %(number)s, %(sign)s, array_agg(g.r) FROM (
                SELECT ROW({quoted(columns)})::clearance_guard.row_{shape} AS r,
                    (row_number() OVER () - 1) / {_CHUNK} AS chunk
                FROM {table.source} t WHERE {table.chosen(ids, alias="t")}
            ) g GROUP BY g.chunk RETURNING cardinality(rows) AS n
        )
        INSERT INTO clearance_guard.events (snapshot, shape, relid, operation, olds, news)
        SELECT %(number)s, {shape}, {table.relid}, %(operation)s,
            CASE WHEN %(sign)s < 0 THEN coalesce(sum(n), 0) ELSE 0 END,
            CASE WHEN %(sign)s > 0 THEN coalesce(sum(n), 0) ELSE 0 END FROM kept"""
    given = {"number": number, "sign": sign, "operation": "SAVE" if sign < 0 else "SETTLE"}
    connection.execute(query.encode(), given | {"ids": [] if ids is None else list(ids)})
    return int(shape)


def _whole(connection: Connection, target: Target, number: int) -> tuple[int, int, int]:
    """The images of one table, each read to its last byte. Raises RecoveryError."""
    expected = connection.execute(
        "SELECT coalesce(sum(olds), 0)::bigint, coalesce(sum(news), 0)::bigint FROM clearance_guard.events"
        " WHERE snapshot = %s AND shape = %s",
        (number, target.shape),
    ).fetchone()
    try:
        row = connection.execute(_WHOLE.format(image=target.image).encode(), {"number": number}).fetchone()
    except psycopg.Error as error:
        raise RecoveryError(f"the images of {target.name} cannot be read ({error.sqlstate})") from None
    if row is None or expected is None or (row[0], row[1]) != tuple(expected):
        raise RecoveryError(f"images of {target.name} are missing, or are more than were taken")
    return row[0], row[1], row[2]
