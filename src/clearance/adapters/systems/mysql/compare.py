"""What is there after a change, compared with the copies made before it: every count, and every disagreement.

Copies the rows as they are now, in the caller's transaction. Commits nothing.
"""

from __future__ import annotations

import re

from msgspec import Struct
from pymysql.cursors import Cursor

from clearance.adapters.systems.mysql import images
from clearance.adapters.systems.mysql.capture import Held, Part, Ran, choose, sample
from clearance.adapters.systems.mysql.catalogue import Name, Table, shown
from clearance.adapters.systems.mysql.choice import is_by_key, is_plain
from clearance.adapters.systems.mysql.connect import Link
from clearance.adapters.systems.mysql.images import AFTER, BEFORE, Image, image_of
from clearance.adapters.systems.mysql.plan import Plan
from clearance.core.model import Operation, Touch

_CHANGED = re.compile(rb"Changed: (\d+)")
_ROWS = "SELECT ROW_COUNT()"
_FEW = 100  # for fewer rows a round trip more, 0.2 ms, costs more than what it saves


class Found(Struct, frozen=True, kw_only=True):
    """Rows of one table: copied before, there now, of these unchanged; and their images as they are kept."""

    image: Image
    copied: int
    there: int
    same: int
    counts: tuple[int, int, int]
    first: tuple[tuple[str, ...], tuple[str, ...]]

    @property
    def gone(self) -> int:
        return self.copied - self.there

    @property
    def moved(self) -> int:
        return self.there - self.same


def compare(link: Link, plan: Plan, cursor: Cursor, number: int, *, held: Held) -> tuple[Ran, list[Part]]:
    """What the copies and the rows now there say of each other."""
    touches: list[Touch] = []
    short = _disagrees(plan, cursor.rowcount, held)
    parts: list[Part] = []
    for name, table in plan.tables.items():
        found = _found(link, plan, table, cursor, number=number, held=held)
        if found.counts[:2] != (found.copied - found.same, found.moved):
            short.append(f"the copies of {shown(name)} are not as many as were made")
        if not _may_remain(plan, name) and found.there:
            short.append(f"{found.there} rows of {shown(name)} were copied but not deleted")
        touches += _touches(plan, found, held.targets[name])
        parts.append((found.image, found.counts))
    return Ran(cursor=cursor, touches=tuple(touches), short=tuple(short)), parts


def _found(link: Link, plan: Plan, table: Table, cursor: Cursor, *, number: int, held: Held) -> Found:
    image = image_of(table)
    asked = [images.checksum(image, number, crc=link.has_crc32c)]
    asked += [sample(image, number, BEFORE), sample(image, number, AFTER)]
    there = same = 0
    if not _may_remain(plan, table.name):
        if not _surely_gone(plan, table, cursor, held):
            there = link.number(images.count_present(image, number))
        (counts,), *first = link.batch(asked)
    elif held.rows[table.name] > _FEW and _changed_all(plan, table, cursor, held):
        there = link.copy(_after(plan, table, number))
        (counts,), *first = link.batch(asked)
    else:
        mode = f"SET SESSION sql_mode='{link.image_mode}'"
        own = f"SET SESSION sql_mode='{link.agent_mode}'"
        steps = [images.capture_after(image, number), _ROWS, images.drop_unchanged(image, number), _ROWS]
        ((there,),), ((pairs,),), (counts,), *first = link.batch([mode, *steps, own, *asked])
        same = int(pairs) // 2
    before, after, digest = (int(part) for part in counts)
    keys = [tuple(images.key_text(key) for key in rows) for rows in first]
    return Found(
        image=image,
        copied=held.rows[table.name],
        there=int(there),
        same=same,
        counts=(before, after, digest),
        first=(keys[0], keys[1]),
    )


def _after(plan: Plan, table: Table, number: int) -> str:
    """By the key's own condition where the change has one: that finds the rows without a look-up each."""
    if is_by_key(plan.change, table):
        return choose(plan, plan.targets[0][0].alias, table.name, number=number, phase=AFTER)
    return images.capture_after(image_of(table), number)


def _surely_gone(plan: Plan, table: Table, cursor: Cursor, held: Held) -> bool:
    """The same rows were chosen twice, under lock, and as many were deleted as copied: none can be left."""
    return _alone(plan, table, cursor, held) and is_plain(plan.change, table)


def _changed_all(plan: Plan, table: Table, cursor: Cursor, held: Held) -> bool:
    """Whether the server says that no row of a plain UPDATE stayed as it was."""
    if plan.change.verb != "UPDATE" or not _alone(plan, table, cursor, held):
        return False
    result = getattr(cursor, "_result", None)
    told = _CHANGED.search(bytes(getattr(result, "message", b"") or b""))
    return told is not None and int(told[1]) == cursor.rowcount and is_plain(plan.change, table)


def _alone(plan: Plan, table: Table, cursor: Cursor, held: Held) -> bool:
    """One target, which no foreign key comes back to, and which the server counted as it was copied."""
    return (
        plan.names == (table.name,)
        and table.name not in {key.child for key in plan.reach.edges}
        and cursor.rowcount == held.rows[table.name] == held.targets[table.name]
    )


def _may_remain(plan: Plan, name: Name) -> bool:
    """Whether rows that were copied may still be there: all but those that can only have been deleted."""
    event = plan.reach.events[name]
    if name in plan.names:
        return plan.change.verb != "DELETE" or plan.change.ignores or bool(event.columns)
    return bool(event.columns) or not event.deletes


def _disagrees(plan: Plan, told: int, held: Held) -> list[str]:
    """The server's own count against the copies. It misses rows that a cascade took first."""
    copied = sum(held.targets.values())
    children = {key.child for key in plan.reach.edges}
    fewer = plan.change.ignores or (plan.change.verb == "DELETE" and bool(set(plan.names) & children))
    if told == copied or (fewer and told < copied):
        return []
    return [f"the server counted {told} rows and {copied} were copied"]


def _touches(plan: Plan, found: Found, matched: int) -> list[Touch]:
    name, touches = found.image.table.name, []
    is_target = name in plan.names
    if found.gone or (is_target and plan.change.verb == "DELETE"):
        touches.append(_touch(name, Operation.DELETE, found.gone, found.first[0]))
    if is_target and plan.change.verb == "UPDATE":
        touches.append(_touch(name, Operation.UPDATE, max(matched, found.moved), found.first[0]))
    elif found.moved:
        touches.append(_touch(name, Operation.UPDATE, found.moved, found.first[1]))
    return touches


def _touch(name: Name, operation: Operation, count: int, keys: tuple[str, ...]) -> Touch:
    return Touch(resource=shown(name), operation=operation, count=count, sample=keys)
