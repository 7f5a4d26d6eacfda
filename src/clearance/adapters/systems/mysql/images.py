"""Image tables: native typed copies of rows, kept in the guard's own schema. Builds statements, sends none.

A copy is exact because both columns have one type and no value passes through text or Python.
"""

# ruff: noqa: S608 - names are quoted and values are literals of `connect.literal`; nothing else is put in

from __future__ import annotations

from collections.abc import Sequence
from hashlib import blake2b

from msgspec import Struct

from clearance.adapters.systems.mysql.catalogue import Column, ForeignKey, Table
from clearance.adapters.systems.mysql.connect import quoted
from clearance.core.classify.mysql_words import GUARD_SCHEMA

FIRST, BEFORE, AFTER, LAST = -1, 0, 1, 2
_TEXT = frozenset({"char", "varchar", "tinytext", "text", "mediumtext", "longtext", "json"})
_WHOLE = frozenset({"tinyint", "smallint", "mediumint", "int", "bigint", "decimal", "year"})
_NUMBERED = frozenset({"enum", "set", "bit"})
_FLOATS = frozenset({"float", "double", "real"})
_SHAPES = {"geometry", "point", "linestring", "polygon", "geometrycollection", "geomcollection"}
_OPAQUE = frozenset({*_SHAPES, "multipoint", "multilinestring", "multipolygon", "vector"})


class Image(Struct, frozen=True, kw_only=True):
    """The image table of one table in one shape: a table that is altered gets another."""

    table: Table
    name: str

    @property
    def columns(self) -> tuple[Column, ...]:
        return self.table.stored

    def column(self, name: str) -> str:
        """The image's column that holds a column of the table."""
        lower = name.lower()
        return next(f"c{at}" for at, one in enumerate(self.columns) if one.name.lower() == lower)

    @property
    def quoted(self) -> str:
        return quoted(GUARD_SCHEMA, self.name)


def shape(table: Table) -> str:
    """What an image rests on: every column in order, and the key."""
    parts = [f"{one.name}\0{one.type}\0{one.collation}\0{one.generated}" for one in table.columns]
    text = "\1".join((*table.name, *parts, "\2".join(table.key)))
    return blake2b(text.encode(), digest_size=15).hexdigest()


def image_of(table: Table) -> Image:
    return Image(table=table, name=f"img_{shape(table)}")


def number_of(snapshot_id: str) -> int:
    """The number that stands for a snapshot in every image row: 63 bits of a hash, so that none is drawn."""
    return int.from_bytes(blake2b(snapshot_id.encode(), digest_size=8).digest(), "big") >> 1


def create(image: Image) -> str:
    """CREATE TABLE for the image; nullable, without defaults, keyed by snapshot, phase and the row's key."""
    keys = [image.column(name) for name in image.table.key]
    columns = ", ".join(
        f"c{at} {_definition(one, keyed=f'c{at}' in keys)}" for at, one in enumerate(image.columns)
    )
    return (
        f"CREATE TABLE IF NOT EXISTS {image.quoted} (n BIGINT NOT NULL, phase TINYINT NOT NULL,"
        f" mark TINYINT NOT NULL DEFAULT 0, {columns},"
        f" PRIMARY KEY (n, phase, {', '.join(keys)})) ENGINE=InnoDB ROW_FORMAT=DYNAMIC CHARACTER SET utf8mb4"
    )


def _definition(column: Column, *, keyed: bool) -> str:
    charset = f" CHARACTER SET {column.charset} COLLATE {column.collation}" if column.charset else ""
    kind = "longtext" if column.base == "json" and column.charset else column.type
    return f"{kind}{charset}{' NOT NULL' if keyed else ' NULL DEFAULT NULL'}"


def fence(image: Image, number: int) -> str:
    """Two empty rows around a snapshot's images: a lock on the range between them shuts nobody else out."""
    return f"INSERT IGNORE INTO {image.quoted} (n, phase) VALUES ({number}, {FIRST}), ({number}, {LAST})"


def listed(image: Image) -> str:
    return ", ".join(f"c{at}" for at in range(len(image.columns)))


def selected(image: Image, alias: str) -> str:
    return ", ".join(f"{quoted(alias)}.{quoted(one.name)}" for one in image.columns)


def insert(image: Image) -> str:
    return f"INSERT INTO {image.quoted} (n, phase, {listed(image)})"


def key_of(image: Image, alias: str) -> str:
    """The key's columns of the table itself: `(t.a, t.b)`."""
    return "(" + ", ".join(f"{quoted(alias)}.{quoted(name)}" for name in image.table.key) + ")"


def image_key(image: Image, alias: str) -> str:
    return "(" + ", ".join(f"{alias}.{image.column(name)}" for name in image.table.key) + ")"


def same_key(image: Image, alias: str, images: str) -> str:
    """A row of the table and a row of its image have one key."""
    return " AND ".join(
        f"{quoted(alias)}.{quoted(name)} = {images}.{image.column(name)}" for name in image.table.key
    )


def same_image_key(image: Image, one: str, two: str) -> str:
    return " AND ".join(
        f"{one}.{image.column(name)} = {two}.{image.column(name)}" for name in image.table.key
    )


def equal(image: Image, one: str, two: str, *, live: str = "") -> str:
    """Every stored column is bit for bit the same; `live` is the alias that stands for the table itself."""
    parts = []
    for at, column in enumerate(image.columns):
        left = f"{quoted(one)}.{quoted(column.name)}" if one == live else f"{one}.c{at}"
        right = f"{quoted(two)}.{quoted(column.name)}" if two == live else f"{two}.c{at}"
        parts.append(_same(column, left, right))
    return " AND ".join(parts)


def _same(column: Column, left: str, right: str) -> str:
    if column.base in _TEXT:
        return f"CAST({left} AS BINARY) <=> CAST({right} AS BINARY)"
    if column.base in _NUMBERED:
        return f"{left} + 0 <=> {right} + 0"
    if column.base in _FLOATS:  # the number, and the sign of a zero
        return f"{left} <=> {right} AND CAST({left} AS CHAR) <=> CAST({right} AS CHAR)"
    if column.base in _OPAQUE:
        return f"HEX({left}) <=> HEX({right})"
    return f"{left} <=> {right}"


def capture_children(image: Image, parent: Image, key: ForeignKey, number: int) -> str:
    """The rows that refer to what was captured of the parent and are not captured yet."""
    child = ", ".join(f"t.{quoted(name)}" for name in key.columns)
    referred = ", ".join(f"p.{parent.column(name)}" for name in key.parent_columns)
    return (
        f"{insert(image)} SELECT {number}, {BEFORE}, {selected(image, 't')}"
        f" FROM {quoted(*image.table.name)} AS t"
        f" WHERE ({child}) IN (SELECT {referred} FROM {parent.quoted} p"
        f" WHERE p.n = {number} AND p.phase = {BEFORE})"
        f" AND {not_captured(image, 't', number)} FOR UPDATE"
    )


def not_captured(image: Image, alias: str, number: int) -> str:
    return (
        f"NOT EXISTS (SELECT 1 FROM {image.quoted} i WHERE i.n = {number} AND i.phase = {BEFORE}"
        f" AND {same_key(image, alias, 'i')})"
    )


def capture_after(image: Image, number: int, *, of: int | None = None) -> str:
    """The rows as they are now, of every key that `of` has a before-image of."""
    return (
        f"{insert(image)} SELECT {number}, {AFTER}, {selected(image, 't')}"
        f" FROM {image.quoted} i STRAIGHT_JOIN {quoted(*image.table.name)} AS t"
        f" ON {same_key(image, 't', 'i')}"
        f" WHERE i.n = {of if of is not None else number} AND i.phase = {BEFORE} FOR UPDATE"
    )


def drop_unchanged(image: Image, number: int) -> str:
    return (
        f"DELETE b, a FROM {image.quoted} b JOIN {image.quoted} a ON a.n = b.n AND a.phase = {AFTER}"
        f" AND {same_image_key(image, 'a', 'b')} WHERE b.n = {number} AND b.phase = {BEFORE}"
        f" AND {equal(image, 'a', 'b')}"
    )


def count_present(image: Image, number: int) -> str:
    """How many of the rows that were copied are there still."""
    return (
        f"SELECT COUNT(*) FROM {image.quoted} i STRAIGHT_JOIN {quoted(*image.table.name)} AS t"
        f" ON {same_key(image, 't', 'i')} WHERE i.n = {number} AND i.phase = {BEFORE} LOCK IN SHARE MODE"
    )


def count_rows(image: Image, number: int, phase: int) -> str:
    return f"SELECT COUNT(*) FROM {image.quoted} WHERE n = {number} AND phase = {phase} LOCK IN SHARE MODE"


def checksum(image: Image, number: int, *, crc: bool) -> str:
    """One number over every image of a snapshot; a changed value changes it (but for one chance in 2^60).

    `crc`: by two redundancy checks, multiplied and added up, which a server of MariaDB 10.8 on has: 8 ms for
    10,000 rows, where MD5 takes 18.
    """
    cells = ", ".join(f"COALESCE({_bytes(one, f'c{at}')}, x'FF')" for at, one in enumerate(image.columns))
    sizes = [f"LENGTH(c{at})" for at, one in enumerate(image.columns) if one.base not in _WHOLE]
    row = f"CONCAT_WS(x'00', {', '.join(['phase', cells, *sizes])})"
    digest = (
        f"COALESCE(SUM((CRC32({row}) | 1) * CRC32C({row})), 0) % 18446744073709551616"
        if crc
        else f"COALESCE(BIT_XOR(CAST(CONV(LEFT(MD5({row}), 16), 16, 10) AS UNSIGNED)), 0)"
    )
    return (
        f"SELECT COALESCE(SUM(phase = {BEFORE}), 0), COALESCE(SUM(phase = {AFTER}), 0), {digest}"
        f" FROM {image.quoted} WHERE n = {number} AND phase IN ({BEFORE}, {AFTER}) LOCK IN SHARE MODE"
    )


def _bytes(column: Column, name: str) -> str:
    if column.base in _WHOLE:
        return name
    return f"CAST({_exact(column, name)} AS BINARY)"


def _exact(column: Column, name: str) -> str:
    if column.base == "float":
        return f"{name} * 1e0"  # as text, a FLOAT shows six digits
    return f"{name} + 0" if column.base in _NUMBERED else name


def keys_sample(image: Image, number: int, phase: int, most: int) -> str:
    keys = ", ".join(image.column(name) for name in image.table.key)
    return (
        f"SELECT {keys} FROM {image.quoted} WHERE n = {number} AND phase = {phase} ORDER BY {keys}"
        f" LIMIT {most} LOCK IN SHARE MODE"
    )


def key_text(values: Sequence[object]) -> str:
    """A key as a report names it: `17`, or `17, de`."""
    return ", ".join(value.hex() if isinstance(value, bytes) else str(value) for value in values)
