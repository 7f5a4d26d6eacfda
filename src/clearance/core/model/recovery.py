"""What was saved, and what came of putting it back."""

from __future__ import annotations

from datetime import datetime
from enum import StrEnum

from msgspec import Struct

from clearance.core.model.radius import Reversibility


class Saved(Struct, frozen=True, kw_only=True, omit_defaults=True):
    """One snapshot in one system: what it holds, and what it will not return.

    `count` is of rows, files or objects; `bytes` of their images where known.
    """

    snapshot_id: str
    system: str
    fingerprint: str
    at: datetime
    resources: tuple[str, ...]
    count: int
    reversibility: Reversibility
    bytes: int | None = None
    irreversible: tuple[str, ...] = ()


class RestoreMode(StrEnum):
    """PLAN changes nothing and reports; ALL restores everything or nothing; FREE leaves out conflicts."""

    PLAN = "plan"
    ALL = "all"
    FREE = "free"


class ItemState(StrEnum):
    """What came of one row, file or object. CONFLICT: somebody changed it since."""

    RESTORED = "restored"
    ALREADY = "already"  # already as it was before
    CONFLICT = "conflict"
    SKIPPED = "skipped"


class Item(Struct, frozen=True, kw_only=True, omit_defaults=True):
    """One row, file or object by its key. `why` explains a conflict or a skip; it quotes no value."""

    resource: str
    key: str
    state: ItemState
    why: str = ""


class RestoreStatus(StrEnum):
    """How a restore ended. CONFLICT: nothing was changed. PARTIAL: what was free of conflict is restored."""

    PLANNED = "planned"
    RESTORED = "restored"
    PARTIAL = "partial"
    CONFLICT = "conflict"
    ALREADY_UNDONE = "already_undone"
    NOTHING_SAVED = "nothing_saved"  # no state was kept for the action: there is nothing to put back


class Restored(Struct, frozen=True, kw_only=True, omit_defaults=True):
    """The report of one restore. `items` are at most 100, conflicts first; the numbers are of all.

    `verified`: after restoring, the system was read again and holds what the snapshot holds.
    """

    snapshot_id: str
    status: RestoreStatus
    restored: int = 0
    already: int = 0
    conflicts: int = 0
    skipped: int = 0
    items: tuple[Item, ...] = ()
    verified: bool = False
    irreversible: tuple[str, ...] = ()


class Undone(Struct, frozen=True, kw_only=True, omit_defaults=True):
    """What came of undoing one action, over every system that it touched.

    `undo_id` is the undo's own action, itself undoable; empty for a plan and where nothing was to do.
    """

    action_id: str
    status: RestoreStatus
    undo_id: str = ""
    systems: dict[str, Restored] = {}

    @property
    def conflicts(self) -> tuple[str, ...]:
        """The keys in conflict, `public.orders 17`, as far as they are named."""
        return tuple(
            f"{item.resource} {item.key}".strip()
            for restored in self.systems.values()
            for item in restored.items
            if item.state is ItemState.CONFLICT
        )


MOST_ITEMS = 100  # named in a report; the numbers count all
