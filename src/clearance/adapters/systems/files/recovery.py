"""Save, settle and verify one tree, and open a restore. Orders scan and store; decides nothing of a path."""

from __future__ import annotations

import os
import time
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from datetime import UTC, datetime
from hashlib import blake2b
from pathlib import Path
from typing import Final, cast

from msgspec.structs import replace

from clearance.adapters.systems.files.content import Digests, Reader
from clearance.adapters.systems.files.entry import Change, Manifest, difference, shown
from clearance.adapters.systems.files.paths import Globs, covers_of, opened_root
from clearance.adapters.systems.files.promise import reversibility_of, shortcomings
from clearance.adapters.systems.files.restoring import Restoring
from clearance.adapters.systems.files.scan import Limits, scan
from clearance.adapters.systems.files.store import Store, Stored
from clearance.core.model import Restored, RestoreMode, RestoreStatus, Saved
from clearance.errors import RecoveryError

_NO_CAP: Final = Limits(files=10_000_000, bytes=1 << 62)  # a reading that keeps nothing


class Recovery:
    """Thread-safe. One save or restore at a time for all processes that share the store."""

    def __init__(self, name: str, root: Path, store: Store, *, globs: Globs, limits: Limits) -> None:
        self._name = name
        self._root = root
        self._store = store
        self._globs = globs
        self._limits = limits
        self._owner = blake2b(os.fsencode(store.directory.resolve()), digest_size=8).hexdigest()

    def save(self, paths: Iterable[bytes], *, snapshot_id: str, fingerprint: str, by_hand: bool) -> Saved:
        """Saving twice under one id keeps the first. Raises RecoveryError, SystemUnavailableError."""
        with self._opened() as root, self._store.writing() as batch:
            if self._store.has(snapshot_id):
                return self._store.find(snapshot_id).saved
            covers = covers_of(root, paths)
            reader = Reader(batch, self._store.known(fingerprint))
            taken_ns = time.time_ns()
            before = scan(root, covers, reader=reader, globs=self._globs, limits=self._limits)
            saved = self._described(before, snapshot_id, fingerprint)
            batch.keep(saved, before, taken_ns=taken_ns, by_hand=by_hand)
            return saved

    def _described(self, before: Manifest, snapshot_id: str, fingerprint: str) -> Saved:
        missing = shortcomings(before, self._root)
        return Saved(
            snapshot_id=snapshot_id,
            system=self._name,
            fingerprint=fingerprint,
            at=datetime.now(UTC),
            resources=tuple(shown(cover) for cover in before.covers),
            count=len(before.entries),
            bytes=sum(entry.stored_bytes for entry in before.entries.values() if entry.is_file),
            reversibility=reversibility_of(missing),
            irreversible=missing,
        )

    def settle(self, snapshot_id: str) -> None:
        """The first call counts. Nothing to do for an unknown id, nor once a restore has begun."""
        with self._store.alone(), self._opened() as root:
            if not self._store.has(snapshot_id) or self._store.begun(snapshot_id) is not None:
                return
            stored = self._store.find(snapshot_id)
            if stored.after is None and not stored.undone:
                self._store.note_after(snapshot_id, self._differing(root, stored))

    def _differing(self, root: int, stored: Stored) -> Change:
        now = self._look(root, stored.before.covers, stored.saved.fingerprint)
        return difference(stored.before.entries, now.entries)

    def _look(self, root: int, covers: Iterable[bytes], fingerprint: str) -> Manifest:
        """How things stand, kept nowhere."""
        reader = Reader(Digests(), self._store.known(fingerprint))
        return scan(root, covers, reader=reader, globs=self._globs, limits=_NO_CAP)

    def verify(self, snapshot_id: str) -> Saved:
        """Raises NotFoundError, RecoveryError."""
        stored = self._store.find(snapshot_id)
        self._store.check(sorted({entry.digest for entry in stored.before.entries.values() if entry.digest}))
        return stored.saved

    def restore(self, snapshot_id: str, *, as_snapshot: str, mode: RestoreMode, fingerprint: str) -> Restored:
        """Raises NotFoundError, RecoveryError, SystemUnavailableError."""
        with self._store.alone(), self._opened() as root:
            stored = self._store.find(snapshot_id)
            if stored.undone:
                return Restored(snapshot_id=snapshot_id, status=RestoreStatus.ALREADY_UNDONE)
            if stored.saved.fingerprint != fingerprint:
                raise RecoveryError(
                    f"`{self._root}` is not the directory that was saved; nothing goes into another one"
                )
            if stored.by_hand and stored.after is None and self._store.begun(snapshot_id) is None:
                stored = replace(stored, after=self._differing(root, stored))
                if mode is not RestoreMode.PLAN:
                    self._store.note_after(snapshot_id, cast(Change, stored.after))
            restoring = Restoring(
                root,
                stored,
                store=self._store,
                look=lambda: self._look(root, stored.before.covers, fingerprint),
                limits=self._limits,
                owner=self._owner,
            )
            return restoring.run(mode, as_snapshot=as_snapshot)

    @contextmanager
    def _opened(self) -> Iterator[int]:
        try:
            with opened_root(self._root) as root:
                yield root
        except OSError as error:
            raise RecoveryError(f"`{self._root}`: {error.strerror or 'input or output failed'}") from None
