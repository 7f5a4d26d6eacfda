"""The in-memory twin: tables of rows in a dict, for tests and examples. Its rows die with the process."""

from __future__ import annotations

import hashlib
import threading
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, Final
from uuid import uuid4

import msgspec
from msgspec import Struct

from clearance.adapters.systems.keyed import (
    Images,
    KeyedRecovery,
    Landed,
    Promise,
    RefusedError,
    Scope,
    Spot,
    State,
    effects_of,
    identifiers,
    selectors,
    undoable,
)
from clearance.core.model import (
    EffectClass,
    Environment,
    Exactness,
    Operation,
    Radius,
    Request,
    Reversibility,
    Saved,
    Touch,
)
from clearance.errors import ConfigurationError, Problem, RecoveryError
from clearance.ports import Measured, SystemInfo

Tables = dict[str, dict[str, Any]]
_PROMISE: Final = Promise(reversibility=Reversibility.EXACT)


class MemoryOptions(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """`tables`: rows (any JSON value) by id, by table. `environment` is what the twin calls itself."""

    tables: dict[str, dict[str, Any]] = {}
    environment: Environment = Environment.SANDBOX


def open_system(name: str, options: Mapping[str, Any], *, images: Path) -> MemorySystem:
    """Raises ConfigurationError."""
    try:
        read = msgspec.convert(dict(options), MemoryOptions)
    except msgspec.ValidationError as error:
        raise ConfigurationError([Problem("wrong_value", f"system `{name}`: {error}")]) from None
    return MemorySystem(name, read, images=images)


class MemoryThings:
    """Rows under a lock; each is compared by its canonical JSON."""

    at_once = 1
    makes_anew = False

    def __init__(self, tables: Tables) -> None:
        self.tables = tables
        self.lock = threading.RLock()
        self._fingerprint = f"memory:{uuid4()}"

    def fingerprint(self) -> str:
        return self._fingerprint

    def find(self, scope: Scope) -> Sequence[str]:
        if scope.keys is not None:
            return scope.keys
        with self.lock:
            return sorted(self.tables.get(scope.resource, {}))

    def look(self, spot: Spot) -> State:
        content = self._content(spot)
        if content is None:
            return State()
        return State(digest=hashlib.sha256(content).hexdigest(), bytes=len(content))

    def keep(self, spot: Spot, *, images: Images) -> State:
        content = self._content(spot)
        if content is None:
            return State()
        name = images.keep(content)
        return State(digest=name, image=name, bytes=len(content))

    def intact(self, spot: Spot, state: State, *, images: Images) -> bool:  # noqa: ARG002 - the port's
        return hashlib.sha256(images.blob(state.image)).hexdigest() == state.digest

    def put(self, spot: Spot, want: State, *, now: State, images: Images) -> Landed:
        content = images.blob(want.image) if want.exists else b""
        with self.lock:
            if self.look(spot).digest != now.digest:
                raise RefusedError("it was changed while it was put back")
            if want.exists:
                self.tables.setdefault(spot.resource, {})[spot.key] = msgspec.json.decode(content)
            else:
                self.tables.get(spot.resource, {}).pop(spot.key, None)
            return Landed(spot=spot, state=self.look(spot))

    def drop(self, snapshot_id: str) -> None:
        """The images are all on the disk."""

    def _content(self, spot: Spot) -> bytes | None:
        with self.lock:
            rows = self.tables.get(spot.resource, {})
            return msgspec.json.encode(rows[spot.key], order="sorted") if spot.key in rows else None


class MemorySystem(KeyedRecovery):
    """A `System` whose world is `tables`: change it as you like, it is yours."""

    def __init__(self, name: str, options: MemoryOptions, *, images: Path) -> None:
        self.tables: Tables = {table: dict(rows) for table, rows in options.tables.items()}
        self._environment = options.environment
        self._memory = MemoryThings(self.tables)
        super().__init__(name, self._memory, images=images)

    def info(self) -> SystemInfo:
        return SystemInfo(
            name=self.name,
            kind="memory",
            fingerprint=self._memory.fingerprint(),
            environment=self._environment,
            can=("count, save and put back every row exactly",),
            cannot=("outlive its process: after a restart no snapshot of it can be put back",),
        )

    def measure(self, request: Request, names: Sequence[str]) -> Measured:
        unknown: list[str] = []
        try:
            touches = [self._touch(request, scope) for scope in self._scopes(request, names)]
        except RecoveryError as error:
            touches, unknown = [], [str(error)]
        effects = effects_of(request) | ({EffectClass.UNKNOWN} if unknown else set())
        return Measured(
            radius=Radius(
                system=self.name,
                fingerprint=self._memory.fingerprint(),
                environment=self._environment,
                effects=effects,
                touches=tuple(touches),
                how="rows counted",
                reversibility=Reversibility.NONE if unknown or not undoable(request) else Reversibility.EXACT,
                unknown=tuple(unknown),
            )
        )

    def save(self, request: Request, names: Sequence[str], *, snapshot_id: str) -> Saved:
        return self.save_scopes(
            snapshot_id, self._scopes(request, names), promise=_PROMISE, operation=request.action.operation
        )

    def close(self) -> None:
        """Nothing is held open."""

    def _touch(self, request: Request, scope: Scope) -> Touch:
        """New rows count where rows are written; a condition can only choose fewer."""
        found = self._memory.find(scope)
        if request.action.operation not in (Operation.CREATE, Operation.UPDATE):
            found = [key for key in found if self._memory.look(Spot(resource=scope.resource, key=key)).exists]
        return Touch(
            resource=scope.resource,
            operation=request.action.operation,
            count=len(found),
            exactness=Exactness.BOUND if selectors(request.action.arguments) else Exactness.EXACT,
            sample=tuple(found[:5]),
        )

    def _scopes(self, request: Request, names: Sequence[str]) -> list[Scope]:
        """Which rows: those of `record_ids`, or all of each table; every table where none is named."""
        named = request.action.arguments.get("record_ids")
        keys = None if named is None else identifiers(named)
        if named is not None and keys is None:
            raise RecoveryError("`record_ids` holds what is no id: give a list of strings or integers")
        return [Scope(resource=name, keys=keys) for name in names or sorted(self.tables)]
