"""Save, settle, verify and forget for anything that is kept by key; restoring is next door.

It decides nothing about what may run, and never writes to the system: only `restore` does.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime
from pathlib import Path
from typing import TypeVar

from clearance.adapters.systems.keyed import record
from clearance.adapters.systems.keyed.disk import Images, Shelf
from clearance.adapters.systems.keyed.record import Kept, Manifest, Promise
from clearance.adapters.systems.keyed.restore import Restore
from clearance.adapters.systems.keyed.things import Scope, Spot, State, Things
from clearance.core.model import Operation, Restored, RestoreMode, Saved
from clearance.errors import RecoveryError, SystemUnavailableError

T = TypeVar("T")


class KeyedRecovery:
    """The recovery half of a `System`: a subclass adds `info`, `measure` and `save`.

    Thread-safe, and safe between processes that share the directory of images.
    """

    def __init__(self, name: str, things: Things, *, images: Path) -> None:
        self.name = name
        self._things = things
        self._shelf = Shelf(images)

    def save_scopes(
        self,
        snapshot_id: str,
        scopes: Sequence[Scope],
        *,
        promise: Promise,
        operation: Operation = Operation.UNKNOWN,
    ) -> Saved:
        """Keep everything in scope. What is named and does not exist is kept as absent.

        `operation` is the verb of the action. For one that only reads, what differs later is put back even
        where nobody settled it; for any other one it is a conflict then.
        """
        with self._shelf.locked(snapshot_id):
            if self._shelf.has(snapshot_id):
                return record.manifest(self._shelf.open(snapshot_id)).saved()
            spots = [spot for scope in scopes for spot in self._spots(scope)]
            return self._build(
                snapshot_id, tuple(scopes), spots, promise=promise, operation=operation
            ).saved()

    def settle(self, snapshot_id: str) -> None:
        """Note how everything in scope stands, once. Later changes are somebody else's."""
        try:
            self._settle(snapshot_id)
        except RecoveryError as error:
            raise SystemUnavailableError(f"how the action left it could not be noted: {error}") from None

    def _settle(self, snapshot_id: str) -> None:
        with self._shelf.locked(snapshot_id):
            if not self._shelf.has(snapshot_id):
                return
            images = self._shelf.open(snapshot_id)
            if record.after(images) is not None:
                return
            kept = record.manifest(images)
            self.same_system(kept)
            spots = {each.spot for each in kept.kept}
            for scope in kept.scopes:
                spots.update(self._spots(scope))
            record.write_after(images, self.looked(spots))

    def verify(self, snapshot_id: str) -> Saved:
        """Read the list and every image."""
        with self._shelf.locked(snapshot_id):
            images = self._shelf.open(snapshot_id)
            kept = record.manifest(images)
            self.same_system(kept)
            record.after(images)
            self.check_images(images, {each.spot: each.state for each in kept.kept})
            return kept.saved()

    def restore(self, snapshot_id: str, *, as_snapshot: str, mode: RestoreMode) -> Restored:
        """See `System.restore`."""
        if as_snapshot == snapshot_id:
            raise RecoveryError("what a restore replaces is kept under an id of its own: choose another one")
        with self._shelf.locked(snapshot_id):
            images = self._shelf.open(snapshot_id)
            kept = record.manifest(images)
            self.same_system(kept)
            return Restore(self, self._things, images, kept).run(as_snapshot=as_snapshot, mode=mode)

    def forget(self, snapshot_id: str) -> None:
        """Remove the images for good, wherever they are."""
        with self._shelf.locked(snapshot_id):
            self._things.drop(snapshot_id)
            self._shelf.forget(snapshot_id)

    def check_images(self, images: Images, states: Mapping[Spot, State]) -> None:
        """Raises RecoveryError unless every image is there and whole."""
        there = [spot for spot, state in states.items() if state.exists]
        sound = self.each(lambda spot: self._things.intact(spot, states[spot], images=images), there)
        if lost := sound.count(False):
            raise RecoveryError(
                f"snapshot `{images.snapshot_id}` is damaged: {lost} of {len(there)} images are "
                "missing or changed. Nothing was put back."
            )

    def keep_replaced(self, replaced: Manifest, as_snapshot: str, spots: Sequence[Spot]) -> Manifest:
        """Save what a restore is about to replace. Its own earlier try, which wrote nothing, is redone."""
        with self._shelf.locked(as_snapshot):
            if self._shelf.has(as_snapshot):
                earlier = record.manifest(self._shelf.open(as_snapshot))
                if earlier.restoring != replaced.snapshot_id:
                    raise RecoveryError(f"snapshot `{as_snapshot}` exists: choose an id that is not in use")
                self._shelf.forget(as_snapshot)
            scopes = _scopes(spots)
            return self._build(
                as_snapshot,
                scopes,
                spots,
                promise=replaced.promise,
                restoring=replaced.snapshot_id,
            )

    def replaced(self, as_snapshot: str) -> Images:
        """The images of what a restore replaced."""
        return self._shelf.open(as_snapshot)

    def drop_replaced(self, as_snapshot: str) -> None:
        self.forget(as_snapshot)

    def looked(self, spots: Iterable[Spot]) -> dict[Spot, State]:
        """How each stands now."""
        listed = sorted(set(spots))
        return dict(zip(listed, self.each(self._things.look, listed), strict=True))

    def spots(self, scopes: Iterable[Scope]) -> set[Spot]:
        """Everything in scope that exists or is named."""
        return {spot for scope in scopes for spot in self._spots(scope)}

    def each(self, work: Callable[..., T], items: Sequence[object]) -> list[T]:
        """Several at once, results in order. The first error is raised once all have ended."""
        if self._things.at_once == 1 or len(items) < 2:
            return [work(item) for item in items]
        with ThreadPoolExecutor(min(self._things.at_once, len(items))) as pool:
            return list(pool.map(work, items))

    def same_system(self, kept: Manifest) -> None:
        """Raises RecoveryError when another server answers than the one that was saved."""
        if self._things.fingerprint() != kept.fingerprint:
            raise RecoveryError(
                f"snapshot `{kept.snapshot_id}` is of `{kept.fingerprint}`, and another system answers now "
                f"as `{self.name}`: point the configuration back, then try again"
            )

    def _spots(self, scope: Scope) -> list[Spot]:
        return [Spot(resource=scope.resource, key=key) for key in self._things.find(scope)]

    def _build(
        self,
        snapshot_id: str,
        scopes: tuple[Scope, ...],
        spots: Sequence[Spot],
        *,
        promise: Promise,
        operation: Operation = Operation.UNKNOWN,
        restoring: str = "",
    ) -> Manifest:
        fingerprint, at = self._things.fingerprint(), datetime.now(UTC)
        images = self._shelf.begin(snapshot_id)
        listed = sorted(set(spots))
        states = self.each(lambda spot: self._things.keep(spot, images=images), listed)
        kept = tuple(Kept(spot=spot, state=state) for spot, state in zip(listed, states, strict=True))
        if self._things.fingerprint() != fingerprint:
            raise RecoveryError(f"another system began to answer as `{self.name}` while it was saved")
        made = Manifest(
            snapshot_id=snapshot_id,
            system=self.name,
            fingerprint=fingerprint,
            at=at,
            scopes=scopes,
            kept=kept,
            promise=promise,
            operation=operation,
            restoring=restoring,
        )
        record.write_manifest(images, made)
        self._shelf.publish(snapshot_id)
        return made


def _scopes(spots: Sequence[Spot]) -> tuple[Scope, ...]:
    keys: dict[str, list[str]] = {}
    for spot in spots:
        keys.setdefault(spot.resource, []).append(spot.key)
    return tuple(Scope(resource=resource, keys=tuple(sorted(named))) for resource, named in keys.items())
