"""An undo of rows that nobody changed since: no row is marked, and nothing is left out.

Finds out first that every row is as the change left it. Where one is not, or a value or a parent is taken,
it takes back what it did and says so; the undo row by row decides then. Commits nothing.
"""

# ruff: noqa: S608 - names are quoted; nothing else is put in

from __future__ import annotations

from collections.abc import Sequence

import pymysql
from msgspec import Struct

from clearance.adapters.systems.mysql import images
from clearance.adapters.systems.mysql import restore_sql as sql
from clearance.adapters.systems.mysql.catalogue import foreign_keys, unique_keys
from clearance.adapters.systems.mysql.connect import Link, quoted
from clearance.adapters.systems.mysql.guard import Part
from clearance.adapters.systems.mysql.images import AFTER, BEFORE, Image

_POINT = "clearance_whole"


class Whole(Struct, frozen=True, kw_only=True):
    """One table of a snapshot: rows that the change took away, added, and altered."""

    image: Image
    taken: int
    added: int
    altered: int

    @property
    def rows(self) -> int:
        return self.taken + self.added + self.altered


def put_back_whole(
    link: Link, side: Link, held: Sequence[Image], parts: Sequence[Part], *, number: int
) -> list[Whole] | None:
    """None, and nothing changed, where the undo needs to look at every row."""
    link.run(f"SAVEPOINT {_POINT}")
    found = [_counted(link, image, part, number) for image, part in zip(held, parts, strict=True)]
    if all(_as_left(link, one, number) for one in found):
        try:
            if _put(link, side, found, number):
                return found
        except pymysql.err.IntegrityError:
            pass
    link.run(f"ROLLBACK TO SAVEPOINT {_POINT}")
    return None


def _counted(link: Link, image: Image, part: Part, number: int) -> Whole:
    both = link.number(_pairs(image, number)) if part.before and part.after else 0
    return Whole(image=image, taken=part.before - both, added=part.after - both, altered=both)


def _as_left(link: Link, one: Whole, number: int) -> bool:
    """Whether each row is bit for bit as the change left it, and what it took is away. Locks them all."""
    if one.added + one.altered:
        there = link.number(_present(one.image, number, phase=AFTER, equal=True))
        if there != one.added + one.altered:
            return False
    return not one.taken or link.number(_present(one.image, number, phase=BEFORE, lonely=True)) == 0


def _put(link: Link, side: Link, found: Sequence[Whole], number: int) -> bool:
    """Whether every row could be put back; foreign keys are switched off, and verified here."""
    unique = {one.image.table.name: unique_keys(side, one.image.table.name) for one in found}
    in_place = [
        one for one in found if one.altered and not (one.taken or one.added or unique[one.image.table.name])
    ]
    others = [one for one in found if one not in in_place]
    for one in others:
        if one.added + one.altered:
            link.run(_delete(one.image, number))
    for one in others:
        stored = {column.name.lower() for column in one.image.columns}
        for columns in unique[one.image.table.name]:
            known = {name.lower() for name in columns} <= stored
            if known and link.run(sql.mark_taken(one.image, number, columns)).rowcount:
                return False
    for one in others:
        if one.taken + one.altered:
            link.run(sql.put_back(one.image, number))
    for one in in_place:
        link.run(_overwrite(one.image, number))
    return _keys_hold(link, side, found, number)


def _keys_hold(link: Link, side: Link, found: Sequence[Whole], number: int) -> bool:
    by_name = {one.image.table.name: one.image for one in found}
    for key in foreign_keys(side, {name[0] for name in by_name}):
        if key.child in by_name and link.run(sql.mark_orphans(by_name[key.child], number, key)).rowcount:
            return False
        if key.parent in by_name:
            image = by_name[key.parent]
            if link.run(sql.mark_referred(image, number, number, key, phase=AFTER)).rowcount:
                return False
    return True


def is_verified(link: Link, one: Whole, number: int) -> bool:
    """Read again what was written: every former row bit for bit, and no row that the change added."""
    if one.taken + one.altered:
        there = link.number(_present(one.image, number, phase=BEFORE, equal=True))
        if there != one.taken + one.altered:
            return False
    return not one.added or link.number(_present(one.image, number, phase=AFTER, lonely=True)) == 0


def turned(image: Image, number: int, undo: int) -> list[str]:
    """The undo's own images: it found what the change left, and left what the change found."""
    return [
        f"{images.insert(image)} SELECT {undo}, {new}, {images.listed(image)} FROM {image.quoted}"
        f" WHERE n = {number} AND phase = {old}"
        for old, new in ((AFTER, BEFORE), (BEFORE, AFTER))
    ]


def first_keys(image: Image, number: int, most: int) -> str:
    keys = ", ".join(f"s.{image.column(name)}" for name in image.table.key)
    return (
        f"SELECT {keys} FROM {image.quoted} s WHERE {sql.subject(image, number)}"
        f" ORDER BY s.n, s.phase, {keys} LIMIT {most} LOCK IN SHARE MODE"
    )


def _pairs(image: Image, number: int) -> str:
    return (
        f"SELECT COUNT(*) FROM {image.quoted} b STRAIGHT_JOIN {image.quoted} a"
        f" ON a.n = {number} AND a.phase = {AFTER} AND {images.same_image_key(image, 'a', 'b')}"
        f" WHERE b.n = {number} AND b.phase = {BEFORE} LOCK IN SHARE MODE"
    )


def _present(image: Image, number: int, *, phase: int, equal: bool = False, lonely: bool = False) -> str:
    """How many rows of a phase are there now: equal ones only, or those that the other phase has not."""
    same = f" AND {images.equal(image, 't', 'i', live='t')}" if equal else ""
    other = AFTER if phase == BEFORE else BEFORE
    alone = (
        f" AND NOT EXISTS (SELECT 1 FROM {image.quoted} o WHERE o.n = {number} AND o.phase = {other}"
        f" AND {images.same_image_key(image, 'o', 'i')})"
        if lonely
        else ""
    )
    return (
        f"SELECT COUNT(*) FROM {image.quoted} i STRAIGHT_JOIN {quoted(*image.table.name)} AS t"
        f" ON {images.same_key(image, 't', 'i')} WHERE i.n = {number} AND i.phase = {phase}{alone}{same}"
        " FOR UPDATE"
    )


def _delete(image: Image, number: int) -> str:
    return (
        f"DELETE t FROM {image.quoted} i STRAIGHT_JOIN {quoted(*image.table.name)} AS t"
        f" ON {images.same_key(image, 't', 'i')} WHERE i.n = {number} AND i.phase = {AFTER}"
    )


def _overwrite(image: Image, number: int) -> str:
    """The former values in place, where no value of a row must be unique but its key."""
    keys = {name.lower() for name in image.table.key}
    cells = ", ".join(
        f"t.{quoted(column.name)} = i.c{at}"
        for at, column in enumerate(image.columns)
        if column.name.lower() not in keys
    )
    return (
        f"UPDATE {image.quoted} i STRAIGHT_JOIN {quoted(*image.table.name)} AS t"
        f" ON {images.same_key(image, 't', 'i')} SET {cells} WHERE i.n = {number} AND i.phase = {BEFORE}"
    )
