"""One bucket as a `System`: it counts by listing, saves inside the store, and puts objects back."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from clearance.adapters.systems.keyed import KeyedRecovery, Scope, Spot, effects_of, undoable
from clearance.adapters.systems.object_store.facts import read_environment
from clearance.adapters.systems.object_store.keys import Reach, names_a_version, reach
from clearance.adapters.systems.object_store.options import S3Options, clients, read_options
from clearance.adapters.systems.object_store.things import S3Things, TooManyError
from clearance.core.model import (
    EffectClass,
    Exactness,
    Operation,
    Radius,
    Request,
    Reversibility,
    Saved,
    Touch,
)
from clearance.errors import RecoveryError
from clearance.ports import Measured, SystemInfo

_SAMPLE = 5
_FINAL = "it names an old version: what is done to a version is final"


def open_system(name: str, options: Mapping[str, Any], *, images: Path) -> ObjectStore:
    """Raises ConfigurationError. Reaches nothing yet."""
    return ObjectStore(name, read_options(name, options), images=images)


class ObjectStore(KeyedRecovery):
    """A bucket, or the part of it below `prefix`."""

    def __init__(self, name: str, options: S3Options, *, images: Path) -> None:
        self._options = options
        self.client, self._sts = clients(name, options)
        self._objects = S3Things(name, self.client, self._sts, options)
        super().__init__(name, self._objects, images=images)

    def info(self) -> SystemInfo:
        fingerprint, facts = self._objects.fingerprint(), self._objects.facts()
        how = (
            "old versions"
            if facts.promise().reversibility is Reversibility.EXACT
            else "copies inside the store"
        )
        return SystemInfo(
            name=self.name,
            kind="s3",
            fingerprint=fingerprint,
            environment=read_environment(self.client, self._options, fingerprint),
            can=(
                "count objects and bytes by listing them",
                f"put back content, metadata and tags from {how}, unless somebody wrote since",
            ),
            cannot=(*facts.irreversible(), "save objects over 5 GB or in an archive class"),
        )

    def measure(self, request: Request, names: Sequence[str]) -> Measured:
        found = self._reach(request, names)
        unknown, touches = list(found.unknown), []
        for scope in found.scopes:
            touch = self._touch(request.action.operation, scope, found)
            touches.append(touch)
            if touch.count is None:
                unknown.append(f"`{scope.resource}` holds more than {self._options.most_objects} objects")
        promise, final = self._objects.facts().promise(), names_a_version(request)
        fingerprint = self._objects.fingerprint()
        unclear, lost = bool(found.unknown), bool(unknown or final or not undoable(request))
        return Measured(
            radius=Radius(
                system=self.name,
                fingerprint=fingerprint,
                environment=read_environment(self.client, self._options, fingerprint),
                effects=effects_of(request) | ({EffectClass.UNKNOWN} if unclear else set()),
                touches=tuple(touches),
                how="objects listed",
                reversibility=Reversibility.NONE if lost else promise.reversibility,
                irreversible=(*promise.irreversible, _FINAL) if final else promise.irreversible,
                unknown=tuple(unknown),
            )
        )

    def save(self, request: Request, names: Sequence[str], *, snapshot_id: str) -> Saved:
        found = self._reach(request, names)
        if found.unknown:
            raise RecoveryError(
                f"what it touches is not known, so it is not saved: {'; '.join(found.unknown)}"
            )
        if names_a_version(request):
            raise RecoveryError(f"{_FINAL}, so there is nothing to save")
        self._refuse_too_much(found)
        promise, verb = self._objects.facts().promise(), request.action.operation
        return self.save_scopes(snapshot_id, found.scopes, promise=promise, operation=verb)

    def close(self) -> None:
        self.client.close()
        self._sts.close()

    def _reach(self, request: Request, names: Sequence[str]) -> Reach:
        options = self._options
        return reach(
            request, names, bucket=options.bucket, prefix=options.prefix, copies=self._objects.copies
        )

    def _touch(self, operation: Operation, scope: Scope, found: Reach) -> Touch:
        """A key that is written counts always; one that is read or deleted counts only if it exists."""
        try:
            sizes = dict(self._sizes(scope))
        except TooManyError:
            return Touch(
                resource=scope.resource, operation=operation, count=None, exactness=Exactness.UNKNOWN
            )
        writes = operation not in (Operation.READ, Operation.DELETE)
        keys = scope.keys if scope.keys is not None and writes else tuple(sizes)
        return Touch(
            resource=scope.resource,
            operation=operation,
            count=len(keys),
            exactness=Exactness.BOUND if found.bound else Exactness.EXACT,
            bytes=sum(sizes.values()),
            sample=tuple(keys[:_SAMPLE]),
        )

    def _sizes(self, scope: Scope) -> list[tuple[str, int]]:
        if scope.keys is None:
            return [(entry["Key"], entry["Size"]) for entry in self._objects.listed(scope.resource)]
        spots = [Spot(resource=scope.resource, key=key) for key in scope.keys]
        looked = self.each(self._objects.look, spots)
        return [(spot.key, state.bytes) for spot, state in zip(spots, looked, strict=True) if state.exists]

    def _refuse_too_much(self, found: Reach) -> None:
        """Raises RecoveryError before anything is copied."""
        try:
            sizes = [size for scope in found.scopes for _, size in self._sizes(scope)]
        except TooManyError:
            sizes = [0] * (self._options.most_objects + 1)
        if len(sizes) > self._options.most_objects:
            raise RecoveryError("it touches more than `most_objects`: narrow the call, or raise the limit")
        if sum(sizes) > self._options.most_bytes:
            raise RecoveryError("it touches more than `most_bytes`: narrow the call, or raise the limit")
