"""From the names of a request to paths below a root that can be opened without following any link."""

from __future__ import annotations

import os
import re
from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path

from clearance.adapters.systems.files.entry import ancestors_of, shown
from clearance.errors import RecoveryError, SystemUnavailableError

STAGE = b".clearance-restore-"  # a restore's own directory, straight below the root
_DIRECTORY = os.O_RDONLY | os.O_DIRECTORY | os.O_NOFOLLOW | os.O_CLOEXEC


class OutsideError(RecoveryError):
    """A name that does not stay below the root."""


@contextmanager
def opened_root(root: Path) -> Iterator[int]:
    """A descriptor of the root. Its own path may lead through links: the administrator wrote it."""
    try:
        handle = os.open(root, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
    except OSError as error:
        raise SystemUnavailableError(f"{root} cannot be opened: {error.strerror}") from None
    try:
        yield handle
    finally:
        os.close(handle)


@contextmanager
def opened_directory(root: int, path: bytes) -> Iterator[int]:
    """A descriptor of a directory below the root, no link followed on the way. Raises OSError."""
    handle = os.dup(root)
    try:
        for part in path.split(b"/") if path else ():
            below = os.open(part, _DIRECTORY, dir_fd=handle)
            os.close(handle)
            handle = below
        yield handle
    finally:
        os.close(handle)


def relative(name: str, root: Path) -> bytes:
    """The path below the root that a name stands for. Raises OutsideError."""
    raw = os.fsencode(name)
    if b"\0" in raw:
        raise OutsideError("a name holds a NUL byte")
    if raw.startswith(b"/"):
        raw = _below(raw, root)
    parts = [part for part in raw.split(b"/") if part not in (b"", b".")]
    if b".." in parts:
        raise OutsideError(f"`{shown(raw)}` holds `..`; name it by its path below the root")
    return b"/".join(parts)


def _below(raw: bytes, root: Path) -> bytes:
    for start in {os.fsencode(root), os.fsencode(root.resolve())}:
        prefix = start.rstrip(b"/") + b"/"
        if (raw + b"/").startswith(prefix):
            return raw[len(prefix) :]
    raise OutsideError(f"`{shown(raw)}` does not lie below the root")


def covers_of(root: int, paths: Iterable[bytes]) -> tuple[bytes, ...]:
    """The fewest paths that hold all of these. A path whose directory does not exist yet is covered from the
    highest directory that is missing. Raises OutsideError where a link or a file stands in the way.
    """
    found = {_existing(root, path) for path in paths}
    return tuple(sorted(path for path in found if found.isdisjoint(ancestors_of(path))))


def _existing(root: int, path: bytes) -> bytes:
    parts = path.split(b"/")
    for count in range(1, len(parts)):
        above = b"/".join(parts[:count])
        try:
            with opened_directory(root, above):
                pass
        except FileNotFoundError:
            return above
        except OSError as error:
            raise OutsideError(
                f"`{shown(path)}` leads through `{shown(above)}`, which is no plain directory "
                f"({error.strerror}); name the file by its real path"
            ) from None
    return path


class Globs:
    """Which paths are left out. A pattern without a slash means the name in every directory."""

    def __init__(self, patterns: Sequence[str]) -> None:
        whole = "|".join(_as_regex(pattern) for pattern in patterns)
        self._match = re.compile(os.fsencode(whole), re.DOTALL).fullmatch if patterns else None
        self.patterns = tuple(patterns)

    def match(self, path: bytes) -> bool:
        """Of a path itself; what lies below an excluded directory is never visited."""
        if path.startswith(STAGE) and b"/" not in path:
            return True
        return self._match is not None and self._match(path) is not None


def _as_regex(pattern: str) -> str:
    anchored = "/" in pattern.rstrip("/")
    pattern = pattern.strip("/")
    parts = re.split(r"(\*\*/|\*\*|\*|\?)", pattern)
    wild = {"**/": "(?:.*/)?", "**": ".*", "*": "[^/]*", "?": "[^/]"}
    body = "".join(wild.get(part, re.escape(part)) for part in parts)
    return f"(?:{body})" if anchored else f"(?:(?:.*/)?{body})"
