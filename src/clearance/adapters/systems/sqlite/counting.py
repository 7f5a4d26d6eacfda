"""From one statement to its count: which way it is run, and what that says to a policy. Commits nothing."""

from __future__ import annotations

import apsw
from msgspec.structs import replace

from clearance.adapters.systems.sqlite.attempt import (
    Attempt,
    Statement,
    back_to_savepoint,
    begin_write,
    radius_of,
    run_by_rows,
    set_savepoint,
)
from clearance.adapters.systems.sqlite.attempt_copy import run_with_copy
from clearance.adapters.systems.sqlite.options import Target
from clearance.adapters.systems.sqlite.reading import Reading
from clearance.adapters.systems.sqlite.result import run
from clearance.core.model import Environment, Exactness, Operation, Radius, Resource, Reversibility, Touch
from clearance.ports import Measured


def run_counted(
    target: Target, connection: apsw.Connection, statement: Statement, *, has_changes: bool
) -> Attempt:
    """Run behind a savepoint, which stays open. Raises the driver's own error of the statement."""
    found = run_by_rows(target, connection, statement, has_changes=has_changes)
    if found is not None:
        return found
    back_to_savepoint(connection)
    if not has_changes:
        # A long statement may hold the file exclusively even when taken back, and the copy must read it.
        if connection.in_transaction:
            connection.execute("ROLLBACK")
        begin_write(connection)
    set_savepoint(connection)
    return run_with_copy(target, connection, statement, has_changes=has_changes)


def run_reading(target: Target, connection: apsw.Connection, statement: Statement) -> Attempt:
    """Its rows are what it touches; with several tables they cannot be said of one of them."""
    result = run(connection, statement.text, statement.parameters, changes_rows=False)
    names = ", ".join(sorted(statement.reading.tables))
    touches = (Touch(resource=names, operation=Operation.READ, count=len(result)),) if names else ()
    return Attempt(radius=radius_of(target, statement, touches, how="rows returned"), result=result)


def deferred_radius(target: Target, statement: Statement) -> Radius:
    """Of what is not run before it is cleared."""
    why = "it is run only once it is cleared: no rollback takes it back, or not all of it is understood"
    made = radius_of(target, statement, (), how="not run")
    operation = statement.reading.classification.operation
    touch = Touch(resource="database", operation=operation, count=None, exactness=Exactness.UNKNOWN)
    return Radius(
        system=made.system,
        fingerprint=made.fingerprint,
        effects=made.effects,
        touches=(touch,),
        how=made.how,
        reversibility=Reversibility.NONE,
        irreversible=(why,),
        unknown=made.unknown or ("what it changes was not counted",),
    )


def measured(target: Target, reading: Reading, radius: Radius, *, environment: Environment) -> Measured:
    """The radius, with the verb and the tables as the engine read them."""
    radius = replace(radius, environment=environment)
    names = {named.name for named in reading.classification.objects} | reading.tables
    names |= {
        touch.resource.lower()
        for touch in radius.touches
        if touch.operation is not Operation.READ and touch.count is not None
    }
    resources = tuple(
        Resource(kind="sqlite", name=f"{target.name}/{name}", environment=environment)
        for name in sorted(names)
    )
    return Measured(radius=radius, operation=reading.classification.operation, resources=resources)
