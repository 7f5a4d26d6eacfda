"""What a restore has to do, by comparing three states of each path. Pure: touches nothing.

`before`: as saved. `after`: as the action left it. `now`: as it stands. A path goes back only where `now` is
`after`: whoever changed it since is not overwritten. Paths that neither state knows are never touched.
"""

from __future__ import annotations

from collections.abc import Mapping, Set

from msgspec import Struct

from clearance.adapters.systems.files.entry import (
    Entry,
    Manifest,
    ancestors_of,
    content_of,
    parent_of,
    same,
    shown,
)
from clearance.core.model import Item, ItemState

_CHANGED = "changed since the action ended"
_NOT_NOTED = "how the action left it was not noted, so a later change cannot be told apart"
_NOT_EMPTY = "holds what the action did not make"
_BLOCKED = "a directory above it cannot be put back"
_OTHERS = "changed since; the action had left it as it was"

Entries = Mapping[bytes, Entry]


class Step(Struct, frozen=True):
    """One path to put back. `now` None: it is missing. `before` None: it goes."""

    path: bytes
    now: Entry | None
    before: Entry | None


class Plan(Struct, frozen=True, kw_only=True):
    """What to do, and what is left alone and why. `already` counts what is as before without us."""

    steps: tuple[Step, ...]
    conflicts: tuple[tuple[bytes, str], ...]
    skipped: tuple[tuple[bytes, str], ...]
    already: tuple[bytes, ...]


def make_plan(
    before: Manifest, after: Entries | None, now: Manifest, *, begun: Set[bytes] = frozenset()
) -> Plan:
    """`after` None: not noted. `begun`: paths that a restore of ours was broken off in."""
    steps: dict[bytes, Step] = {}
    conflicts: dict[bytes, str] = {}
    skipped: list[tuple[bytes, str]] = []
    already: list[bytes] = []
    for path in sorted({*before.entries, *(after or ())}):
        saved, current = before.entries.get(path), now.entries.get(path)
        left = saved if after is None else after.get(path)
        if same(saved, current):
            if not same(saved, left):
                already.append(path)
        elif after is None:
            if current is None:
                steps[path] = Step(path, None, saved)
            else:
                conflicts[path] = _NOT_NOTED
        elif same(saved, left) and path not in begun:
            skipped.append((path, _OTHERS))
        elif same(left, current) or (path in begun and _half_done(saved, left, current)):
            steps[path] = Step(path, current, saved)
        else:
            conflicts[path] = _CHANGED
    _keep_what_holds_strangers(steps, conflicts, now)
    _drop_what_is_blocked(steps, conflicts, now)
    return Plan(
        steps=tuple(steps.values()),
        conflicts=tuple(sorted(conflicts.items())),
        skipped=tuple(skipped),
        already=tuple(already),
    )


def _half_done(saved: Entry | None, left: Entry | None, current: Entry | None) -> bool:
    """Whether a state can lie between the two: content of one of them, with attributes in the making.

    A directory in the making, or one emptied already where a file is to come, is half done too.
    """
    if current is None:
        return True
    if current.is_directory and saved is not None and saved.is_directory:
        return True
    return any(known is not None and content_of(known) == content_of(current) for known in (saved, left))


def _keep_what_holds_strangers(steps: dict[bytes, Step], conflicts: dict[bytes, str], now: Manifest) -> None:
    """A directory goes only where everything in it goes."""
    going = {path for path, step in steps.items() if step.now is not None and not _stays_directory(step)}
    staying = [path for path in (*now.entries, *now.strangers) if path not in going]
    for path in staying:
        for above in ancestors_of(path):
            if above in going:
                steps.pop(above, None)
                conflicts.setdefault(above, _NOT_EMPTY)


def _stays_directory(step: Step) -> bool:
    """A directory before and now; a file that is replaced by a file goes nowhere either."""
    return step.before is not None and step.now is not None and step.before.kind == step.now.kind


def _drop_what_is_blocked(steps: dict[bytes, Step], conflicts: dict[bytes, str], now: Manifest) -> None:
    """A path needs a directory above it: one there already, or one that this plan makes."""
    for path in list(steps):  # sorted: what is above comes first
        step = steps[path]
        above = parent_of(path)
        if step.before is None or not path:
            continue
        made = steps.get(above)
        there = now.entries.get(above)
        if made is not None and made.before is not None and made.before.is_directory:
            continue
        if made is None and there is not None and there.is_directory:
            continue
        del steps[path]
        conflicts[path] = _BLOCKED


def items_of(plan: Plan, state: ItemState, *, resource: str, most: int) -> list[Item]:
    """Conflicts first, then what is left alone, then the steps in `state`."""
    found = [_item(resource, path, ItemState.CONFLICT, why) for path, why in plan.conflicts[:most]]
    found += [_item(resource, path, ItemState.SKIPPED, why) for path, why in plan.skipped[:most]]
    found += [_item(resource, step.path, state) for step in plan.steps[:most]]
    found += [_item(resource, path, ItemState.ALREADY) for path in plan.already[:most]]
    return found[:most]


def _item(resource: str, path: bytes, state: ItemState, why: str = "") -> Item:
    return Item(resource=resource, key=shown(path), state=state, why=why)
