"""Counts what an action on named paths would touch. Reads no content, follows no link, changes nothing."""

from __future__ import annotations

import os
import stat
from collections.abc import Sequence
from typing import Final

from msgspec import Struct

from clearance.adapters.systems.files.entry import ancestors_of, parent_of, shown
from clearance.adapters.systems.files.paths import opened_directory
from clearance.adapters.systems.files.scan import DEEPEST
from clearance.core.model import Exactness, Operation, Touch

SAMPLES: Final = 10  # paths shown to a person
_MOST: Final = 2_000_000  # entries; about two seconds of counting
_DIRECTORY = os.O_RDONLY | os.O_DIRECTORY | os.O_NOFOLLOW | os.O_CLOEXEC


class Counted(Struct, frozen=True, kw_only=True):
    """Entries at and below one path. `links` are symbolic ones. `whole` False: counting was given up."""

    entries: int = 0
    bytes: int = 0
    links: int = 0
    is_directory: bool = False
    sample: tuple[str, ...] = ()
    whole: bool = True


def count(root: int, path: bytes) -> Counted:
    """Raises OSError where a link or a file stands in the way."""
    tally = _Tally()
    if not path:
        tally.below(root, b"", 0)
        return tally.result(is_directory=True)
    try:
        with opened_directory(root, parent_of(path)) as handle:
            name = path.rpartition(b"/")[2]
            about = os.stat(name, dir_fd=handle, follow_symlinks=False)
            tally.add(handle, name, path, about, 0)
            return tally.result(is_directory=stat.S_ISDIR(about.st_mode))
    except FileNotFoundError:
        return Counted()


class _Tally:
    def __init__(self) -> None:
        self.entries = 0
        self.bytes = 0
        self.links = 0
        self.sample: list[str] = []
        self.whole = True

    def result(self, *, is_directory: bool) -> Counted:
        return Counted(
            entries=self.entries,
            bytes=self.bytes,
            links=self.links,
            is_directory=is_directory,
            sample=tuple(self.sample),
            whole=self.whole,
        )

    def add(self, parent: int, name: bytes, path: bytes, about: os.stat_result, depth: int) -> None:
        self.entries += 1
        if len(self.sample) < SAMPLES:
            self.sample.append(shown(path))
        if stat.S_ISREG(about.st_mode):
            self.bytes += about.st_size
        elif stat.S_ISLNK(about.st_mode):
            self.links += 1
        elif stat.S_ISDIR(about.st_mode):
            try:
                handle = os.open(name, _DIRECTORY, dir_fd=parent)
            except OSError:  # what cannot be opened cannot be counted
                self.whole = False
                return
            try:
                self.below(handle, path + b"/", depth + 1)
            finally:
                os.close(handle)

    def below(self, handle: int, prefix: bytes, depth: int) -> None:
        if depth > DEEPEST or self.entries > _MOST:
            self.whole = False
            return
        with os.scandir(handle) as listing:
            found = list(listing)
        for item in found:
            try:
                about = item.stat(follow_symlinks=False)
            except FileNotFoundError:
                continue
            name = os.fsencode(item.name)
            self.add(handle, name, prefix + name, about, depth)


def touch_of(path: bytes, operation: Operation, counted: Counted) -> Touch:
    """Making is one path; deleting or reading is all below; a change of a directory is at most all below."""
    resource = shown(path)
    if not counted.whole:
        return Touch(resource=resource, operation=operation, count=None, exactness=Exactness.UNKNOWN)
    if operation is Operation.CREATE:
        return Touch(resource=resource, operation=operation, count=1, bytes=counted.bytes)
    bound = counted.is_directory and operation is Operation.UPDATE
    return Touch(
        resource=resource,
        operation=operation,
        count=counted.entries if counted.entries or operation is not Operation.UPDATE else 1,
        exactness=Exactness.BOUND if bound else Exactness.EXACT,
        bytes=counted.bytes,
        sample=counted.sample,
    )


def disjoint(paths: Sequence[bytes]) -> list[bytes]:
    """What lies below another one is counted once."""
    all_of_them = set(paths)
    return sorted(path for path in all_of_them if all_of_them.isdisjoint(ancestors_of(path)))
