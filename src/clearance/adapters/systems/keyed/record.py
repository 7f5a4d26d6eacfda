"""What is written down of a snapshot and of a restore, and its form on the disk."""

from __future__ import annotations

from datetime import datetime
from typing import TypeVar

import msgspec
from msgspec import Struct

from clearance.adapters.systems.keyed.disk import Images
from clearance.adapters.systems.keyed.things import Landed, Scope, Spot, State
from clearance.core.model import Operation, Restored, RestoreMode, Reversibility, Saved
from clearance.errors import RecoveryError

_MANIFEST, _AFTER, _PROGRESS, _STEPS = "manifest.json", "after.json", "restore.json", "steps.log"


T = TypeVar("T")


class Kept(Struct, frozen=True, kw_only=True):
    """One thing and how it stood."""

    spot: Spot
    state: State


class Promise(Struct, frozen=True, kw_only=True, omit_defaults=True):
    """What putting back will return of what is saved, and what it will not."""

    reversibility: Reversibility
    irreversible: tuple[str, ...] = ()


class Manifest(Struct, frozen=True, kw_only=True, omit_defaults=True):
    """A whole snapshot, and the verb of the action that it was taken for.

    `restoring` names the snapshot whose restore made this one.
    """

    snapshot_id: str
    system: str
    fingerprint: str
    at: datetime
    scopes: tuple[Scope, ...]
    kept: tuple[Kept, ...]
    promise: Promise
    operation: Operation = Operation.UNKNOWN
    restoring: str = ""

    @property
    def is_checkpoint(self) -> bool:
        """Taken for an action that only reads, such as the request to save: what differs came later."""
        return self.operation is Operation.READ

    def saved(self) -> Saved:
        there = [kept.state for kept in self.kept if kept.state.exists]
        return Saved(
            snapshot_id=self.snapshot_id,
            system=self.system,
            fingerprint=self.fingerprint,
            at=self.at,
            resources=tuple(dict.fromkeys(scope.resource for scope in self.scopes)),
            count=len(there),
            bytes=sum(state.bytes for state in there),
            reversibility=self.promise.reversibility,
            irreversible=self.promise.irreversible,
        )


class Progress(Struct, frozen=True, kw_only=True, omit_defaults=True):
    """A restore under way or ended. `backing`: it is being taken back, because one thing refused."""

    as_snapshot: str
    mode: RestoreMode
    spots: tuple[Spot, ...]
    backing: bool = False
    report: Restored | None = None  # once it has ended


class Step(Struct, frozen=True, kw_only=True, omit_defaults=True):
    """About one spot of a restore: it is about to be written once, or what the write left behind."""

    spot: Spot
    landed: Landed | None = None


def manifest(images: Images) -> Manifest:
    """Raises RecoveryError."""
    stored = images.read(_MANIFEST)
    if stored is None:
        raise RecoveryError(f"snapshot `{images.snapshot_id}` is damaged: it has no list of what it holds")
    return _decoded(images, stored, Manifest)


def write_manifest(images: Images, value: Manifest) -> None:
    images.write(_MANIFEST, msgspec.json.encode(value))


def after(images: Images) -> dict[Spot, State] | None:
    """How things stood when the action had ended; None where nobody has noted that."""
    stored = images.read(_AFTER)
    if stored is None:
        return None
    return {kept.spot: kept.state for kept in _decoded(images, stored, list[Kept])}


def write_after(images: Images, states: dict[Spot, State]) -> None:
    images.write(
        _AFTER, msgspec.json.encode([Kept(spot=spot, state=state) for spot, state in states.items()])
    )


def progress(images: Images) -> Progress | None:
    stored = images.read(_PROGRESS)
    return None if stored is None else _decoded(images, stored, Progress)


def write_progress(images: Images, value: Progress) -> None:
    images.write(_PROGRESS, msgspec.json.encode(value))


def clear_progress(images: Images) -> None:
    """The steps go last: without a restore under way nobody reads them."""
    images.remove(_PROGRESS)
    images.remove(_STEPS)


def add_step(images: Images, step: Step) -> None:
    images.append(_STEPS, msgspec.json.encode(step))


def steps(images: Images) -> dict[Spot, Step]:
    """The last step of each spot."""
    read = (msgspec.json.decode(line, type=Step) for line in images.lines(_STEPS))
    return {step.spot: step for step in read}


def _decoded(images: Images, stored: bytes, kind: type[T]) -> T:
    try:
        return msgspec.json.decode(stored, type=kind)
    except msgspec.DecodeError:
        raise RecoveryError(f"snapshot `{images.snapshot_id}` was written by another version") from None
