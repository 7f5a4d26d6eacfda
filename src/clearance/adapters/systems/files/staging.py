"""Makes files ready beside the tree, in a directory of root's own that only we can enter; sets attributes.

What is made here becomes visible by one rename. Nothing here looks at what the tree holds now.
"""

from __future__ import annotations

import ctypes
import errno
import os
import shutil
import stat
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from secrets import token_hex
from typing import Protocol

from clearance.adapters.systems.files.entry import Entry, Xattrs
from clearance.adapters.systems.files.paths import STAGE

_NEW = os.O_RDWR | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW | os.O_CLOEXEC
_PATH = os.O_PATH | os.O_NOFOLLOW | os.O_CLOEXEC
_libc = ctypes.CDLL(None, use_errno=True)


class Blobs(Protocol):
    """Where saved bytes come from."""

    def read(self, digest: bytes) -> Iterator[bytes]: ...

    def share(self, digest: bytes, target: int) -> bool: ...


@contextmanager
def stage(root: int, owner: str) -> Iterator[int]:
    """A descriptor of a fresh directory below the root; it goes at the end. `owner` names whose it is."""
    mine = STAGE + owner.encode() + b"-"
    clear(root, mine)
    name = mine + token_hex(8).encode()
    with _time_kept(root):
        os.mkdir(name, 0o700, dir_fd=root)
    handle = os.open(name, os.O_RDONLY | os.O_DIRECTORY | os.O_NOFOLLOW | os.O_CLOEXEC, dir_fd=root)
    try:
        yield handle
    finally:
        os.close(handle)
        clear(root, mine)


def clear(root: int, mine: bytes) -> None:
    """Remove what a crash left. Only directories of our own account: others may hold anything."""
    with os.scandir(root) as listing:
        left = [item for item in listing if os.fsencode(item.name).startswith(mine)]
    with _time_kept(root):
        for item in left:
            about = item.stat(follow_symlinks=False)
            if stat.S_ISDIR(about.st_mode) and about.st_uid == os.geteuid():
                shutil.rmtree(item.name, dir_fd=root)


@contextmanager
def _time_kept(root: int) -> Iterator[None]:
    """A directory of ours that comes and goes is no change of the tree."""
    mtime_ns = os.fstat(root).st_mtime_ns
    yield
    if os.fstat(root).st_mtime_ns != mtime_ns:
        set_directory_time(root, mtime_ns)


def flush(root: int) -> None:
    """Return once everything written to the tree's file system is on the disk."""
    if _libc.syncfs(root):
        raise OSError(ctypes.get_errno(), os.strerror(ctypes.get_errno()))


def make(directory: int, name: bytes, entry: Entry, blobs: Blobs) -> None:
    """Create the entry under a name, whole and with every attribute. Raises OSError, RecoveryError."""
    if entry.is_file:
        handle = os.open(name, _NEW, 0o600, dir_fd=directory)
        try:
            _fill(handle, entry, blobs)
        finally:
            os.close(handle)
    elif stat.S_ISLNK(entry.kind):
        os.symlink(entry.target, name, dir_fd=directory)
    else:
        os.mknod(name, entry.kind | 0o600, entry.rdev, dir_fd=directory)
    set_attributes(directory, name, entry)


def _fill(handle: int, entry: Entry, blobs: Blobs) -> None:
    if entry.extents is None:
        if not entry.size or blobs.share(entry.digest, handle):
            return
        os.ftruncate(handle, 0)
        for part in blobs.read(entry.digest):
            _write(handle, part)
        return
    os.ftruncate(handle, entry.size)
    data = blobs.read(entry.digest)
    rest = b""
    for start, length in entry.extents:
        os.lseek(handle, start, os.SEEK_SET)
        while length:
            rest = rest or next(data)
            _write(handle, rest[:length])
            length, rest = length - len(rest[:length]), rest[length:]
    for _ in data:  # to its end, where the digest is checked
        pass


def _write(handle: int, part: bytes) -> None:
    view = memoryview(part)
    while view:
        view = view[os.write(handle, view) :]


def set_attributes(directory: int, name: bytes, entry: Entry) -> None:
    """Owner first: the kernel takes setuid and capabilities away with it. A directory's times are left."""
    if stat.S_ISLNK(entry.kind):
        os.chown(name, entry.uid, entry.gid, dir_fd=directory, follow_symlinks=False)
        _set_xattrs(f"/proc/self/fd/{directory}/{os.fsdecode(name)}", entry.xattrs, follow=False)
        times = (entry.mtime_ns, entry.mtime_ns)
        os.utime(name, ns=times, dir_fd=directory, follow_symlinks=False)
        return
    handle = os.open(name or b".", _PATH, dir_fd=directory)
    try:
        about = os.fstat(handle)
        if stat.S_IFMT(about.st_mode) != entry.kind:
            raise OSError(errno.EEXIST, "something else has taken its place")
        here = f"/proc/self/fd/{handle}"
        if (about.st_uid, about.st_gid) != (entry.uid, entry.gid):
            os.chown(here, entry.uid, entry.gid)
        Path(here).chmod(entry.mode)
        _set_xattrs(here, entry.xattrs, follow=True)
        if not entry.is_directory:
            os.utime(here, ns=(about.st_atime_ns, entry.mtime_ns))
    finally:
        os.close(handle)


def set_directory_time(directory: int, mtime_ns: int) -> None:
    os.utime(directory, ns=(os.fstat(directory).st_atime_ns, mtime_ns))


def _set_xattrs(where: str, wanted: Xattrs, *, follow: bool) -> None:
    try:
        there = {os.fsencode(name) for name in os.listxattr(where, follow_symlinks=follow)}
    except OSError as error:
        if error.errno == errno.ENOTSUP and not wanted:
            return
        raise
    for name in there - {name for name, _ in wanted}:
        os.removexattr(where, name, follow_symlinks=follow)
    for name, value in wanted:
        if name not in there or os.getxattr(where, name, follow_symlinks=follow) != value:
            os.setxattr(where, name, value, follow_symlinks=follow)
