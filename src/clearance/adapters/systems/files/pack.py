"""The bytes of every blob in one file, and large ones shared with the file system. Knows no snapshot.

Bytes count only once the index says so; what lies behind the length that the index knows is cut off.
"""

from __future__ import annotations

import ctypes
import errno
import fcntl
import os
from collections.abc import Iterator
from hashlib import blake2b
from pathlib import Path
from typing import Final

from clearance.adapters.systems.files.content import WHOLE, digest_of
from clearance.errors import RecoveryError

ALONE: Final = -1  # the place of a blob that is a file of its own
_FICLONE: Final = 0x40049409  # linux/fs.h
_PUNCH: Final = 0x02 | 0x01  # FALLOC_FL_PUNCH_HOLE | FALLOC_FL_KEEP_SIZE, linux/falloc.h
_NOT_SHARED = (errno.EOPNOTSUPP, errno.ENOTTY, errno.EXDEV, errno.EINVAL, errno.ENOSYS, errno.EPERM)
_EARLY: Final = 16 << 20  # bytes after which the disk is told to begin
_DIGEST_BYTES = 32
_libc = ctypes.CDLL(None, use_errno=True)


class Pack:
    """Appends, reads and frees. One writer at a time: its owner holds the lock."""

    def __init__(self, directory: Path) -> None:
        self._directory = directory
        self._file = os.open(directory / "pack", os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
        self._pending: list[bytes] = []
        self._pending_bytes = 0
        self._end = 0
        self._unsynced = False
        self._shares = True

    def begin(self, length: int) -> None:
        """Cut off what was never acknowledged. Raises RecoveryError where acknowledged bytes are missing."""
        there = os.fstat(self._file).st_size
        if there < length:
            raise RecoveryError(f"the pack in {self._directory} is cut off; restore it from a backup")
        if there > length:
            os.ftruncate(self._file, length)
        self._pending.clear()
        self._pending_bytes = 0
        self._end = length
        self._unsynced = there != length

    @property
    def end(self) -> int:
        return self._end

    def append(self, data: bytes) -> int:
        """Where the bytes begin. Not on the disk before `sync`."""
        place = self._end
        self._pending.append(data)
        self._pending_bytes += len(data)
        self._end += len(data)
        if self._pending_bytes >= _EARLY:
            self._flush()
        return place

    def pour(self, parts: Iterator[bytes]) -> tuple[bytes, int, int]:
        """(digest, place, length) of a blob that comes in parts."""
        total = blake2b(digest_size=_DIGEST_BYTES)
        place = self._end
        for part in parts:
            total.update(part)
            self.append(part)
        return total.digest(), place, self._end - place

    def back_to(self, place: int) -> None:
        """Take back what was appended last."""
        self._flush()
        os.ftruncate(self._file, place)
        self._end = place

    def _flush(self) -> None:
        view = memoryview(b"".join(self._pending))
        start = self._end - self._pending_bytes
        while view:
            written = os.pwrite(self._file, view, start)
            view = view[written:]
            start += written
            self._unsynced = True
        self._pending.clear()
        self._pending_bytes = 0

    def sync(self) -> None:
        """Return once everything appended is on the disk."""
        self._flush()
        if self._unsynced:
            os.fsync(self._file)
            self._unsynced = False

    def clone(self, handle: int) -> tuple[bytes, int] | None:
        """(digest, length) of a copy that shares the file's blocks, durable; None where that cannot be."""
        if not self._shares:
            return None
        temporary = self._directory / "clone.tmp"
        copy = os.open(temporary, os.O_RDWR | os.O_CREAT | os.O_TRUNC | os.O_CLOEXEC, 0o600)
        try:
            fcntl.ioctl(copy, _FICLONE, handle)
            digest, length = _digest(copy)
            os.fsync(copy)
            temporary.rename(self.alone(digest))
            _sync_directory(self._directory)
            return digest, length
        except OSError as error:
            temporary.unlink(missing_ok=True)
            if error.errno not in _NOT_SHARED:
                raise
            self._shares = False
            return None
        finally:
            os.close(copy)

    def alone(self, digest: bytes) -> Path:
        """The file of a blob that is not in the pack."""
        return self._directory / f"{digest.hex()}.blob"

    def read(self, digest: bytes, place: int, length: int) -> Iterator[bytes]:
        """The blob in parts. Raises RecoveryError where the bytes are not what was saved."""
        total = blake2b(digest_size=_DIGEST_BYTES)
        for part in self._parts(digest, place, length):
            total.update(part)
            yield part
        if total.digest() != digest:
            raise RecoveryError("a saved file is damaged: its bytes are not those that were saved")

    def whole(self, digest: bytes, place: int, length: int) -> bytes:
        """As `read`, in one piece."""
        data = b"".join(self._parts(digest, place, length))
        if digest_of(data) != digest:
            raise RecoveryError("a saved file is damaged: its bytes are not those that were saved")
        return data

    def _parts(self, digest: bytes, place: int, length: int) -> Iterator[bytes]:
        if place != ALONE:
            yield from _from(self._file, place, place + length)
            return
        try:
            handle = os.open(self.alone(digest), os.O_RDONLY | os.O_NOFOLLOW | os.O_CLOEXEC)
        except FileNotFoundError:
            raise RecoveryError("a saved file is missing from the store") from None
        try:
            yield from _from(handle, 0, length)
        finally:
            os.close(handle)

    def share(self, digest: bytes, target: int) -> bool:
        """Give an empty file the blocks of a blob that is a file of its own."""
        try:
            source = os.open(self.alone(digest), os.O_RDONLY | os.O_NOFOLLOW | os.O_CLOEXEC)
        except OSError:
            return False
        try:
            fcntl.ioctl(target, _FICLONE, source)
            return _digest(target)[0] == digest
        except OSError:
            return False
        finally:
            os.close(source)

    def erase(self, digest: bytes, place: int, length: int) -> None:
        """Free the space. Where the file system cannot, the bytes become zeros."""
        if place == ALONE:
            self.alone(digest).unlink(missing_ok=True)
            return
        free = _libc.fallocate(
            self._file, ctypes.c_int(_PUNCH), ctypes.c_longlong(place), ctypes.c_longlong(length)
        )
        if free == 0:
            return
        for start in range(place, place + length, WHOLE):
            os.pwrite(self._file, bytes(min(WHOLE, place + length - start)), start)

    def cut(self, length: int) -> None:
        """Nothing lives behind `length` any more."""
        os.ftruncate(self._file, length)
        self._end = length

    def close(self) -> None:
        os.close(self._file)


def _from(handle: int, start: int, end: int) -> Iterator[bytes]:
    while start < end:
        part = os.pread(handle, min(WHOLE, end - start), start)
        if not part:
            raise RecoveryError("a saved file is cut off in the store")
        yield part
        start += len(part)


def _digest(handle: int) -> tuple[bytes, int]:
    total = blake2b(digest_size=_DIGEST_BYTES)
    length = os.fstat(handle).st_size
    for part in _from(handle, 0, length):
        total.update(part)
    return total.digest(), length


def _sync_directory(path: Path) -> None:
    handle = os.open(path, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
    try:
        os.fsync(handle)
    finally:
        os.close(handle)
