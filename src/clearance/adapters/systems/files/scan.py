"""Walks a tree by directory descriptors and notes every path. Follows no link, changes nothing."""

from __future__ import annotations

import os
import stat
from collections.abc import Iterable
from typing import Final

from msgspec import Struct
from msgspec.structs import replace

from clearance.adapters.systems.files.content import ChangingError, Content, Reader, xattrs_of
from clearance.adapters.systems.files.entry import Entry, Manifest, ancestors_of, parent_of, shown
from clearance.adapters.systems.files.paths import STAGE, Globs, opened_directory
from clearance.errors import RecoveryError

DEEPEST: Final = 200  # directories; one descriptor each is held, and 1,024 is the usual limit of a process
_ATTEMPTS: Final = 3
_DIRECTORY = os.O_RDONLY | os.O_DIRECTORY | os.O_NOFOLLOW | os.O_CLOEXEC
_NOTHING = Content(b"", None, ())


class TooBigError(RecoveryError):
    """More than the configured caps."""


class Limits(Struct, frozen=True, kw_only=True):
    """At most this is saved. `bytes` are of content, holes left out."""

    files: int
    bytes: int


def scan(root: int, covers: Iterable[bytes], *, reader: Reader, globs: Globs, limits: Limits) -> Manifest:
    """Every path that `covers` hold, as they stand. Raises RecoveryError."""
    walk = _Walk(root, reader=reader, globs=globs, limits=limits)
    covers = tuple(covers)
    try:
        for cover in covers:
            walk.cover(cover)
    except OSError as error:
        raise RecoveryError(f"the tree cannot be read: {error.strerror}") from None
    return Manifest(covers, _linked(walk.entries), tuple(walk.strangers))


class _Walk:
    def __init__(self, root: int, *, reader: Reader, globs: Globs, limits: Limits) -> None:
        self._root = root
        self._reader = reader
        self._globs = globs
        self._limits = limits
        self._device = os.fstat(root).st_dev
        self._bytes = 0
        self.entries: dict[bytes, Entry] = {}
        self.strangers: list[bytes] = []

    def cover(self, path: bytes) -> None:
        """One path and all below it, and the directories above it."""
        for above in ancestors_of(path):
            if above in self.entries:
                continue
            try:
                with opened_directory(self._root, above) as handle:
                    self._add(above, _entry(os.fstat(handle), _of_handle(handle)))
            except (FileNotFoundError, NotADirectoryError):
                return  # so what is below does not exist either
        if not path:
            self._add(b"", _entry(os.fstat(self._root), _of_handle(self._root)))
            self._below(self._root, b"", depth=0)
            return
        try:
            with opened_directory(self._root, parent_of(path)) as handle:
                name = path.rpartition(b"/")[2]
                self._path(handle, name, path, os.stat(name, dir_fd=handle, follow_symlinks=False), depth=0)
        except (FileNotFoundError, NotADirectoryError):
            return

    def _below(self, handle: int, prefix: bytes, *, depth: int) -> None:
        if depth > DEEPEST:
            raise RecoveryError(f"`{shown(prefix)}` is deeper than {DEEPEST} directories; exclude it")
        with os.scandir(handle) as listing:
            found = list(listing)
        for item in found:
            name = os.fsencode(item.name)
            try:
                self._path(handle, name, prefix + name, item.stat(follow_symlinks=False), depth=depth)
            except FileNotFoundError:
                continue  # gone since the directory was listed

    def _path(self, parent: int, name: bytes, path: bytes, about: os.stat_result, *, depth: int) -> None:
        if self._globs.match(path):
            if not path.startswith(STAGE):
                self.strangers.append(path)
        elif stat.S_ISDIR(about.st_mode):
            self._directory(parent, name, path, depth=depth)
        elif stat.S_ISREG(about.st_mode):
            self._file(parent, name, path, about)
        else:
            self._other(parent, name, path, about)

    def _directory(self, parent: int, name: bytes, path: bytes, *, depth: int) -> None:
        handle = os.open(name, _DIRECTORY, dir_fd=parent)
        try:
            about = os.fstat(handle)
            if about.st_dev != self._device:
                self.strangers.append(path)
                return
            self._add(path, _entry(about, _of_handle(handle)))
            self._below(handle, path + b"/", depth=depth + 1)
        finally:
            os.close(handle)

    def _file(self, parent: int, name: bytes, path: bytes, about: os.stat_result) -> None:
        for attempt in range(_ATTEMPTS):
            self._room(path, min(about.st_size, about.st_blocks * 512 or about.st_size))
            try:
                content = self._reader.file(parent, name, about, path=path)
                break
            except ChangingError:
                if attempt == _ATTEMPTS - 1:
                    raise
                about = os.stat(name, dir_fd=parent, follow_symlinks=False)
                if not stat.S_ISREG(about.st_mode):
                    self._path(parent, name, path, about, depth=DEEPEST)
                    return
        entry = _entry(about, content)
        self._bytes += entry.stored_bytes
        self._add(path, entry)

    def _other(self, parent: int, name: bytes, path: bytes, about: os.stat_result) -> None:
        target = os.readlink(name, dir_fd=parent) if stat.S_ISLNK(about.st_mode) else b""
        where = f"/proc/self/fd/{parent}/{os.fsdecode(name)}"
        content = Content(b"", None, xattrs_of(where))
        self._add(path, replace(_entry(about, content), target=target, rdev=about.st_rdev))

    def _room(self, path: bytes, size: int) -> None:
        if self._bytes + size > self._limits.bytes:
            raise TooBigError(
                f"more than {self._limits.bytes:,} bytes, at `{shown(path)}`; raise `most_bytes`, exclude "
                "what need not be saved, or name less"
            )

    def _add(self, path: bytes, entry: Entry) -> None:
        if len(self.entries) >= self._limits.files:
            raise TooBigError(
                f"more than {self._limits.files:,} paths; raise `most_files`, exclude what need not be "
                "saved, or name less"
            )
        self.entries[path] = entry


def _of_handle(handle: int) -> Content:
    xattrs = xattrs_of(handle)
    return Content(b"", None, xattrs) if xattrs else _NOTHING


def _entry(about: os.stat_result, content: Content) -> Entry:
    mode = about.st_mode
    return Entry(
        mode & 0o170000,
        mode & 0o7777,
        about.st_uid,
        about.st_gid,
        about.st_mtime_ns,
        about.st_size,
        about.st_dev,
        about.st_ino,
        about.st_ctime_ns,
        about.st_nlink,
        content.digest,
        content.extents,
        content.xattrs,
    )


def _linked(entries: dict[bytes, Entry]) -> dict[bytes, Entry]:
    """Name in every member of a group of hard links the group's first path."""
    groups: dict[tuple[int, int], list[bytes]] = {}
    for path, entry in entries.items():
        if entry.nlink > 1 and not entry.is_directory:
            groups.setdefault((entry.dev, entry.ino), []).append(path)
    for members in groups.values():
        if len(members) > 1:
            first = min(members)
            for path in members:
                entries[path] = replace(entries[path], link=first)
    return entries
