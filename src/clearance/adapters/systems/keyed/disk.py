"""The directory of one system's snapshots: every file is complete and on the disk before its name is."""

from __future__ import annotations

import fcntl
import hashlib
import os
import re
import shutil
import threading
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Final

from clearance.errors import NotFoundError, RecoveryError

_ID: Final = re.compile(
    r"[A-Za-z0-9_][A-Za-z0-9_.-]{0,127}"
)  # names a directory: no separator, no leading dot
_SEAL: Final = 65  # bytes before a sealed file's body: 64 hex digits of SHA-256 and a line feed


class Images:
    """What is kept of one snapshot. A file is sealed with its SHA-256; a blob is named by it."""

    def __init__(self, directory: Path, snapshot_id: str) -> None:
        self.directory = directory
        self.snapshot_id = snapshot_id

    def keep(self, content: bytes) -> str:
        """Store a blob durably; its name."""
        name = hashlib.sha256(content).hexdigest()
        path = self.directory / name
        if not path.exists():
            _write(path, content)
        return name

    def blob(self, name: str) -> bytes:
        """Raises RecoveryError where it is missing or was changed."""
        content = self._bytes(name)
        if hashlib.sha256(content).hexdigest() != name:
            raise self._broken("an image was changed after it was written")
        return content

    def write(self, name: str, content: bytes) -> None:
        """Replace a sealed file, durably and at once."""
        _write(self.directory / name, hashlib.sha256(content).hexdigest().encode() + b"\n" + content)

    def read(self, name: str) -> bytes | None:
        """None where there is no such file. Raises RecoveryError where it was changed."""
        if not (self.directory / name).exists():
            return None
        stored = self._bytes(name)
        if hashlib.sha256(stored[_SEAL:]).hexdigest().encode() + b"\n" != stored[:_SEAL]:
            raise self._broken(f"`{name}` was changed after it was written")
        return stored[_SEAL:]

    def append(self, name: str, line: bytes) -> None:
        """Add one sealed line, durably."""
        path = self.directory / name
        fresh = not path.exists()
        descriptor = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_APPEND, 0o600)
        with os.fdopen(descriptor, "wb") as file:
            file.write(b"\n" + hashlib.sha256(line).hexdigest().encode() + b" " + line + b"\n")
            file.flush()
            os.fsync(descriptor)
        if fresh:
            _sync(self.directory)

    def lines(self, name: str) -> list[bytes]:
        """Every whole line. One that a power cut tore is left out: what it told was not yet relied on."""
        path = self.directory / name
        found = [stored.partition(b" ") for stored in path.read_bytes().split(b"\n")] if path.exists() else []
        return [line for seal, _, line in found if line and hashlib.sha256(line).hexdigest().encode() == seal]

    def remove(self, name: str) -> None:
        (self.directory / name).unlink(missing_ok=True)
        _sync(self.directory)

    def _bytes(self, name: str) -> bytes:
        try:
            return (self.directory / name).read_bytes()
        except OSError as error:
            raise self._broken(f"an image cannot be read: {error.strerror}") from None

    def _broken(self, what: str) -> RecoveryError:
        return RecoveryError(f"snapshot `{self.snapshot_id}` is damaged: {what}. It cannot be put back.")


class Shelf:
    """All snapshots of one system, each a directory. One process works on a snapshot at a time."""

    def __init__(self, root: Path) -> None:
        self._root = root

    @contextmanager
    def locked(self, snapshot_id: str) -> Iterator[None]:
        """Wait for whoever else works on this snapshot, in this process or in another one.

        Raises RecoveryError where the disk fails.
        """
        _check(snapshot_id)
        try:
            descriptor = self._lock(snapshot_id)
            try:
                fcntl.flock(descriptor, fcntl.LOCK_EX)
                yield
            finally:
                os.close(descriptor)
        except OSError as error:
            what = error.strerror or type(error).__name__
            raise RecoveryError(f"the directory of snapshots cannot be used: {what}") from None

    def has(self, snapshot_id: str) -> bool:
        _check(snapshot_id)
        return (self._root / snapshot_id).is_dir()

    def open(self, snapshot_id: str) -> Images:
        """Raises NotFoundError."""
        if not self.has(snapshot_id):
            raise NotFoundError(f"there is no snapshot `{snapshot_id}` here")
        return Images(self._root / snapshot_id, snapshot_id)

    def begin(self, snapshot_id: str) -> Images:
        """An empty place to build a snapshot in; nobody sees it before `publish`."""
        _check(snapshot_id)
        directory = self._unfinished(snapshot_id)
        shutil.rmtree(directory, ignore_errors=True)
        directory.mkdir(parents=True, mode=0o700)
        return Images(directory, snapshot_id)

    def publish(self, snapshot_id: str) -> Images:
        """Give what was built its name. After a power cut it is there whole, or not at all."""
        _sync(self._unfinished(snapshot_id))
        self._unfinished(snapshot_id).rename(self._root / snapshot_id)
        _sync(self._root)
        return self.open(snapshot_id)

    def forget(self, snapshot_id: str) -> None:
        """Take the name away first, so that a snapshot is never half there."""
        _check(snapshot_id)
        leaving = self._unfinished(snapshot_id)
        shutil.rmtree(leaving, ignore_errors=True)
        with suppress(FileNotFoundError):
            (self._root / snapshot_id).rename(leaving)
            _sync(self._root)
        shutil.rmtree(leaving, ignore_errors=True)

    def _lock(self, snapshot_id: str) -> int:
        locks = self._root / ".locks"
        locks.mkdir(parents=True, exist_ok=True, mode=0o700)
        return os.open(locks / snapshot_id, os.O_RDWR | os.O_CREAT, 0o600)

    def _unfinished(self, snapshot_id: str) -> Path:
        return self._root / f".unfinished-{snapshot_id}"


def _check(snapshot_id: str) -> None:
    if not _ID.fullmatch(snapshot_id):
        raise RecoveryError(
            "a snapshot's id has 1 to 128 letters, digits, `_`, `-`, `.` and no leading `.` or `-`"
        )


def _write(path: Path, content: bytes) -> None:
    unfinished = path.with_name(f".{path.name}.{threading.get_ident()}.new")  # two may keep one content
    descriptor = os.open(unfinished, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600)
    try:
        with open(descriptor, "wb", closefd=False) as file:
            file.write(content)
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
    unfinished.rename(path)
    _sync(path.parent)


def _sync(path: Path) -> None:
    descriptor = os.open(path, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
