"""Reads one file whole or not at all: its bytes, its holes, its extended attributes. Decides nothing."""

from __future__ import annotations

import errno
import os
from collections.abc import Iterator, Mapping
from hashlib import blake2b
from typing import Final, Protocol

from msgspec import Struct

from clearance.adapters.systems.files.entry import Extents, Xattrs, shown
from clearance.errors import RecoveryError

WHOLE: Final = 1 << 20  # bytes read at once; larger files go through in parts of this size
_CLONED: Final = 16 << 20  # bytes from which a shared copy is worth a file of its own
_HOLE: Final = 4096  # bytes; the smallest hole that ext4, XFS and btrfs keep
_ATTEMPTS: Final = 3
_READ = os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC
_NO_XATTRS = (errno.ENOTSUP, errno.ENODATA, errno.ENOENT, errno.EPERM)
_DIGEST_BYTES = 32

Identity = tuple[int, ...]


class Content(Struct, frozen=True, gc=False):
    """What of a file cannot be had by lstat."""

    digest: bytes
    extents: Extents | None
    xattrs: Xattrs


class Sink(Protocol):
    """Where bytes go while they are read. `clone` is None where the file system shares no blocks."""

    def has(self, digest: bytes, /) -> bool: ...

    def add(self, data: bytes, /) -> bytes: ...

    def pour(self, parts: Iterator[bytes]) -> bytes: ...

    def clone(self, handle: int, /) -> bytes | None: ...


class Digests:
    """A sink that keeps nothing."""

    def has(self, _digest: bytes) -> bool:
        return True

    def add(self, data: bytes) -> bytes:
        return digest_of(data)

    def pour(self, parts: Iterator[bytes]) -> bytes:
        total = blake2b(digest_size=_DIGEST_BYTES)
        for part in parts:
            total.update(part)
        return total.digest()

    def clone(self, _handle: int) -> bytes | None:
        return None


class ChangingError(RecoveryError):
    """Somebody writes the file while it is read."""


class Reader:
    """Reads into a sink; a file of known identity is not read again."""

    def __init__(self, sink: Sink, known: Mapping[Identity, Content]) -> None:
        self._sink = sink
        self._known = known
        self._fresh: dict[Identity, Content] = {}

    def file(self, directory: int, name: bytes, about: os.stat_result, *, path: bytes) -> Content:
        """Raises ChangingError, RecoveryError; FileNotFoundError where it is gone meanwhile."""
        identity = identity_of(about)
        content = self._known.get(identity) or self._fresh.get(identity)
        if content is not None and self._sink.has(content.digest):
            return content
        for _ in range(_ATTEMPTS):
            read = self._attempt(directory, name, identity, path)
            if isinstance(read, Content):
                self._fresh[identity] = read
                return read
            about = os.stat(name, dir_fd=directory, follow_symlinks=False)
            if identity_of(about) != identity:
                break  # what the caller noted of it is stale; it notes it anew
        raise ChangingError(f"`{shown(path)}` is being written; wait for the writer, or exclude the file")

    def _attempt(self, directory: int, name: bytes, identity: Identity, path: bytes) -> Content | None:
        try:
            handle = os.open(name, _READ, dir_fd=directory)
        except FileNotFoundError:
            raise
        except OSError as error:
            raise RecoveryError(f"`{shown(path)}` cannot be read: {error.strerror}") from None
        try:
            before = os.fstat(handle)
            if identity_of(before) != identity:
                return None
            digest, extents = self._bytes(handle, before)
            xattrs = xattrs_of(handle)
            return Content(digest, extents, xattrs) if identity_of(os.fstat(handle)) == identity else None
        finally:
            os.close(handle)

    def _bytes(self, handle: int, about: os.stat_result) -> tuple[bytes, Extents | None]:
        size = about.st_size
        if about.st_blocks * 512 < size and os.lseek(handle, 0, os.SEEK_HOLE) < size:
            return self._sparse(handle, size)
        if size <= WHOLE:
            os.lseek(handle, 0, os.SEEK_SET)
            return self._sink.add(os.read(handle, size) if size else b""), None
        if size >= _CLONED and (cloned := self._sink.clone(handle)) is not None:
            return cloned, None
        return self._sink.pour(_parts(handle, 0, size)), None

    def _sparse(self, handle: int, size: int) -> tuple[bytes, Extents]:
        """Holes by what is zero, not by how the file system laid them out: a copy may differ in that."""
        extents: list[tuple[int, int]] = []
        parts = (part for start, part in _filled(handle, size) if _note(extents, start, len(part)))
        return self._sink.pour(parts), tuple(extents)


def digest_of(data: bytes) -> bytes:
    return blake2b(data, digest_size=_DIGEST_BYTES).digest()


def identity_of(about: os.stat_result) -> Identity:
    """Of one state of one file: as `Entry.identity`."""
    kind = about.st_mode & 0o170000
    return (kind, about.st_dev, about.st_ino, about.st_size, about.st_mtime_ns, about.st_ctime_ns)


def xattrs_of(where: int | str) -> Xattrs:
    """By descriptor, or by a path whose last part may be a link. POSIX ACLs are among them."""
    follow = isinstance(where, int)
    try:
        names = os.listxattr(where, follow_symlinks=follow)
        return tuple(
            sorted((os.fsencode(name), os.getxattr(where, name, follow_symlinks=follow)) for name in names)
        )
    except OSError as error:
        if error.errno in _NO_XATTRS:
            return ()
        raise


def _parts(handle: int, start: int, end: int) -> Iterator[bytes]:
    while start < end:
        part = os.pread(handle, min(WHOLE, end - start), start)
        if not part:
            return  # it shrank; the second fstat tells
        yield part
        start += len(part)


def _filled(handle: int, size: int) -> Iterator[tuple[int, bytes]]:
    """Every block that is not all zero, with its offset."""
    empty = bytes(_HOLE)
    start = 0
    while start < size:
        try:
            data = os.lseek(handle, start, os.SEEK_DATA)
        except OSError as error:
            if error.errno == errno.ENXIO:  # only a hole is left
                return
            raise
        start = data - data % _HOLE
        end = min(size, os.lseek(handle, data, os.SEEK_HOLE))
        for part in _parts(handle, start, end):
            for offset in range(0, len(part), _HOLE):
                block = part[offset : offset + _HOLE]
                if block != empty[: len(block)]:
                    yield start + offset, block
            start += len(part)
        start = max(start, end)


def _note(extents: list[tuple[int, int]], start: int, length: int) -> bool:
    if extents and sum(extents[-1]) == start:
        extents[-1] = (extents[-1][0], extents[-1][1] + length)
    else:
        extents.append((start, length))
    return True
