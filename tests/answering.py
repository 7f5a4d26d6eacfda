"""People who answer holds, for tests of every door."""

from __future__ import annotations

from datetime import UTC, datetime

from msgspec.structs import replace

from clearance.core.model import AnswerKind, Hold, Person, Role
from clearance.wiring import Assembly

LONG_AGO = datetime(2020, 1, 1, tzinfo=UTC)


def person(name: str, *roles: Role, teams: tuple[str, ...] = (), **fields: object) -> Person:
    """Somebody who may approve, where no role is given."""
    made = Person(name=name, created_at=LONG_AGO, roles=roles or (Role.APPROVER,), teams=teams)
    return replace(made, **fields)


def approve(assembly: Assembly, hold_id: str, *, by: str = "alice") -> Hold:
    """What a person does who reads a hold and says yes to exactly that."""
    return answer(assembly, hold_id, AnswerKind.APPROVE, by=by)


def answer(assembly: Assembly, hold_id: str, kind: AnswerKind, *, by: str = "alice") -> Hold:
    shown = assembly.holds.hold(hold_id).shown_hash
    return assembly.holds.answer(hold_id, kind, person=person(by), shown_hash=shown)
