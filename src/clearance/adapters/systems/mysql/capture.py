"""Run a change, count it exactly and keep images of every row it touches, all in the caller's transaction.

The rows are locked and copied first, then the change runs, then what is there is compared with the copies: a
change that touched other rows than were copied is found out. Commits nothing.
"""

# ruff: noqa: S608 - names are quoted and values are literals of `connect.literal`; nothing else is put in

from __future__ import annotations

from collections.abc import Sequence

from msgspec import Struct
from pymysql.cursors import Cursor

from clearance.adapters.systems.mysql import guard, images
from clearance.adapters.systems.mysql.catalogue import Name, shown
from clearance.adapters.systems.mysql.connect import Link, quoted
from clearance.adapters.systems.mysql.images import AFTER, BEFORE, Image, image_of
from clearance.adapters.systems.mysql.inserted import capture_inserted
from clearance.adapters.systems.mysql.plan import Plan
from clearance.core.model import Exactness, Operation, Reversibility, Touch

MOST_SAMPLES = 5
_VERBS = {"UPDATE": Operation.UPDATE, "DELETE": Operation.DELETE, "INSERT": Operation.CREATE}


class Ran(Struct, frozen=True, kw_only=True):
    """A change that ran. `why_not`: why it cannot be undone; `short`: a count and a copy disagree."""

    cursor: Cursor
    touches: tuple[Touch, ...]
    kept: int = 0
    why_not: tuple[str, ...] = ()
    short: tuple[str, ...] = ()

    @property
    def reversibility(self) -> Reversibility:
        return Reversibility.NONE if self.why_not or self.short else Reversibility.EXACT


class TooManyError(Exception):
    """More rows than `most_rows` would have to be kept."""


def run_plain(link: Link, plan: Plan, text: str, *, why_not: Sequence[str]) -> Ran:
    """Run without images; count what the server itself tells exactly."""
    cursor = link.run(text)
    touches = []
    children = {key.child for key in plan.reach.edges}
    for name in plan.names:
        told = len(plan.names) == 1 and name not in children and cursor.rowcount >= 0
        exact = Exactness.BOUND if plan.change.verb == "REPLACE" else Exactness.EXACT
        touches.append(
            Touch(
                resource=shown(name),
                operation=_VERBS.get(plan.change.verb, Operation.UPDATE),
                count=cursor.rowcount if told else None,
                exactness=exact if told else Exactness.UNKNOWN,
            )
        )
    touches += [_uncounted(plan, name) for name in sorted(children - set(plan.names))]
    return Ran(cursor=cursor, touches=tuple(touches), why_not=tuple(why_not))


def _uncounted(plan: Plan, name: Name) -> Touch:
    deletes = plan.reach.events[name].deletes
    return Touch(
        resource=shown(name),
        operation=Operation.DELETE if deletes else Operation.UPDATE,
        count=None,
        exactness=Exactness.UNKNOWN,
    )


def run_captured(link: Link, plan: Plan, text: str, *, snapshot_id: str, most_rows: int) -> Ran:
    """Run with images of the rows and of the whole closure. Raises TooManyError, the driver's error."""
    number = images.number_of(snapshot_id)
    link.run(f"SET SESSION sql_mode='{link.image_mode}', timestamp=UNIX_TIMESTAMP(SYSDATE(6))")
    for table in plan.tables.values():
        link.run(images.fence(image_of(table), number))
    if plan.change.verb == "INSERT":
        ran = _inserted(link, plan, text, number)
    else:
        held = capture_before(link, plan, number, most_rows=most_rows)
        link.run(f"SET SESSION sql_mode='{link.agent_mode}'")
        cursor = link.run(text)
        link.run(f"SET SESSION sql_mode='{link.image_mode}'")
        ran = _compare(link, plan, cursor, number, held)
    kept = write_parts(link, [image_of(table) for table in plan.tables.values()], number)
    guard.write(
        link,
        snapshot_id,
        number,
        state="settled",
        reversibility=ran.reversibility,
        why=(*ran.why_not, *ran.short),
    )
    link.run(f"SET SESSION sql_mode='{link.agent_mode}', timestamp=DEFAULT")
    return Ran(cursor=ran.cursor, touches=ran.touches, kept=kept, why_not=ran.why_not, short=ran.short)


def capture_before(link: Link, plan: Plan, number: int, *, most_rows: int) -> dict[Name, int]:
    """Lock and copy the target rows and everything that foreign keys reach from them; rows by table."""
    held: dict[Name, int] = dict.fromkeys(plan.tables, 0)
    for target, name in plan.targets:
        held[name] += link.run(_choose(plan, target.alias, name, number)).rowcount
        _limit(held, most_rows)
    targets = dict(held)
    close(link, plan, number, held, most_rows=most_rows)
    return targets


def close(link: Link, plan: Plan, number: int, held: dict[Name, int], *, most_rows: int) -> None:
    """Copy what refers to what is held, until nothing new is found."""
    grew = bool(plan.reach.edges)
    while grew:
        grew = False
        for key in plan.reach.edges:
            child, parent = image_of(plan.tables[key.child]), image_of(plan.tables[key.parent])
            found = link.run(images.capture_children(child, parent, key, number)).rowcount
            held[key.child] += found
            grew = grew or found > 0
            _limit(held, most_rows)


def _limit(held: dict[Name, int], most_rows: int) -> None:
    if sum(held.values()) > most_rows:
        raise TooManyError


def _choose(plan: Plan, alias: str, name: Name, number: int) -> str:
    change, image = plan.change, image_of(plan.tables[name])
    start = f"{images.insert(image)} {change.prefix} SELECT {number}, {BEFORE},"
    if not change.several:
        chosen = f"FROM {change.references} {change.where} {change.tail} FOR UPDATE"
        return f"{start} {images.selected(image, alias)} {chosen}"
    keys = ", ".join(f"{quoted(alias)}.{quoted(key)}" for key in image.table.key)
    return (
        f"{start} {images.selected(image, 'clearance_t')} FROM {quoted(*name)} AS clearance_t"
        f" WHERE {images.key_of(image, 'clearance_t')} IN (SELECT {keys}"
        f" FROM {change.references} {change.where})"
        f" AND {images.not_captured(image, 'clearance_t', number)} FOR UPDATE"
    )


def _inserted(link: Link, plan: Plan, text: str, number: int) -> Ran:
    link.run(f"SET SESSION sql_mode='{link.agent_mode}'")
    cursor = link.run(text)
    link.run(f"SET SESSION sql_mode='{link.image_mode}'")
    table = plan.tables[plan.names[0]]
    image = image_of(table)
    found = capture_inserted(
        link, plan.change, image, number, added=cursor.rowcount, first=cursor.lastrowid or 0
    )
    why = () if found == cursor.rowcount else ("which rows are new cannot be told by their keys",)
    if why:
        link.run(f"DELETE FROM {image.quoted} WHERE n = {number} AND phase = {AFTER}")
    touch = Touch(
        resource=shown(table.name),
        operation=Operation.CREATE,
        count=cursor.rowcount,
        sample=sample(link, image, number, AFTER),
    )
    return Ran(cursor=cursor, touches=(touch,), why_not=why)


def _compare(link: Link, plan: Plan, cursor: Cursor, number: int, targets: dict[Name, int]) -> Ran:
    """What the copies and the rows now there say of each other."""
    touches: list[Touch] = []
    short: list[str] = []
    changed = {}
    for name, table in plan.tables.items():
        image = image_of(table)
        there = link.run(images.capture_after(image, number)).rowcount
        if not _may_remain(plan, name) and there:
            short.append(f"{there} rows of {shown(name)} were copied but not deleted")
        if there:
            link.run(images.drop_unchanged(image, number))
        before, after, _ = (int(part) for part in link.row(_both(image, number)))
        changed[name] = (before - after, after)
        touches += _touches(
            link, plan, image, number, gone=before - after, moved=after, matched=targets[name]
        )
    short += _disagrees(plan, cursor.rowcount, targets)
    return Ran(cursor=cursor, touches=tuple(touches), short=tuple(short))


def _both(image: Image, number: int) -> str:
    return (
        f"SELECT COALESCE(SUM(phase = {BEFORE}), 0), COALESCE(SUM(phase = {AFTER}), 0), 0"
        f" FROM {image.quoted} WHERE n = {number} AND phase IN ({BEFORE}, {AFTER}) LOCK IN SHARE MODE"
    )


def _may_remain(plan: Plan, name: Name) -> bool:
    """Whether rows that were copied may still be there: all but those that can only have been deleted."""
    event = plan.reach.events[name]
    if name in plan.names:
        return plan.change.verb != "DELETE" or plan.change.ignores or bool(event.columns)
    return bool(event.columns) or not event.deletes


def _disagrees(plan: Plan, told: int, targets: dict[Name, int]) -> list[str]:
    """The server's own count against the copies. It misses rows that a cascade took first."""
    held = sum(targets.values())
    children = {key.child for key in plan.reach.edges}
    fewer = plan.change.ignores or (plan.change.verb == "DELETE" and bool(set(plan.names) & children))
    if told == held or (fewer and told < held):
        return []
    return [f"the server counted {told} rows and {held} were copied"]


def _touches(
    link: Link, plan: Plan, image: Image, number: int, *, gone: int, moved: int, matched: int
) -> list[Touch]:
    name, found = image.table.name, []
    is_target = name in plan.names
    if gone or (is_target and plan.change.verb == "DELETE"):
        found.append(_touch(name, Operation.DELETE, gone, sample(link, image, number, BEFORE)))
    if is_target and plan.change.verb == "UPDATE":
        found.append(_touch(name, Operation.UPDATE, max(matched, moved), sample(link, image, number, BEFORE)))
    elif moved:
        found.append(_touch(name, Operation.UPDATE, moved, sample(link, image, number, AFTER)))
    return found


def _touch(name: Name, operation: Operation, count: int, keys: tuple[str, ...]) -> Touch:
    return Touch(resource=shown(name), operation=operation, count=count, sample=keys)


def sample(link: Link, image: Image, number: int, phase: int) -> tuple[str, ...]:
    return tuple(
        images.key_text(row) for row in link.rows(images.keys_sample(image, number, phase, MOST_SAMPLES))
    )


def write_parts(link: Link, held: Sequence[Image], number: int) -> int:
    """Write down what the images of a snapshot are, so that tampering is noticed; how many keys they have."""
    kept = 0
    for image in held:
        before, after, digest = (int(part) for part in link.row(images.checksum(image, number)))
        if before or after:
            guard.write_part(link, number, image, (before, after, digest))
            kept += max(before, after)
    return kept
