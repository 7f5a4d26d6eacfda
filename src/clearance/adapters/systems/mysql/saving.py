"""Snapshots before an action that runs elsewhere: rows saved, settled once it ended, read whole again."""

from __future__ import annotations

from collections.abc import Sequence

from clearance.adapters.systems.mysql import guard, images
from clearance.adapters.systems.mysql.capture import write_parts
from clearance.adapters.systems.mysql.catalogue import Name, shown
from clearance.adapters.systems.mysql.change import Change, take_apart
from clearance.adapters.systems.mysql.connect import Link
from clearance.adapters.systems.mysql.guard import Kept
from clearance.adapters.systems.mysql.images import Image, image_of
from clearance.adapters.systems.mysql.measuring import find, full, hold
from clearance.adapters.systems.mysql.options import Options
from clearance.adapters.systems.mysql.plan import plan
from clearance.adapters.systems.mysql.records import change_of, parameters_of, record_ids, statement_of
from clearance.adapters.systems.mysql.remembered import Remembered
from clearance.adapters.systems.mysql.restore import settle, usable
from clearance.core.model import Operation, Request, Reversibility, Saved
from clearance.errors import NotFoundError, RecoveryError

_ADDED = "rows that the action adds are not taken away again"
_MORE = "rows that the action reaches beside these are not put back"


def save(
    link: Link,
    side: Link,
    name: str,
    request: Request,
    names: Sequence[str],
    snapshot_id: str,
    options: Options,
) -> Saved:
    """Raises RecoveryError, the driver's error."""
    there = guard.read(link, snapshot_id)
    if there is not None:
        return saved_of(name, there)
    link.raw.rollback()
    number = images.number_of(snapshot_id)
    changes, why = _changes(link, side, request, names)
    made = [plan(Remembered(side), change) for change in changes]
    bars = [bar for one in made for bar in (*one.blocked, *one.why_not)]
    if bars:
        raise RecoveryError(f"system `{name}`: nothing was saved: {'; '.join(dict.fromkeys(bars))}")
    for one in made:
        guard.make_images(side, list(one.tables.values()))
    held: dict[Name, Image] = {}
    for one in made:
        hold(link, side, one, number, options)
        held |= {table.name: image_of(table) for table in one.tables.values()}
    write_parts(link, list(held.values()), number)
    link.run(
        guard.write(link, snapshot_id, number, state="saved", reversibility=Reversibility.EXACT, why=why)
    )
    link.raw.commit()
    kept = guard.read(link, snapshot_id)
    link.raw.rollback()
    if kept is None:
        raise RecoveryError(f"system `{name}`: snapshot {snapshot_id} could not be read after it was saved")
    return saved_of(name, kept)


def _changes(
    link: Link, side: Link, request: Request, names: Sequence[str]
) -> tuple[list[Change], tuple[str, ...]]:
    arguments, operation = request.action.arguments, request.action.operation
    text = statement_of(arguments)
    if text:
        change = take_apart(link.text(text, parameters_of(arguments)))
        if change is None or change.verb not in ("UPDATE", "DELETE"):
            raise RecoveryError("only one UPDATE or DELETE can be saved before it runs elsewhere")
        return [change], ()
    if operation in (Operation.DDL, Operation.CREATE, Operation.EXECUTE, Operation.ADMIN):
        raise RecoveryError(f"what `{operation}` does to a MySQL database cannot be saved by its rows")
    known = find(side, names)
    missing = [text for text in names if full(side, text) not in known]
    if missing or not known:
        raise RecoveryError(f"no such table: {', '.join(missing) or 'none is named'}")
    ids = record_ids(arguments)
    why = (_ADDED,) if operation is not Operation.DELETE else ()
    changes = [change_of(table, operation, ids) for table in known.values()]
    return changes, (*why, *((_MORE,) if ids is not None else ()))


def settle_saved(link: Link, side: Link, snapshot_id: str) -> None:
    """Copy the rows as the action left them. Nothing where that is known, or no more possible."""
    kept = guard.read(link, snapshot_id)
    if kept is None or kept.state != "saved":
        link.raw.rollback()
        return
    try:
        held = usable(link, side, kept)
    except RecoveryError:
        link.raw.rollback()
        return
    link.run(f"SET SESSION sql_mode='{link.image_mode}'")
    settle(link, kept, held)
    link.raw.commit()


def verify(link: Link, side: Link, name: str, snapshot_id: str) -> Saved:
    """Read every image again. Raises NotFoundError, RecoveryError."""
    kept = guard.read(link, snapshot_id)
    if kept is None:
        raise NotFoundError(f"there is no snapshot {snapshot_id} on this server")
    usable(link, side, kept)
    link.raw.rollback()
    return saved_of(name, kept)


def saved_of(name: str, kept: Kept) -> Saved:
    return Saved(
        snapshot_id=kept.snapshot_id,
        system=name,
        fingerprint=kept.fingerprint,
        at=kept.at,
        resources=tuple(shown(part.name) for part in kept.parts),
        count=sum(max(part.before, part.after) for part in kept.parts),
        reversibility=kept.reversibility,
        irreversible=kept.irreversible,
    )
