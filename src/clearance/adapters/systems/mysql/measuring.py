"""Count what a request without a statement would touch: whole tables, or records by their ids."""

from __future__ import annotations

from collections.abc import Sequence
from uuid import uuid4

from clearance.adapters.systems.mysql import guard, images
from clearance.adapters.systems.mysql.capture import TooManyError, capture_before
from clearance.adapters.systems.mysql.catalogue import Name, Table, shown, tables
from clearance.adapters.systems.mysql.connect import Link
from clearance.adapters.systems.mysql.counting import count_table
from clearance.adapters.systems.mysql.environment import environment_of
from clearance.adapters.systems.mysql.images import image_of
from clearance.adapters.systems.mysql.options import Options
from clearance.adapters.systems.mysql.plan import Plan, plan
from clearance.adapters.systems.mysql.records import change_of, record_ids
from clearance.adapters.systems.mysql.remembered import Remembered
from clearance.core.model import (
    EffectClass,
    Exactness,
    Operation,
    Radius,
    Request,
    Resource,
    Reversibility,
    Touch,
)
from clearance.errors import RecoveryError
from clearance.ports import Measured

_EFFECTS = {
    Operation.READ: EffectClass.READ,
    Operation.CREATE: EffectClass.WRITE,
    Operation.UPDATE: EffectClass.WRITE,
    Operation.DELETE: EffectClass.DELETE,
    Operation.DDL: EffectClass.DDL,
}


def measure(
    link: Link, side: Link, name: str, request: Request, names: Sequence[str], options: Options
) -> Measured:
    """Leaves an open transaction that the caller rolls back."""
    operation = request.action.operation
    ids = record_ids(request.action.arguments)
    known = find(side, names)
    touches: list[Touch] = []
    unknown = [f"{text} was not found in the catalogue" for text in names if full(side, text) not in known]
    why: list[str] = []
    for table in known.values():
        if ids is None or operation in (Operation.READ, Operation.CREATE) or not table.key:
            touches.append(_whole(side, table, operation, ids))
            continue
        found, bars = _closure(link, side, table, operation, ids, options)
        touches += found
        why += bars
    effects = {_EFFECTS.get(operation, EffectClass.UNKNOWN), *([EffectClass.UNKNOWN] if unknown else [])}
    exact = bool(touches) and not why and not unknown and ids is not None
    environment = environment_of(side, options)
    return Measured(
        radius=Radius(
            system=name,
            fingerprint=side.fingerprint,
            environment=environment,
            effects=frozenset(effects),
            touches=tuple(touches),
            how="closure" if ids is not None else "select",
            reversibility=Reversibility.EXACT
            if exact and operation is not Operation.CREATE
            else Reversibility.NONE,
            irreversible=tuple(why),
            unknown=tuple(unknown),
        ),
        resources=tuple(
            Resource(kind="mysql", name=f"{name}/{shown(one)}", environment=environment) for one in known
        ),
    )


def full(link: Link, text: str) -> Name:
    schema, _, table = text.rpartition(".")
    found = (schema or link.schema, table)
    return (found[0].lower(), found[1].lower()) if link.folds_names else found


def find(side: Link, names: Sequence[str]) -> dict[Name, Table]:
    return tables(side, [full(side, text) for text in names])


def _whole(side: Link, table: Table, operation: Operation, ids: Sequence[object] | None) -> Touch:
    if operation is Operation.CREATE:
        count = len(ids) if ids is not None else None
        exactness = Exactness.UNKNOWN if count is None else Exactness.BOUND
        return Touch(resource=shown(table.name), operation=operation, count=count, exactness=exactness)
    if ids is None:
        return count_table(side, table.name, operation)
    where = change_of(table, Operation.DELETE, ids).where if table.key else ""
    return count_table(side, table.name, operation, where=where)


def _closure(
    link: Link, side: Link, table: Table, operation: Operation, ids: Sequence[object], options: Options
) -> tuple[list[Touch], tuple[str, ...]]:
    made = plan(Remembered(side), change_of(table, operation, ids))
    bars = (*made.blocked, *made.why_not)
    if bars:
        where = made.change.where
        return [count_table(side, table.name, operation, where=where), *_children(made, {})], bars
    held = hold(link, side, made, images.number_of(f"rehearsal-{uuid4()}"), options)
    first = Touch(resource=shown(table.name), operation=operation, count=held[table.name])
    return [first, *_children(made, held)], ()


def hold(link: Link, side: Link, made: Plan, number: int, options: Options) -> dict[Name, int]:
    """Lock and copy what a plan chooses and all that refers to it; rows by table. Raises RecoveryError."""
    guard.make_images(side, list(made.tables.values()))
    link.batch([images.fence(image_of(table), number) for table in made.tables.values()])
    try:
        return capture_before(link, made, number, most_rows=options.most_rows).rows
    except TooManyError as error:
        raise RecoveryError(
            f"more than {options.most_rows} rows would have to be kept (`most_rows`)"
        ) from error


def _children(made: Plan, held: dict[Name, int]) -> list[Touch]:
    found = []
    for name in sorted(set(made.tables) - set(made.names)):
        deletes = made.reach.events[name].deletes
        count = held.get(name)
        if count != 0:
            exactness = (
                Exactness.UNKNOWN if count is None else Exactness.EXACT if deletes else Exactness.BOUND
            )
            found.append(
                Touch(
                    resource=shown(name),
                    operation=Operation.DELETE if deletes else Operation.UPDATE,
                    count=count,
                    exactness=exactness,
                )
            )
    return found
