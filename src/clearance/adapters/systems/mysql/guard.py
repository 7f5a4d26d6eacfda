"""The guard's own schema on the server: made once, and the rows that say which snapshots there are."""

# ruff: noqa: S608 - names are quoted and values are literals of `connect.literal`; nothing else is put in

from __future__ import annotations

from datetime import UTC, datetime
from importlib.resources import files

import msgspec
import pymysql
from msgspec import Struct

from clearance.adapters.systems.mysql.catalogue import Name, Table
from clearance.adapters.systems.mysql.connect import Link, code, literal, quoted
from clearance.adapters.systems.mysql.images import Image, create, image_of
from clearance.core.classify.mysql_words import GUARD_SCHEMA
from clearance.core.model import Environment, Reversibility
from clearance.errors import RecoveryError, SystemUnavailableError

_NO_SUCH = (1049, 1146)  # database, table
_SNAPSHOTS = quoted(GUARD_SCHEMA, "snapshots")
_TABLES = quoted(GUARD_SCHEMA, "snapshot_tables")


class Part(Struct, frozen=True, kw_only=True):
    """What a snapshot holds of one table."""

    name: Name
    image: str
    before: int
    after: int
    checksum: int


class Kept(Struct, frozen=True, kw_only=True):
    """One snapshot as its row says."""

    number: int
    snapshot_id: str
    fingerprint: str
    at: datetime
    state: str
    reversibility: Reversibility
    irreversible: tuple[str, ...]
    undone_by: str
    parts: tuple[Part, ...]


def install(link: Link) -> None:
    """Make the guard's schema where it is missing; commits what is open. Raises the driver's error."""
    text = files(__package__).joinpath("guard.sql").read_text(encoding="utf-8")
    for statement in text.split(";"):
        if statement.strip():
            link.run(statement)
    link.raw.commit()


def is_installed(link: Link) -> bool:
    try:
        link.row(f"SELECT COUNT(*) FROM {_TABLES} WHERE n = 0")
    except pymysql.err.MySQLError as error:
        if code(error) in _NO_SUCH:
            return False
        raise
    return True


def make_images(link: Link, tables: list[Table], *, there: set[str] | None = None) -> None:
    """Image tables for these tables, on a link that has nothing open: CREATE TABLE commits.

    `there` are the names of those that were seen to be there, and grows.
    """
    wanted = {image_of(table).name: image_of(table) for table in tables if table.key}
    seen = set() if there is None else there
    if set(wanted) <= seen:
        return
    listed = ", ".join(literal(name) for name in sorted(wanted))
    rows = link.rows(
        f"SELECT TABLE_NAME FROM information_schema.TABLES WHERE TABLE_SCHEMA = {literal(GUARD_SCHEMA)}"
        f" AND TABLE_NAME IN ({listed})"
    )
    for name in sorted(set(wanted) - {str(row[0]) for row in rows}):
        link.run(f"SET SESSION sql_mode='{link.image_mode}'")
        link.run(create(wanted[name]))
        link.run(f"SET SESSION sql_mode='{link.agent_mode}'")
    seen |= set(wanted)


def environment(link: Link) -> Environment:
    """What the marker on the server says; UNKNOWN where there is none, or more than one."""
    try:
        rows = link.rows(f"SELECT environment FROM {quoted(GUARD_SCHEMA, 'marker')}")
    except pymysql.err.MySQLError as error:
        if code(error) in (*_NO_SUCH, 1142, 1044):
            return Environment.UNKNOWN
        raise
    known = {str(one) for one in Environment}
    found = {str(row[0]).lower() for row in rows}
    return Environment(found.pop()) if len(found) == 1 and found <= known else Environment.UNKNOWN


def write(
    link: Link,
    snapshot_id: str,
    number: int,
    *,
    state: str,
    reversibility: Reversibility,
    why: tuple[str, ...],
) -> str:
    """The statement that writes the snapshot's own row."""
    return (
        f"INSERT INTO {_SNAPSHOTS} (n, snapshot_id, fingerprint, at, state, reversibility, irreversible)"
        f" VALUES ({number}, {literal(snapshot_id)}, {literal(link.fingerprint)}, UTC_TIMESTAMP(6),"
        f" '{state}', '{reversibility}', {literal(msgspec.json.encode(why).decode())})"
    )


def write_part(number: int, image: Image, counts: tuple[int, int, int]) -> str:
    """The statement that writes what a snapshot holds of one table."""
    one, two = (literal(part) for part in image.table.name)
    return (
        f"REPLACE INTO {_TABLES} (n, schema_name, table_name, image, before_rows, after_rows, checksum)"
        f" VALUES ({number}, {one}, {two}, {literal(image.name)}, {counts[0]}, {counts[1]}, {counts[2]})"
    )


def change_state(link: Link, number: int, *, state: str, undone_by: str = "") -> None:
    by = f", undone_by = {literal(undone_by)}" if undone_by else ""
    link.run(f"UPDATE {_SNAPSHOTS} SET state = '{state}'{by} WHERE n = {number}")


def read(link: Link, snapshot_id: str) -> Kept | None:
    """The snapshot, its row locked until the transaction ends. None where there is none."""
    row = link.row(
        "SELECT n, snapshot_id, fingerprint, at, state, reversibility, irreversible, COALESCE(undone_by, '')"
        f" FROM {_SNAPSHOTS} WHERE snapshot_id = {literal(snapshot_id)} FOR UPDATE"
    )
    if not row:
        return None
    parts = link.rows(
        "SELECT schema_name, table_name, image, before_rows, after_rows, checksum"
        f" FROM {_TABLES} WHERE n = {row[0]} ORDER BY 1, 2 LOCK IN SHARE MODE"
    )
    return Kept(
        number=int(row[0]),
        snapshot_id=str(row[1]),
        fingerprint=str(row[2]),
        at=row[3].replace(tzinfo=UTC),
        state=str(row[4]),
        reversibility=Reversibility(row[5]),
        irreversible=tuple(msgspec.json.decode(row[6])),
        undone_by=str(row[7]),
        parts=tuple(
            Part(name=(part[0], part[1]), image=part[2], before=part[3], after=part[4], checksum=part[5])
            for part in parts
        ),
    )


def remove(link: Link, kept: Kept) -> None:
    for part in kept.parts:
        link.run(f"DELETE FROM {quoted(GUARD_SCHEMA, part.image)} WHERE n = {kept.number}")
    link.run(f"DELETE FROM {_TABLES} WHERE n = {kept.number}")
    link.run(f"DELETE FROM {_SNAPSHOTS} WHERE n = {kept.number}")


def require(link: Link) -> None:
    """Make the guard's schema where it is missing. Raises SystemUnavailableError where it may not be made."""
    if is_installed(link):
        return
    try:
        install(link)
    except pymysql.err.MySQLError as error:
        raise SystemUnavailableError(
            f"system `{link.name}`: the database {GUARD_SCHEMA} is missing and could not be made; let an"
            " administrator run `install`, and grant the account all rights on it"
        ) from error


def unreadable(snapshot_id: str, why: str) -> RecoveryError:
    return RecoveryError(f"snapshot {snapshot_id}: {why}")
