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
from clearance.adapters.systems.mysql.images import BEFORE, Image, image_of
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
    keys: tuple[list[tuple[object, ...]], ...] = ()  # what KEYS answered at the end

    @property
    def reversibility(self) -> Reversibility:
        return Reversibility.NONE if self.why_not or self.short else Reversibility.EXACT


class Held(Struct, frozen=True, kw_only=True):
    """Rows copied by table: of the targets as they were chosen, and of all in the end."""

    targets: dict[Name, int]
    rows: dict[Name, int]


# An image, and its rows before, its rows after and its checksum.
Part = tuple[Image, tuple[int, int, int]]


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


def prepare(plan: Plan, snapshot_id: str) -> list[str]:
    """What comes before anything is copied: one clock for copies and change, and room for the copies."""
    number = images.number_of(snapshot_id)
    fences = [images.fence(image_of(table), number) for table in plan.tables.values()]
    return ["SET SESSION timestamp=UNIX_TIMESTAMP(SYSDATE(6))", *fences]


def capture_before(link: Link, plan: Plan, number: int, *, most_rows: int) -> Held:
    """Lock and copy the target rows, and everything that foreign keys reach from them."""
    rows: dict[Name, int] = dict.fromkeys(plan.tables, 0)
    for target, name in plan.targets:
        rows[name] += link.copy(choose(plan, target.alias, name, number=number))
        _limit(rows, most_rows)
    targets = dict(rows)
    close(link, plan, number, rows, most_rows=most_rows)
    return Held(targets=targets, rows=rows)


def close(link: Link, plan: Plan, number: int, held: dict[Name, int], *, most_rows: int) -> None:
    """Copy what refers to what is held, until nothing new is found."""
    grew = bool(plan.reach.edges)
    while grew:
        grew = False
        for key in plan.reach.edges:
            child, parent = image_of(plan.tables[key.child]), image_of(plan.tables[key.parent])
            found = link.copy(images.capture_children(child, parent, key, number))
            held[key.child] += found
            grew = grew or found > 0
            _limit(held, most_rows)


def _limit(held: dict[Name, int], most_rows: int) -> None:
    if sum(held.values()) > most_rows:
        raise TooManyError


def choose(plan: Plan, alias: str, name: Name, *, number: int, phase: int = BEFORE) -> str:
    """Copy the rows that the change's own text chooses."""
    change, image = plan.change, image_of(plan.tables[name])
    start = f"{images.insert(image)} {change.prefix} SELECT {number}, {phase},"
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


def write_parts(link: Link, held: Sequence[Image], number: int, *, least: int = 1) -> None:
    """Write down what the images of a snapshot are, so that tampering is noticed; of `least` rows on."""
    written = []
    for image in held:
        before, after, digest = (
            int(part) for part in link.row(images.checksum(image, number, crc=link.has_crc32c))
        )
        if before + after >= least:
            written.append(guard.write_part(number, image, (before, after, digest)))
    if written:
        link.batch(written)


def sample(image: Image, number: int, phase: int) -> str:
    return images.keys_sample(image, number, phase, MOST_SAMPLES)
