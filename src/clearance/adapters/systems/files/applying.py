"""Carries out the steps of a plan by directory descriptors, each only while its path is as it was seen.

Every step may be done twice. A step whose path was changed a moment ago is left alone and reported.
"""

from __future__ import annotations

import errno
import os
import stat
from collections.abc import Callable, Iterable, Mapping
from contextlib import suppress

from clearance.adapters.systems.files.entry import Entry, content_of, parent_of, same
from clearance.adapters.systems.files.paths import opened_directory
from clearance.adapters.systems.files.plan import Step
from clearance.adapters.systems.files.staging import Blobs, make, set_attributes, set_directory_time

RACED = "changed while it was being put back"
_OTHERS_DOING = (errno.ENOENT, errno.ENOTDIR, errno.ELOOP, errno.ENOTEMPTY, errno.EEXIST, errno.EISDIR)
Entries = Mapping[bytes, Entry]


def links_of(steps: Iterable[Step], before: Entries, now: Entries) -> dict[bytes, bytes]:
    """Which paths become further names of which: one member of each group keeps or gets the file."""
    stepped = {step.path for step in steps}
    holders: dict[bytes, bytes] = {}
    further: dict[bytes, bytes] = {}
    for path, entry in sorted(before.items()):
        if not entry.link or not (path in stepped or same(entry, now.get(path))):
            continue
        holder = holders.setdefault(entry.link, path)
        if holder != path and path in stepped:
            further[path] = holder
    return further


class Applying:
    """One restore's steps, sorted by path. `raced` is what was left alone."""

    def __init__(self, root: int, staged: int, steps: Iterable[Step], links: Mapping[bytes, bytes]) -> None:
        self._root = root
        self._staged = staged
        self._steps = [(b"%d" % number, step) for number, step in enumerate(steps)]
        self._links = links
        self._gone: set[bytes] = set()
        self.raced: set[bytes] = set()

    def prepare(self, blobs: Blobs) -> None:
        """Everything that takes space or can be refused. The tree itself is not touched yet."""
        for name, step in self._steps:
            if step.before is not None and self._anew(step):
                make(self._staged, name, step.before, blobs)

    def run(self) -> None:
        """Out, in, then attributes."""
        for name, step in reversed(self._steps):
            if step.now is not None and _makes_way(step):
                self._do(name, step, self._remove)
        for name, step in self._steps:
            if step.before is not None and step.before.is_directory and not _is_directory(step.now):
                self._do(name, step, self._make_directory)
        for name, step in self._steps:
            if self._anew(step):
                self._do(name, step, self._place)
        for name, step in self._steps:
            if step.path in self._links:
                self._do(name, step, self._link)
        for name, step in reversed(self._steps):
            if step.before is not None and step.path not in self._links and not self._anew(step):
                self._do(name, step, self._attributes)

    def set_times(self, mtimes: Mapping[bytes, int]) -> None:
        """Of directories, once nothing is made or removed in them any more."""
        for path in sorted(mtimes, reverse=True):
            with (
                suppress(FileNotFoundError, NotADirectoryError),
                opened_directory(self._root, path) as handle,
            ):
                set_directory_time(handle, mtimes[path])

    def _anew(self, step: Step) -> bool:
        """Whether a new file, symbolic link or node takes the path, ready made."""
        before, now = step.before, step.now
        if before is None or before.is_directory or step.path in self._links:
            return False
        if now is None or content_of(before) != content_of(now):
            return True
        return bool(now.link) and not before.link  # it shares its file with paths that it did not

    def _do(self, name: bytes, step: Step, what: Callable[[int, bytes, bytes, Step], None]) -> None:
        if step.path in self.raced:
            return
        try:
            with opened_directory(self._root, parent_of(step.path)) as handle:
                own = step.path.rpartition(b"/")[2] or b"."
                if not self._as_seen(step, handle, own):
                    self.raced.add(step.path)
                    return
                what(handle, own, name, step)
        except OSError as error:
            if error.errno not in _OTHERS_DOING:
                raise
            self.raced.add(step.path)
            return
        if what == self._remove:
            self._gone.add(step.path)
        elif what == self._make_directory:
            self._gone.discard(step.path)

    def _as_seen(self, step: Step, parent: int, own: bytes) -> bool:
        made = step.before is not None and step.before.is_directory and not _is_directory(step.now)
        try:
            about = os.stat(own, dir_fd=parent, follow_symlinks=False)
        except FileNotFoundError:
            return step.now is None or step.path in self._gone
        if made and stat.S_ISDIR(about.st_mode) and step.path not in self._gone:
            return True  # by our own step, a moment ago
        if step.now is None or step.path in self._gone:
            return False
        seen = (stat.S_IFMT(about.st_mode), about.st_dev, about.st_ino)
        if seen != (step.now.kind, step.now.dev, step.now.ino):
            return False
        if step.now.is_directory:
            return True
        # Our own steps on another name of the same file change its ctime.
        shared = step.now.nlink > 1 or (step.before is not None and step.before.link != b"")
        changed = step.now.ctime_ns if shared else about.st_ctime_ns
        return (about.st_size, about.st_mtime_ns, changed) == step.now.identity[3:]

    def _remove(self, parent: int, own: bytes, _: bytes, __: Step) -> None:
        if stat.S_ISDIR(os.stat(own, dir_fd=parent, follow_symlinks=False).st_mode):
            os.rmdir(own, dir_fd=parent)
        else:
            os.unlink(own, dir_fd=parent)

    def _make_directory(self, parent: int, own: bytes, _: bytes, __: Step) -> None:
        os.mkdir(own, 0o700, dir_fd=parent)

    def _place(self, parent: int, own: bytes, name: bytes, _: Step) -> None:
        os.rename(name, own, src_dir_fd=self._staged, dst_dir_fd=parent)

    def _link(self, parent: int, own: bytes, name: bytes, step: Step) -> None:
        """A rename of one name of a file over another does nothing and leaves both: the staged one goes."""
        holder = self._links[step.path]
        with opened_directory(self._root, parent_of(holder)) as source:
            os.link(
                holder.rpartition(b"/")[2],
                name,
                src_dir_fd=source,
                dst_dir_fd=self._staged,
                follow_symlinks=False,
            )
        os.rename(name, own, src_dir_fd=self._staged, dst_dir_fd=parent)
        with suppress(FileNotFoundError):
            os.unlink(name, dir_fd=self._staged)

    def _attributes(self, parent: int, own: bytes, _: bytes, step: Step) -> None:
        assert step.before is not None
        set_attributes(parent, own, step.before)


def _is_directory(entry: Entry | None) -> bool:
    return entry is not None and entry.is_directory


def _makes_way(step: Step) -> bool:
    """A file goes for a file by one rename; everything else must be gone before."""
    return step.before is None or _is_directory(step.before) != _is_directory(step.now)
