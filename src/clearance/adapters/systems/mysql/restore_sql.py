"""The statements of one undo, table by table. Builds text, sends none.

A row is spoken of by its subject: its before-image, or its after-image where there was no row before. `mark`
says what came of it. Foreign keys are switched off meanwhile, so that no cascade follows, and verified after.
"""

# ruff: noqa: S608 - names are quoted and values are literals of `connect.literal`; nothing else is put in

from __future__ import annotations

from collections.abc import Sequence

from clearance.adapters.systems.mysql.catalogue import ForeignKey
from clearance.adapters.systems.mysql.connect import quoted
from clearance.adapters.systems.mysql.images import (
    AFTER,
    BEFORE,
    Image,
    equal,
    insert,
    same_image_key,
    same_key,
    selected,
)

RESTORE, ALREADY, CHANGED, TAKEN, ORPHAN, REFERRED = range(6)
LEFT = 10  # added to the mark of a row that was given back its present state


def subject(image: Image, number: int, alias: str = "s") -> str:
    """The condition that a row of images is the subject of its key."""
    partner = (
        f"SELECT 1 FROM {image.quoted} w WHERE w.n = {number} AND w.phase = {BEFORE}"
        f" AND {same_image_key(image, 'w', alias)}"
    )
    phases = f"{alias}.phase IN ({BEFORE}, {AFTER})"
    return f"{alias}.n = {number} AND {phases} AND ({alias}.phase = {BEFORE} OR NOT EXISTS ({partner}))"


def take_present(image: Image, number: int, undo: int) -> str:
    """Lock the rows as they are now and copy them as the before-images of the undo."""
    return (
        f"{insert(image)} SELECT {undo}, {BEFORE}, {selected(image, 't')}"
        f" FROM {image.quoted} s STRAIGHT_JOIN {quoted(*image.table.name)} AS t"
        f" ON {same_key(image, 't', 's')}"
        f" WHERE {subject(image, number)} FOR UPDATE"
    )


def clear_marks(image: Image, number: int) -> str:
    return f"UPDATE {image.quoted} SET mark = {RESTORE} WHERE n = {number} AND phase IN ({BEFORE}, {AFTER})"


def mark_present(image: Image, number: int, undo: int) -> list[str]:
    """Tell what is as the change left it, what is as before it, and what others changed since."""
    present = _beside(image, "x", undo, BEFORE)
    after, before = _beside(image, "a", number, AFTER), _beside(image, "b", number, BEFORE)
    return [
        f"UPDATE {image.quoted} s {after} {present} SET s.mark = CASE"
        f" WHEN x.n IS NOT NULL AND {equal(image, 'x', 's')} THEN {ALREADY}"
        f" WHEN a.n IS NULL AND x.n IS NULL THEN {RESTORE}"
        f" WHEN a.n IS NOT NULL AND x.n IS NOT NULL AND {equal(image, 'x', 'a')} THEN {RESTORE}"
        f" ELSE {CHANGED} END WHERE s.n = {number} AND s.phase = {BEFORE}",
        f"UPDATE {image.quoted} s {before} {present} SET s.mark = CASE WHEN x.n IS NULL THEN {ALREADY}"
        f" WHEN {equal(image, 'x', 's')} THEN {RESTORE} ELSE {CHANGED} END"
        f" WHERE s.n = {number} AND s.phase = {AFTER} AND b.n IS NULL",
    ]


def _beside(image: Image, alias: str, number: int, phase: int) -> str:
    same = same_image_key(image, alias, "s")
    return f"LEFT JOIN {image.quoted} {alias} ON {alias}.n = {number} AND {alias}.phase = {phase} AND {same}"


def delete_present(image: Image, number: int, marks: Sequence[int]) -> str:
    return (
        f"DELETE t FROM {image.quoted} s STRAIGHT_JOIN {quoted(*image.table.name)} AS t"
        f" ON {same_key(image, 't', 's')} WHERE {subject(image, number)} AND s.mark IN ({_list(marks)})"
    )


def put_back(image: Image, number: int) -> str:
    """The rows as they were before the change."""
    return (
        f"INSERT INTO {quoted(*image.table.name)} ({_columns(image)}) SELECT {_images(image, 's')}"
        f" FROM {image.quoted} s WHERE s.n = {number} AND s.phase = {BEFORE} AND s.mark = {RESTORE}"
    )


def leave_present(image: Image, number: int, undo: int) -> str:
    """Give rows that are in conflict after all the state in which the undo found them."""
    return (
        f"INSERT INTO {quoted(*image.table.name)} ({_columns(image)}) SELECT {_images(image, 'x')}"
        f" FROM {image.quoted} s JOIN {image.quoted} x ON x.n = {undo} AND x.phase = {BEFORE}"
        f" AND {same_image_key(image, 'x', 's')} WHERE {subject(image, number)}"
        f" AND s.mark IN ({_list((TAKEN, ORPHAN, REFERRED))})"
    )


def mark_left(image: Image, number: int) -> str:
    return (
        f"UPDATE {image.quoted} SET mark = mark + {LEFT} WHERE n = {number}"
        f" AND phase IN ({BEFORE}, {AFTER})"
        f" AND mark IN ({_list((TAKEN, ORPHAN, REFERRED))})"
    )


def mark_taken(image: Image, number: int, columns: Sequence[str]) -> str:
    """A value that must be unique stands in another row now. Asked once the rows to be replaced are gone."""
    same = " AND ".join(f"t.{quoted(name)} = s.{image.column(name)}" for name in columns)
    return (
        f"UPDATE {image.quoted} s JOIN {quoted(*image.table.name)} AS t ON {same} SET s.mark = {TAKEN}"
        f" WHERE s.n = {number} AND s.phase = {BEFORE} AND s.mark = {RESTORE}"
    )


def mark_orphans(image: Image, number: int, key: ForeignKey) -> str:
    """Restored rows that refer to a row that is not there."""
    same = " AND ".join(
        f"p.{quoted(parent)} = s.{image.column(name)}"
        for name, parent in zip(key.columns, key.parent_columns, strict=True)
    )
    given = " AND ".join(f"s.{image.column(name)} IS NOT NULL" for name in key.columns)
    return (
        f"UPDATE {image.quoted} s LEFT JOIN {quoted(*key.parent)} AS p ON {same} SET s.mark = {ORPHAN}"
        f" WHERE s.n = {number} AND s.phase = {BEFORE} AND s.mark = {RESTORE} AND {given}"
        f" AND p.{quoted(key.parent_columns[0])} IS NULL"
    )


def mark_referred(image: Image, number: int, present: int, key: ForeignKey, *, phase: int = BEFORE) -> str:
    """Rows whose present state was taken away while another row refers to it.

    That state stands in the images of `present` and `phase`.
    """
    pairs = list(zip(key.columns, key.parent_columns, strict=True))
    refers = " AND ".join(f"c.{quoted(name)} = x.{image.column(parent)}" for name, parent in pairs)
    found = " AND ".join(f"p.{quoted(parent)} = c.{quoted(name)}" for name, parent in pairs)
    return (
        f"UPDATE {image.quoted} s JOIN {image.quoted} x ON x.n = {present} AND x.phase = {phase}"
        f" AND {same_image_key(image, 'x', 's')} JOIN {quoted(*key.child)} AS c ON {refers}"
        f" LEFT JOIN {quoted(*key.parent)} AS p ON {found} SET s.mark = {REFERRED}"
        f" WHERE s.n = {number} AND s.phase IN ({BEFORE}, {AFTER}) AND s.mark = {RESTORE}"
        f" AND p.{quoted(key.parent_columns[0])} IS NULL"
    )


def forget_rest(image: Image, number: int, undo: int) -> str:
    """Keep, of the present that was copied, only what was replaced."""
    return (
        f"DELETE x FROM {image.quoted} x JOIN {image.quoted} s ON {same_image_key(image, 'x', 's')}"
        f" WHERE x.n = {undo} AND x.phase = {BEFORE} AND s.n = {number} AND s.phase IN ({BEFORE}, {AFTER})"
        f" AND s.mark <> {RESTORE}"
    )


def take_restored(image: Image, number: int, undo: int) -> str:
    """Read what stands there now into the after-images of the undo."""
    return (
        f"{insert(image)} SELECT {undo}, {AFTER}, {selected(image, 't')}"
        f" FROM {image.quoted} s STRAIGHT_JOIN {quoted(*image.table.name)} AS t"
        f" ON {same_key(image, 't', 's')}"
        f" WHERE {subject(image, number)} AND s.mark = {RESTORE} FOR UPDATE"
    )


def count_verified(image: Image, number: int, undo: int) -> str:
    """How many restored rows there should be, are there, and are bit for bit what was saved."""
    read = f"a.n = {undo} AND a.phase = {AFTER}"
    same = f"{same_image_key(image, 'a', 's')} AND {equal(image, 'a', 's')}"
    subjects = f"s.n = {number} AND s.phase = {BEFORE} AND s.mark = {RESTORE}"
    return (
        f"SELECT (SELECT COUNT(*) FROM {image.quoted} s WHERE {subjects}),"
        f" (SELECT COUNT(*) FROM {image.quoted} a WHERE {read}),"
        f" (SELECT COUNT(*) FROM {image.quoted} s JOIN {image.quoted} a ON {read} AND {same}"
        f" WHERE {subjects})"
        " LOCK IN SHARE MODE"
    )


def count_marks(image: Image, number: int) -> str:
    return (
        f"SELECT s.mark, COUNT(*) FROM {image.quoted} s WHERE {subject(image, number)} GROUP BY s.mark"
        " LOCK IN SHARE MODE"
    )


def marked_keys(image: Image, number: int, most: int) -> str:
    """Keys and marks, conflicts first, and whether a row is there now."""
    keys = ", ".join(f"s.{image.column(name)}" for name in image.table.key)
    return (
        f"SELECT s.mark, s.phase, {keys} FROM {image.quoted} s WHERE {subject(image, number)}"
        f" ORDER BY s.mark IN ({RESTORE}, {ALREADY}), s.mark, {keys} LIMIT {most} LOCK IN SHARE MODE"
    )


def _columns(image: Image) -> str:
    return ", ".join(quoted(one.name) for one in image.columns)


def _images(image: Image, alias: str) -> str:
    return ", ".join(f"{alias}.c{at}" for at in range(len(image.columns)))


def _list(marks: Sequence[int]) -> str:
    return ", ".join(str(mark) for mark in marks)
