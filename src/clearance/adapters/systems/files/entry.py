"""What is noted of one path, and of a whole tree: values only, no I/O. Paths are bytes below the root."""

from __future__ import annotations

import stat
from typing import Any, Final

import msgspec
from msgspec import Struct

Extents = tuple[tuple[int, int], ...]  # (offset, length) of what is not a hole
Xattrs = tuple[tuple[bytes, bytes], ...]


class Entry(Struct, frozen=True, array_like=True, gc=False):
    """One path by lstat. `link` is the first path of a group of hard links, empty for a path that is alone.

    `dev`, `ino`, `size`, `mtime_ns` and `ctime_ns` together say whether a file was touched at all: an edit
    that sets the old time again cannot set ctime. They are no part of what is put back.
    """

    kind: int  # S_IFMT
    mode: int
    uid: int
    gid: int
    mtime_ns: int
    size: int
    dev: int
    ino: int
    ctime_ns: int
    nlink: int
    digest: bytes = b""
    extents: Extents | None = None  # None: not sparse
    xattrs: Xattrs = ()
    target: bytes = b""
    link: bytes = b""
    rdev: int = 0

    @property
    def is_directory(self) -> bool:
        return self.kind == stat.S_IFDIR

    @property
    def is_file(self) -> bool:
        return self.kind == stat.S_IFREG

    @property
    def identity(self) -> tuple[int, ...]:
        """Equal for as long as nobody touched it."""
        return (self.kind, self.dev, self.ino, self.size, self.mtime_ns, self.ctime_ns)

    @property
    def stored_bytes(self) -> int:
        return self.size if self.extents is None else sum(length for _, length in self.extents)


class Manifest(Struct, frozen=True, array_like=True):
    """Every path under `covers`, and the directories above them.

    `strangers` are paths that were seen and left out: excluded ones and other file systems.
    """

    covers: tuple[bytes, ...]
    entries: dict[bytes, Entry]
    strangers: tuple[bytes, ...] = ()


class Change(Struct, frozen=True, array_like=True):
    """What became of a manifest: what differs or is new, and what is missing."""

    changed: dict[bytes, Entry]
    gone: tuple[bytes, ...] = ()


KINDS: Final = {
    stat.S_IFREG: "file",
    stat.S_IFDIR: "directory",
    stat.S_IFLNK: "symbolic link",
    stat.S_IFIFO: "fifo",
    stat.S_IFSOCK: "socket",
    stat.S_IFCHR: "device",
    stat.S_IFBLK: "device",
}
_encoder = msgspec.msgpack.Encoder()
_manifests = msgspec.msgpack.Decoder(Manifest)
_changes = msgspec.msgpack.Decoder(Change)


def encode(value: Manifest | Change) -> bytes:
    """The same bytes for the same value."""
    return _encoder.encode(value)


def decode(data: bytes) -> Manifest:
    """Raises msgspec.DecodeError."""
    return _manifests.decode(data)


def decode_change(data: bytes) -> Change:
    """Raises msgspec.DecodeError."""
    return _changes.decode(data)


def difference(before: dict[bytes, Entry], after: dict[bytes, Entry]) -> Change:
    """So that `changed_by(before, difference(before, after))` is `after` to anybody who reads the tree."""
    return Change(
        {path: entry for path, entry in after.items() if not _as_noted(before.get(path), entry)},
        tuple(path for path in before if path not in after),
    )


def changed_by(before: dict[bytes, Entry], change: Change) -> dict[bytes, Entry]:
    gone = set(change.gone)
    return {path: entry for path, entry in before.items() if path not in gone} | change.changed


def _as_noted(one: Entry | None, other: Entry) -> bool:
    return one is not None and same(one, other) and one.mtime_ns == other.mtime_ns


def content_of(entry: Entry) -> tuple[Any, ...]:
    """What its bytes, target or device number are; attributes left out."""
    return (
        entry.kind,
        entry.size if entry.is_file else 0,
        entry.digest,
        entry.extents,
        entry.target,
        entry.rdev,
    )


def attributes_of(entry: Entry) -> tuple[Any, ...]:
    """A directory's mtime is no part: every entry made or removed in it changes that."""
    return (entry.mode, entry.uid, entry.gid, 0 if entry.is_directory else entry.mtime_ns, entry.xattrs)


def same(one: Entry | None, other: Entry | None) -> bool:
    """Whether both are the same to anybody who reads the tree."""
    if one is None or other is None:
        return one is other
    return (
        content_of(one) == content_of(other)
        and attributes_of(one) == attributes_of(other)
        and one.link == other.link
    )


def parent_of(path: bytes) -> bytes:
    """`a/b` -> `a`, `a` -> the root, which is empty."""
    return path.rpartition(b"/")[0]


def ancestors_of(path: bytes) -> list[bytes]:
    """From the root down to the parent. Empty for the root itself."""
    if not path:
        return []
    parts = path.split(b"/")
    return [b"/".join(parts[:count]) for count in range(len(parts))]


def shown(path: bytes) -> str:
    """For a person: never raises, shows control characters and what is no UTF-8 escaped."""
    text = path.decode("utf-8", "backslashreplace") or "."
    return "".join(char if char.isprintable() else ascii(char)[1:-1] for char in text)
