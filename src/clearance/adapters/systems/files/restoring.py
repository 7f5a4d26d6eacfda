"""One restore: plan, make ready, note that it begins, carry out, read again, note that it ended.

A crash before the note leaves the tree as it was; after it, the next call goes on and treats what the crash
left half done as its own.
"""

from __future__ import annotations

import os
import time
from collections.abc import Callable
from datetime import UTC, datetime

from msgspec.structs import replace

from clearance.adapters.systems.files.applying import RACED, Applying, links_of
from clearance.adapters.systems.files.content import Reader
from clearance.adapters.systems.files.entry import (
    Change,
    Entry,
    Manifest,
    ancestors_of,
    changed_by,
    difference,
    parent_of,
    same,
    shown,
)
from clearance.adapters.systems.files.paths import opened_directory
from clearance.adapters.systems.files.plan import Plan, items_of, make_plan
from clearance.adapters.systems.files.scan import Limits
from clearance.adapters.systems.files.staging import flush, stage
from clearance.adapters.systems.files.store import Batch, Store, Stored
from clearance.core.model import ItemState, Restored, RestoreMode, RestoreStatus
from clearance.core.model.recovery import MOST_ITEMS
from clearance.errors import RecoveryError


class Restoring:
    """Holds the store's lock from its caller, for its whole life."""

    def __init__(
        self,
        root: int,
        stored: Stored,
        *,
        store: Store,
        look: Callable[[], Manifest],
        limits: Limits,
        owner: str,
    ) -> None:
        self._root = root
        self._stored = stored
        self._store = store
        self._look = look
        self._limits = limits
        self._owner = owner
        before, after = stored.before.entries, stored.after
        self._after = None if after is None else changed_by(before, after)
        begun = store.begun(stored.saved.snapshot_id)
        self._begun = None if begun is None else store.find(begun)
        self._now = look()
        self._plan = make_plan(stored.before, self._after, self._now, begun=_touched(self._begun))

    def run(self, mode: RestoreMode, *, as_snapshot: str) -> Restored:
        """Raises RecoveryError. Under PLAN nothing is written."""
        plan = self._plan
        if mode is RestoreMode.PLAN:
            return self._report(RestoreStatus.PLANNED, ItemState.RESTORED)
        if mode is RestoreMode.ALL and plan.conflicts and self._begun is None:
            return self._report(RestoreStatus.CONFLICT, ItemState.SKIPPED)
        mtimes = self._mtimes()
        links = links_of(plan.steps, self._stored.before.entries, self._now.entries)
        with stage(self._root, self._owner) as staged:
            applying = Applying(self._root, staged, plan.steps, links)
            applying.prepare(self._store)
            flush(self._root)
            if self._begun is None:
                self._begin(as_snapshot, mtimes)
            applying.run()
        applying.set_times(mtimes)
        flush(self._root)
        verified = self._holds(applying.raced)
        partial = bool(plan.conflicts or applying.raced)
        self._store.finish(self._stored.saved.snapshot_id, undone=not partial)
        status = RestoreStatus.PARTIAL if partial else RestoreStatus.RESTORED
        return self._report(status, ItemState.RESTORED, raced=applying.raced, verified=verified)

    def _begin(self, as_snapshot: str, mtimes: dict[bytes, int]) -> None:
        """Keep what will be replaced, and that the restore has begun, in one durable step."""
        if self._store.has(as_snapshot):
            raise RecoveryError(
                f"the snapshot `{as_snapshot}` exists already; what is replaced needs a new id"
            )
        replaced = {step.path: step.now for step in self._plan.steps if step.now is not None}
        around = {above for step in self._plan.steps for above in ancestors_of(step.path)} | set(mtimes)
        entries = {path: self._now.entries[path] for path in around if path in self._now.entries} | replaced
        saved = replace(
            self._stored.saved,
            snapshot_id=as_snapshot,
            at=datetime.now(UTC),
            count=len(entries),
            bytes=sum(entry.stored_bytes for entry in replaced.values() if entry.is_file),
        )
        with self._store.writing() as batch:
            self._keep_bytes(batch)
            batch.keep_for_restore(
                saved,
                Manifest(self._stored.before.covers, dict(sorted(entries.items()))),
                after=self._result(entries, mtimes),
                taken_ns=time.time_ns(),
                restores=self._stored.saved.snapshot_id,
            )

    def _keep_bytes(self, batch: Batch) -> None:
        reader = Reader(batch, {})
        room = self._limits.bytes
        for step in self._plan.steps:
            if step.now is None or not step.now.is_file:
                continue
            room -= step.now.stored_bytes
            if room < 0:
                raise RecoveryError(
                    f"what the restore replaces is more than {self._limits.bytes:,} bytes; raise `most_bytes`"
                )
            with opened_directory(self._root, parent_of(step.path)) as handle:
                name = step.path.rpartition(b"/")[2]
                about = os.stat(name, dir_fd=handle, follow_symlinks=False)
                if reader.file(handle, name, about, path=step.path).digest != step.now.digest:
                    raise RecoveryError(f"`{shown(step.path)}` changed a moment ago; try again")

    def _result(self, entries: dict[bytes, Entry], mtimes: dict[bytes, int]) -> Change:
        """How the same paths will stand once this is done: what an undo of it compares with."""
        result = dict(entries)
        for step in self._plan.steps:
            result.pop(step.path, None)
            if step.before is not None:
                result[step.path] = step.before
        for path, mtime_ns in mtimes.items():
            if path in result:
                result[path] = replace(result[path], mtime_ns=mtime_ns)
        return difference(entries, result)

    def _mtimes(self) -> dict[bytes, int]:
        """Of directories that we make, or that nobody but the action and we changed."""
        touched, made = _touched(self._begun), {step.path for step in self._plan.steps}
        first = self._now.entries
        if self._begun is not None:  # ours have moved since: as they stood when we began, or were not there
            kept = {path: entry for path, entry in first.items() if path not in touched}
            first = kept | self._begun.before.entries
        found = {}
        for path, entry in self._stored.before.entries.items():
            current = first.get(path)
            left = None if self._after is None else self._after.get(path)
            if not entry.is_directory:
                continue
            if current is None or not current.is_directory:
                if path in made or path in touched:
                    found[path] = entry.mtime_ns
            elif left is not None and left.mtime_ns == current.mtime_ns:
                found[path] = entry.mtime_ns
        return found

    def _holds(self, raced: set[bytes]) -> bool:
        """Whether the tree, read again, holds what the snapshot holds of every path that was put back."""
        now = self._look().entries
        return not raced and all(same(step.before, now.get(step.path)) for step in self._plan.steps)

    def _report(
        self,
        status: RestoreStatus,
        state: ItemState,
        *,
        raced: frozenset[bytes] | set[bytes] = frozenset(),
        verified: bool = False,
    ) -> Restored:
        plan = _without(self._plan, raced)
        nothing = status is RestoreStatus.CONFLICT
        return Restored(
            snapshot_id=self._stored.saved.snapshot_id,
            status=status,
            restored=0 if nothing else len(plan.steps),
            already=len(plan.already),
            conflicts=len(plan.conflicts),
            skipped=len(plan.skipped) + (len(plan.steps) if nothing else 0),
            items=tuple(items_of(plan, state, resource=self._stored.saved.system, most=MOST_ITEMS)),
            verified=verified,
            irreversible=self._stored.saved.irreversible,
        )


def _without(plan: Plan, raced: frozenset[bytes] | set[bytes]) -> Plan:
    return Plan(
        steps=tuple(step for step in plan.steps if step.path not in raced),
        conflicts=(*plan.conflicts, *((path, RACED) for path in sorted(raced))),
        skipped=plan.skipped,
        already=plan.already,
    )


def _touched(begun: Stored | None) -> frozenset[bytes]:
    """What a restore that was broken off set out to change."""
    if begun is None or begun.after is None:
        return frozenset()
    before, after = begun.before.entries, changed_by(begun.before.entries, begun.after)
    return frozenset(path for path in {*before, *after} if not same(before.get(path), after.get(path)))
