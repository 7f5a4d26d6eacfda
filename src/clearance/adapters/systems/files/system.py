"""The port `System` for one directory tree: reads a request, lets the others work."""

from __future__ import annotations

import os
from collections.abc import Callable, Mapping, Sequence
from hashlib import blake2b
from pathlib import Path
from typing import Any, cast

from msgspec.structs import replace

from clearance.adapters.systems.files.counting import SAMPLES, Counted, count, disjoint, touch_of
from clearance.adapters.systems.files.entry import shown
from clearance.adapters.systems.files.paths import Globs, OutsideError, opened_root, relative
from clearance.adapters.systems.files.recovery import Recovery
from clearance.adapters.systems.files.rehearsal import NotPossibleHereError, Rehearsed, rehearse
from clearance.adapters.systems.files.scan import Limits
from clearance.adapters.systems.files.settings import Options, environment_of, read_options
from clearance.adapters.systems.files.store import Store
from clearance.core.classify.shell import file_only
from clearance.core.model import (
    EffectClass,
    Exactness,
    Operation,
    Radius,
    Request,
    Restored,
    RestoreMode,
    Reversibility,
    Saved,
    Touch,
)
from clearance.errors import RecoveryError, SystemUnavailableError
from clearance.ports import Measured, SystemInfo

Command = str | Sequence[str]
_COMMANDS = ("command", "cmd")
_MACHINE = Path("/etc/machine-id")
_CAN = (
    "Files below the root come back with content, mode, owner, times, extended attributes, links and holes.",
    "What the action made is removed again; what anybody else made or changed since is left alone.",
)
_CANNOT = (
    "What is excluded, on another file system, or outside the root is not saved.",
    "Inode numbers, access and change times, file flags and open file handles do not come back.",
)
_EFFECTS = {
    Operation.READ: EffectClass.READ,
    Operation.CREATE: EffectClass.WRITE,
    Operation.UPDATE: EffectClass.WRITE,
    Operation.DELETE: EffectClass.DELETE,
}


_WHOLE = ("",)


def open_system(name: str, options: Mapping[str, Any], *, images: Path) -> FilesSystem:
    """Raises ConfigurationError."""
    return FilesSystem(name, read_options(name, options, images=images), images=images)


class FilesSystem:
    """Thread-safe. `judge` says which commands touch files alone, and so may be rehearsed."""

    def __init__(
        self,
        name: str,
        options: Options,
        *,
        images: Path,
        judge: Callable[[Command], bool] = file_only,
    ) -> None:
        self._name = name
        self._options = options
        self._root = Path(options.root)
        self._judge = judge
        self._limits = Limits(files=options.most_files, bytes=options.most_bytes)
        self._globs = Globs(options.exclude)
        self._store = Store(images)
        self._recovery = Recovery(name, self._root, self._store, globs=self._globs, limits=self._limits)

    @property
    def name(self) -> str:
        return self._name

    def info(self) -> SystemInfo:
        fingerprint = self._fingerprint()
        return SystemInfo(
            name=self._name,
            kind="files",
            fingerprint=fingerprint,
            environment=environment_of(self._options, fingerprint),
            can=_CAN,
            cannot=_CANNOT,
        )

    def _fingerprint(self) -> str:
        """The machine and the directory itself, not the path that leads to it."""
        with opened_root(self._root) as root:
            about = os.fstat(root)
        try:
            machine = blake2b(_MACHINE.read_bytes().strip(), digest_size=8).hexdigest()
        except OSError:
            machine = "unknown"
        return f"files:{machine}:{about.st_dev}:{about.st_ino}"

    def measure(self, request: Request, names: Sequence[str]) -> Measured:
        command = _command_of(request)
        if command is not None:
            return self._measure_command(command, request.action.operation)
        operation = request.action.operation
        effect = _EFFECTS.get(operation)
        if effect is None:
            return Measured(radius=self._unknown(operation, f"what `{operation}` does to files is not known"))
        with opened_root(self._root) as root:
            paths, unknown = self._paths(names or _WHOLE)
            touches, links = [], 0
            for path in disjoint(paths):
                try:
                    counted = count(root, path)
                except OSError as error:
                    unknown.append(f"`{shown(path)}` cannot be counted: {error.strerror}")
                    counted = Counted(whole=False)
                links += counted.links if operation is Operation.UPDATE else 0
                touches.append(touch_of(path, operation, counted))
        if links:
            unknown.append(f"{links} symbolic link(s): what is written through them lies elsewhere")
        return Measured(radius=self._radius({effect}, touches, unknown, how="directory walk"))

    def _paths(self, names: Sequence[str]) -> tuple[list[bytes], list[str]]:
        paths, unknown = [], []
        for name in names:
            try:
                paths.append(relative(name, self._root))
            except OutsideError as error:
                unknown.append(str(error))
        return paths, unknown

    def _measure_command(self, command: Command, operation: Operation) -> Measured:
        if self._options.rehearse == "never":
            return Measured(radius=self._unknown(operation, "the command was not rehearsed: switched off"))
        if not self._judge(command):
            why = "the command was not rehearsed: it is not known to touch files alone"
            return Measured(radius=self._unknown(operation, why))
        with opened_root(self._root):
            pass
        try:
            done = rehearse(command, self._root, timeout_seconds=self._options.rehearse_seconds)
        except NotPossibleHereError as error:
            return Measured(radius=self._unknown(operation, str(error)))
        return self._rehearsed(done)

    def _rehearsed(self, done: Rehearsed) -> Measured:
        unknown = []
        if done.outside:
            unknown.append("the command also writes outside the root, which was not counted")
        if done.exit_code:
            unknown.append(f"the command failed in the rehearsal (exit code {done.exit_code})")
        exactness = Exactness.ESTIMATE if unknown else Exactness.EXACT
        kinds = (
            (Operation.DELETE, EffectClass.DELETE, done.deleted),
            (Operation.UPDATE, EffectClass.WRITE, done.written),
            (Operation.CREATE, EffectClass.WRITE, done.created),
        )
        touches = [
            Touch(
                resource=".",
                operation=operation,
                count=len(paths),
                exactness=exactness,
                sample=tuple(shown(path) for path in paths[:SAMPLES]),
            )
            for operation, _, paths in kinds
            if paths
        ]
        if touches:
            touches[0] = replace(touches[0], bytes=done.bytes)
        effects = {effect for _, effect, paths in kinds if paths} or {EffectClass.READ}
        return Measured(
            radius=self._radius(effects, touches, unknown, how="rehearsal"),
            operation=None if unknown else _verb(touches),
        )

    def _radius(
        self, effects: set[EffectClass], touches: Sequence[Touch], unknown: Sequence[str], *, how: str
    ) -> Radius:
        """Unknown is an effect of its own. More than the caps is counted, but cannot be saved."""
        if unknown:
            effects = effects | {EffectClass.UNKNOWN}
        irreversible = list(unknown)
        if sum(touch.count or 0 for touch in touches) > self._limits.files:
            irreversible.append(f"more than {self._limits.files:,} paths: too many to save")
        if sum(touch.bytes or 0 for touch in touches) > self._limits.bytes:
            irreversible.append(f"more than {self._limits.bytes:,} bytes: too big to save")
        if self._globs.patterns:
            irreversible.append("what is excluded by the configuration is not saved")
        return Radius(
            system=self._name,
            fingerprint=(fingerprint := self._fingerprint()),
            environment=environment_of(self._options, fingerprint),
            effects=frozenset(effects),
            touches=tuple(touches),
            how=how,
            reversibility=Reversibility.NONE if irreversible else Reversibility.EXACT,
            irreversible=tuple(irreversible),
            unknown=tuple(unknown),
        )

    def _unknown(self, operation: Operation, why: str) -> Radius:
        touch = Touch(resource=".", operation=operation, count=None, exactness=Exactness.UNKNOWN)
        return self._radius({EffectClass.UNKNOWN}, [touch], [why], how="")

    def save(self, request: Request, names: Sequence[str], *, snapshot_id: str) -> Saved:
        """A command is saved for by the whole root: what it touches is not in its text."""
        whole = _command_of(request) is not None or not names
        paths = [b""] if whole else [relative(name, self._root) for name in _chosen(request, names)]
        return self._recovery.save(
            paths,
            snapshot_id=snapshot_id,
            fingerprint=self._fingerprint(),
            by_hand=request.action.operation is Operation.READ,
        )

    def settle(self, snapshot_id: str) -> None:
        try:
            self._recovery.settle(snapshot_id)
        except RecoveryError as error:
            raise SystemUnavailableError(str(error)) from None

    def verify(self, snapshot_id: str) -> Saved:
        return self._recovery.verify(snapshot_id)

    def restore(self, snapshot_id: str, *, as_snapshot: str, mode: RestoreMode) -> Restored:
        return self._recovery.restore(
            snapshot_id, as_snapshot=as_snapshot, mode=mode, fingerprint=self._fingerprint()
        )

    def forget(self, snapshot_id: str) -> None:
        self._store.forget(snapshot_id)

    def close(self) -> None:
        self._store.close()


def _command_of(request: Request) -> Command | None:
    for key in _COMMANDS:
        value = request.action.arguments.get(key)
        if isinstance(value, str):
            return value
        if isinstance(value, list) and value and all(isinstance(word, str) for word in value):
            return cast(Sequence[str], value)
    return None


def _chosen(request: Request, names: Sequence[str]) -> Sequence[str]:
    """Records of a directory are the paths in it."""
    records = request.action.arguments.get("record_ids")
    if not isinstance(records, list) or not records:
        return names
    return [f"{name}/{record}" for name in names for record in records]


def _verb(touches: Sequence[Touch]) -> Operation:
    """The most dangerous one: they come in that order."""
    return touches[0].operation if touches else Operation.READ
