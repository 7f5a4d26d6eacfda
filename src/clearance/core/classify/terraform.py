"""A saved plan of terraform or tofu, as `show -json` prints it, to counted touches. Runs nothing."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import msgspec

from clearance.core.model import Operation
from clearance.core.model.radius import Exactness, Touch

_MOST_BYTES = 64 * 1024 * 1024  # a plan of some ten thousand resources; larger ones are not read
_UNREAD = Touch(resource="<unreadable>", operation=Operation.UNKNOWN, count=None, exactness=Exactness.UNKNOWN)
_ACTIONS: dict[tuple[str, ...], tuple[Operation, ...]] = {
    ("no-op",): (),
    ("read",): (Operation.READ,),
    ("create",): (Operation.CREATE,),
    ("update",): (Operation.UPDATE,),
    ("delete",): (Operation.DELETE,),
    ("forget",): (Operation.UPDATE,),  # left in the world, removed from the state
    ("delete", "create"): (Operation.DELETE, Operation.CREATE),
    ("create", "delete"): (Operation.DELETE, Operation.CREATE),
    ("create", "forget"): (Operation.CREATE, Operation.UPDATE),
}


def plan_touches(text: str | bytes) -> tuple[Touch, ...]:
    """One touch for each changed resource and action: a replacement is a deletion and a creation.

    `sample` holds the plan's own reason. A plan that fails, is not complete, or cannot be read is one touch
    of unknown count.
    """
    if len(text) > _MOST_BYTES:
        return (_UNREAD,)
    try:
        plan = msgspec.json.decode(text)
    except (msgspec.DecodeError, UnicodeError, RecursionError):
        return (_UNREAD,)
    if not isinstance(plan, Mapping) or "format_version" not in plan or plan.get("errored") is True:
        return (_UNREAD,)
    changes = plan.get("resource_changes", [])
    if not isinstance(changes, list):
        return (_UNREAD,)
    found = [touch for change in changes for touch in _of_change(change)]
    return tuple(found) if plan.get("complete", True) is True else (*found, _UNREAD)


def _of_change(change: Any) -> tuple[Touch, ...]:
    if not isinstance(change, Mapping) or not isinstance(change.get("change"), Mapping):
        return (_UNREAD,)
    actions, address = change["change"].get("actions"), change.get("address")
    if not isinstance(actions, list) or not isinstance(address, str):
        return (_UNREAD,)
    operations = _ACTIONS.get(tuple(str(action) for action in actions))
    if operations is None:
        return (_UNREAD,)
    reason = change.get("action_reason")
    sample = (reason,) if isinstance(reason, str) else ()
    if change.get("deposed"):
        address = f"{address} (deposed)"
    return tuple(Touch(resource=address, operation=each, count=1, sample=sample) for each in operations)


def plan_counts(touches: tuple[Touch, ...]) -> dict[Operation, int | None]:
    """How many of each operation; None, for every one of them, where some part of the plan is not known."""
    unknown = any(touch.count is None for touch in touches)
    counts: dict[Operation, int | None] = {}
    for touch in touches:
        counts[touch.operation] = None if unknown else (counts.get(touch.operation) or 0) + (touch.count or 0)
    return counts
