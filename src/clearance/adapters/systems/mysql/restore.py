"""Put back what a snapshot holds, in one transaction: all, what is free of conflict, or only planned.

The undo's own images and the mark `undone` commit with it, so that a crash leaves all of it or nothing.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence

import pymysql

from clearance.adapters.systems.mysql import guard, images
from clearance.adapters.systems.mysql import restore_sql as sql
from clearance.adapters.systems.mysql.capture import write_parts
from clearance.adapters.systems.mysql.catalogue import ForeignKey, foreign_keys, shown, tables, unique_keys
from clearance.adapters.systems.mysql.connect import Link, code
from clearance.adapters.systems.mysql.guard import Kept, Part, unreadable
from clearance.adapters.systems.mysql.images import Image, image_of
from clearance.adapters.systems.mysql.restore_whole import (
    Whole,
    first_keys,
    is_verified,
    put_back_whole,
    turned,
)
from clearance.core.model import (
    MOST_ITEMS,
    Item,
    ItemState,
    Restored,
    RestoreMode,
    RestoreStatus,
    Reversibility,
)
from clearance.errors import NotFoundError, RecoveryError

_DUPLICATE = 1062
_MISREAD = "{} did not read as it was saved; nothing was changed"
_WHY = {
    sql.CHANGED: "it was changed, deleted or made anew since",
    sql.TAKEN: "a value that must be unique is taken by another row",
    sql.ORPHAN: "the row that it refers to is gone",
    sql.REFERRED: "another row refers to it by now",
}


def restore(link: Link, side: Link, snapshot_id: str, *, as_snapshot: str, mode: RestoreMode) -> Restored:
    """Raises NotFoundError, RecoveryError, the driver's error; the caller rolls back then."""
    link.run(f"SET SESSION sql_mode='{link.image_mode}', foreign_key_checks=0")
    link.run("START TRANSACTION")
    kept = guard.read(link, snapshot_id)
    if kept is None:
        raise NotFoundError(f"there is no snapshot {snapshot_id} on this server")
    if kept.state == "undone":
        link.raw.rollback()
        return Restored(
            snapshot_id=snapshot_id, status=RestoreStatus.ALREADY_UNDONE, irreversible=kept.irreversible
        )
    held = usable(link, side, kept)
    if kept.state == "saved":
        settle(link, kept, held)
        kept = guard.read(link, snapshot_id) or kept
    undo = images.number_of(as_snapshot)
    if guard.read(link, as_snapshot) is not None:
        raise RecoveryError(f"the name {as_snapshot} is taken by another snapshot")
    whole = _whole(link, side, kept, held)
    if whole is not None:
        return _finish_whole(link, whole, kept, mode, as_snapshot=as_snapshot)
    _mark(link, held, kept.number, undo)
    planned = _marks(link, held, kept.number)
    if not (_conflicts(planned) and mode is RestoreMode.ALL):
        _apply(link, side, held, kept.number, undo)
    report = _report(link, held, kept, mode)
    return _finish(link, held, kept, report, as_snapshot=as_snapshot)


def usable(link: Link, side: Link, kept: Kept) -> list[Image]:
    """The images of a snapshot, where its tables still have the shape and nothing touched the copies."""
    if kept.fingerprint != link.fingerprint:
        raise unreadable(kept.snapshot_id, "it was taken on another server or database")
    known = tables(side, [part.name for part in kept.parts])
    found = []
    for part in kept.parts:
        table = known.get(part.name)
        if table is None or not table.key or image_of(table).name != part.image:
            raise unreadable(kept.snapshot_id, f"{shown(part.name)} was altered or dropped since")
        if table.triggers:
            raise unreadable(
                kept.snapshot_id, f"a trigger on {shown(part.name)} would run when rows are put back"
            )
        image = image_of(table)
        if not _untouched(link, image, kept.number, part):
            raise unreadable(kept.snapshot_id, f"the images of {shown(part.name)} are not as they were saved")
        found.append(image)
    return found


def _untouched(link: Link, image: Image, number: int, part: Part) -> bool:
    """By the checksum that this server can make, else by the one that an older one made."""
    for crc in dict.fromkeys((link.has_crc32c, False)):
        there = tuple(int(one) for one in link.row(images.checksum(image, number, crc=crc)))
        if there == (part.before, part.after, part.checksum):
            return True
    return False


def settle(link: Link, kept: Kept, held: Sequence[Image]) -> None:
    """Copy the rows as they are now, and forget what was not changed."""
    for image in held:
        link.run(images.capture_after(image, kept.number))
        link.run(images.drop_unchanged(image, kept.number))
    write_parts(link, held, kept.number, least=0)
    guard.change_state(link, kept.number, state="settled")


def _whole(link: Link, side: Link, kept: Kept, held: Sequence[Image]) -> list[Whole] | None:
    return put_back_whole(link, side, held, kept.parts, number=kept.number)


def _finish_whole(
    link: Link, whole: Sequence[Whole], kept: Kept, mode: RestoreMode, *, as_snapshot: str
) -> Restored:
    """Verify and write down an undo in which every row was free of conflict."""
    items = [
        Item(resource=shown(one.image.table.name), key=images.key_text(key), state=ItemState.RESTORED, why="")
        for one in whole
        for key in link.rows(first_keys(one.image, kept.number, MOST_ITEMS))
    ]
    report = Restored(
        snapshot_id=kept.snapshot_id,
        status=RestoreStatus.PLANNED if mode is RestoreMode.PLAN else RestoreStatus.RESTORED,
        restored=sum(one.rows for one in whole),
        items=tuple(items[:MOST_ITEMS]),
        irreversible=kept.irreversible,
    )
    if mode is RestoreMode.PLAN:
        link.raw.rollback()
        return report
    undo = images.number_of(as_snapshot)
    for one in whole:
        if not is_verified(link, one, kept.number):
            raise unreadable(kept.snapshot_id, _MISREAD.format(shown(one.image.table.name)))
        link.batch([images.fence(one.image, undo), *turned(one.image, kept.number, undo)])
    return _written(link, [one.image for one in whole], kept, report, as_snapshot=as_snapshot)


def _mark(link: Link, held: Sequence[Image], number: int, undo: int) -> None:
    for image in held:
        link.run(sql.clear_marks(image, number))
        link.run(images.fence(image, undo))
        link.run(sql.take_present(image, number, undo))
        for statement in sql.mark_present(image, number, undo):
            link.run(statement)


def _apply(link: Link, side: Link, held: Sequence[Image], number: int, undo: int) -> None:
    """Take the present rows away, put the former in, and leave out what turns out to be in conflict."""
    for image in held:
        link.run(sql.delete_present(image, number, (sql.RESTORE,)))
    for image in held:
        stored = {column.name.lower() for column in image.columns}
        for columns in unique_keys(side, image.table.name):
            if {name.lower() for name in columns} <= stored:
                link.run(sql.mark_taken(image, number, columns))
    _leave(link, held, number, undo)
    try:
        for image in held:
            link.run(sql.put_back(image, number))
        keys = foreign_keys(side, {image.table.name[0] for image in held})
        while _mark_broken(link, held, number, undo, keys):
            _leave(link, held, number, undo)
    except pymysql.err.IntegrityError as error:
        if code(error) != _DUPLICATE:
            raise
        raise RecoveryError("a value that must be unique is taken by a row that was added since") from error


def _mark_broken(
    link: Link, held: Sequence[Image], number: int, undo: int, keys: Sequence[ForeignKey]
) -> int:
    """Verify every foreign key that touches the restored rows; how many of them break one."""
    by_name = {image.table.name: image for image in held}
    found = 0
    for key in keys:
        if key.child in by_name:
            found += link.run(sql.mark_orphans(by_name[key.child], number, key)).rowcount
        if key.parent in by_name:
            found += link.run(sql.mark_referred(by_name[key.parent], number, undo, key)).rowcount
    return found


def _leave(link: Link, held: Sequence[Image], number: int, undo: int) -> None:
    for image in held:
        link.run(sql.delete_present(image, number, (sql.TAKEN, sql.ORPHAN, sql.REFERRED)))
    for image in held:
        link.run(sql.leave_present(image, number, undo))
        link.run(sql.mark_left(image, number))


def _marks(link: Link, held: Sequence[Image], number: int) -> Counter[int]:
    found: Counter[int] = Counter()
    for image in held:
        found.update(
            {int(mark) % sql.LEFT: int(count) for mark, count in link.rows(sql.count_marks(image, number))}
        )
    return found


def _conflicts(found: Counter[int]) -> int:
    return sum(count for mark, count in found.items() if mark in _WHY)


def _report(link: Link, held: Sequence[Image], kept: Kept, mode: RestoreMode) -> Restored:
    found = _marks(link, held, kept.number)
    conflicts = _conflicts(found)
    status = RestoreStatus.RESTORED
    if mode is RestoreMode.PLAN:
        status = RestoreStatus.PLANNED
    elif conflicts:
        partly = mode is RestoreMode.FREE and found[sql.RESTORE]
        status = RestoreStatus.PARTIAL if partly else RestoreStatus.CONFLICT
    nothing = status is RestoreStatus.CONFLICT
    return Restored(
        snapshot_id=kept.snapshot_id,
        status=status,
        restored=0 if nothing else found[sql.RESTORE],
        skipped=found[sql.RESTORE] if nothing else 0,
        already=found[sql.ALREADY],
        conflicts=conflicts,
        items=_items(link, held, kept.number, left_out=nothing),
        irreversible=kept.irreversible,
    )


def _items(link: Link, held: Sequence[Image], number: int, *, left_out: bool) -> tuple[Item, ...]:
    found = []
    for image in held:
        for mark, _, *key in link.rows(sql.marked_keys(image, number, MOST_ITEMS)):
            state, why = _state(int(mark) % sql.LEFT, left_out=left_out)
            found.append(
                Item(resource=shown(image.table.name), key=images.key_text(key), state=state, why=why)
            )
    found.sort(key=lambda item: item.state is not ItemState.CONFLICT)
    return tuple(found[:MOST_ITEMS])


def _state(mark: int, *, left_out: bool) -> tuple[ItemState, str]:
    if mark in _WHY:
        return ItemState.CONFLICT, _WHY[mark]
    if mark == sql.ALREADY:
        return ItemState.ALREADY, ""
    return (
        (ItemState.SKIPPED, "nothing is restored while a row is in conflict")
        if left_out
        else (ItemState.RESTORED, "")
    )


def _finish(link: Link, held: Sequence[Image], kept: Kept, report: Restored, *, as_snapshot: str) -> Restored:
    undo = images.number_of(as_snapshot)
    match report.status:
        case RestoreStatus.RESTORED | RestoreStatus.PARTIAL:
            pass
        case _:
            link.raw.rollback()
            return report
    for image in held:
        link.run(sql.forget_rest(image, kept.number, undo))
        link.run(sql.take_restored(image, kept.number, undo))
        wanted, there, same = (int(count) for count in link.row(sql.count_verified(image, kept.number, undo)))
        if not wanted == there == same:
            raise unreadable(kept.snapshot_id, _MISREAD.format(shown(image.table.name)))
    return _written(link, held, kept, report, as_snapshot=as_snapshot)


def _written(
    link: Link, held: Sequence[Image], kept: Kept, report: Restored, *, as_snapshot: str
) -> Restored:
    """The undo is a snapshot of its own, and commits with what it says."""
    undo = images.number_of(as_snapshot)
    write_parts(link, held, undo)
    link.run(guard.write(link, as_snapshot, undo, state="settled", reversibility=Reversibility.EXACT, why=()))
    guard.change_state(link, kept.number, state="undone", undone_by=as_snapshot)
    link.raw.commit()
    return Restored(
        snapshot_id=report.snapshot_id,
        status=report.status,
        restored=report.restored,
        already=report.already,
        conflicts=report.conflicts,
        items=report.items,
        verified=True,
        irreversible=report.irreversible,
    )
