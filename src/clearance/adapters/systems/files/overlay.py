"""The program inside a rehearsal: builds the throw-away world, runs one command in it, tells what changed.

Run as a file by `rehearsal`, never imported by it; may import only the standard library. Answers on fd 3.
"""

from __future__ import annotations

import ctypes
import errno
import json
import os
import signal
import stat
import sys
from contextlib import suppress
from pathlib import Path
from typing import Any, NoReturn

_NEW_SPACES = 0x00020000 | 0x20000000 | 0x40000000 | 0x08000000 | 0x04000000  # NS, PID, NET, IPC, UTS
_NEW_USERS = 0x10000000
_READ_ONLY, _NO_SUID, _NO_DEV, _BIND, _REC, _PRIVATE = 0x1, 0x2, 0x4, 0x1000, 0x4000, 0x40000
_MOUNT_SETATTR = 442  # the same number on every architecture
_RECURSIVE = 0x8000
_DEATH_SIGNAL, _DROP_BOUND, _NO_NEW_PRIVILEGES = 1, 24, 38
_LAST_CAPABILITY = 40
# What a command may keep: to own, read, write and mark any file. CHOWN to FSETID, SETFCAP.
_KEPT = (0, 1, 2, 3, 4, 31)
_SCRATCH = ("/tmp", "/var/tmp", "/run")  # noqa: S108 - hidden in the rehearsal behind empty ones
_DEVICES = ("null", "zero", "full", "random", "urandom")
_MOST_NAMED = 100_000  # paths a report holds; the numbers count all
_libc = ctypes.CDLL(None, use_errno=True)


class _RefusedError(Exception):
    """The kernel does not let us."""


def _check(result: int, what: str) -> None:
    if result < 0:
        raise _RefusedError(f"{what}: {os.strerror(ctypes.get_errno())}")


def _mount(source: str, target: str, kind: str, flags: int, data: str = "") -> None:
    done = _libc.mount(source.encode(), os.fsencode(target), kind.encode(), flags, data.encode())
    _check(done, f"mounting {kind or 'a directory'}")


def main() -> None:
    """Outside: make the namespaces, wait for the one process in them."""
    task = json.loads(sys.argv[1])
    _libc.prctl(_DEATH_SIGNAL, signal.SIGKILL)
    if os.getppid() != task["parent"]:
        return
    try:
        _separate()
    except _RefusedError as error:
        _tell({"refused": str(error)})
        return
    alive, ours = os.pipe()
    child = os.fork()
    if child == 0:
        os.close(ours)
        _first(task, alive)
    os.close(alive)
    os.waitpid(child, 0)


def _separate() -> None:
    uid, gid = os.geteuid(), os.getegid()
    if uid == 0:
        _check(_libc.unshare(_NEW_SPACES), "namespaces")
        return
    _check(_libc.unshare(_NEW_SPACES | _NEW_USERS), "user namespaces")
    try:
        Path("/proc/self/setgroups").write_text("deny")
        Path("/proc/self/uid_map").write_text(f"0 {uid} 1")
        Path("/proc/self/gid_map").write_text(f"0 {gid} 1")
    except OSError as error:
        raise _RefusedError(f"user namespaces: {error.strerror}") from None


def _first(task: dict[str, Any], alive: int) -> NoReturn:
    """Inside, process 1: when it ends, the kernel ends every other one."""
    _libc.prctl(_DEATH_SIGNAL, signal.SIGKILL)
    os.set_blocking(alive, False)
    try:
        if os.read(alive, 1) == b"":  # the other end is gone already
            os._exit(1)
    except BlockingIOError:
        pass
    try:
        lower, upper = _build(task)
        code = _run(task)
        _tell(_effect(task, lower, upper) | {"exit_code": code})
    except _RefusedError as error:
        _tell({"refused": str(error)})
    except OSError as error:
        _tell({"refused": f"the overlay: {error.strerror}"})
    os._exit(0)


def _build(task: dict[str, Any]) -> tuple[int, int]:
    """Descriptors of the real tree and of the upper layer. Everything else is read-only from here on."""
    root = task["root"]
    _mount("none", "/", "", _REC | _PRIVATE)
    lower = os.open(root, os.O_RDONLY | os.O_DIRECTORY)
    work = "/dev"  # hidden below behind the few devices of a rehearsal
    devices = {name: os.open(f"/dev/{name}", os.O_PATH) for name in _DEVICES}
    _mount("tmpfs", work, "tmpfs", _NO_SUID, f"size={task['most_bytes']},mode=755")
    for name in ("upper", "work", "shm"):
        (Path(work) / name).mkdir(mode=0o755)
    _world_read_only(work)
    for name, handle in devices.items():
        (Path(work) / name).touch()
        _mount(f"/proc/self/fd/{handle}", f"{work}/{name}", "", _BIND)
    upper = os.open(f"{work}/upper", os.O_RDONLY | os.O_DIRECTORY)
    layers = f"lowerdir=/proc/self/fd/{lower},upperdir={work}/upper,workdir={work}/work"
    marks = ",userxattr" if task["user"] else ""  # trusted.* is not for an account that only plays root
    _mount("overlay", root, "overlay", _NO_SUID | _NO_DEV, layers + marks)
    for path in _scratch(root):
        _mount("tmpfs", path, "tmpfs", _NO_SUID | _NO_DEV, "size=64m,mode=1777")
    _mount("proc", "/proc", "proc", _NO_SUID | _NO_DEV | 0x8)
    return lower, upper


def _world_read_only(work: str) -> None:
    """Every mount there is, at once; then the scratch of our own may be written again."""

    class Attributes(ctypes.Structure):
        _fields_ = [(name, ctypes.c_uint64) for name in ("set", "clear", "propagation", "users")]

    def change(target: str, attributes: Attributes, flags: int) -> None:
        size = ctypes.sizeof(attributes)
        done = _libc.syscall(_MOUNT_SETATTR, -100, target.encode(), flags, ctypes.byref(attributes), size)
        _check(done, "making everything else read-only")

    change("/", Attributes(set=_READ_ONLY | _NO_SUID), _RECURSIVE)
    change(work, Attributes(clear=_READ_ONLY), 0)


def _scratch(root: str) -> list[str]:
    """Which of the shared scratch directories can be hidden: not those that the tree lies in."""
    found = []
    for path in _SCRATCH:
        real = os.path.realpath(path)
        apart = os.path.commonpath([root, real]) not in (root, real)
        if apart and real == path and Path(path).is_dir():
            found.append(path)
    return found


def _run(task: dict[str, Any]) -> int:
    child = os.fork()
    if child == 0:
        _command(task)
    _, status = os.waitpid(child, 0)
    with suppress(ProcessLookupError):
        os.kill(-1, signal.SIGKILL)  # whatever the command left running
    while True:
        try:
            os.waitpid(-1, 0)
        except ChildProcessError:
            return os.waitstatus_to_exitcode(status)


def _command(task: dict[str, Any]) -> NoReturn:
    try:
        os.closerange(3, 64)
        os.chdir(task["root"])
        _drop_rights()
        arguments = [os.fsencode(word) for word in task["command"]]
        os.execvpe(arguments[0], arguments, task["environment"])  # noqa: S606 - that is the task
    except OSError as error:
        os._exit(127 if error.errno == errno.ENOENT else 126)
    except BaseException:
        os._exit(126)


def _drop_rights() -> None:
    for capability in range(_LAST_CAPABILITY + 1):
        if capability not in _KEPT:
            _libc.prctl(_DROP_BOUND, capability, 0, 0, 0)
    _check(_libc.prctl(_NO_NEW_PRIVILEGES, 1, 0, 0, 0), "dropping rights")
    header = (ctypes.c_uint32 * 2)(0x20080522, 0)  # _LINUX_CAPABILITY_VERSION_3
    kept = sum(1 << capability for capability in _KEPT)
    low, high = kept & 0xFFFFFFFF, kept >> 32
    _check(_libc.capset(header, (ctypes.c_uint32 * 6)(low, low, 0, high, high, 0)), "dropping rights")


def _effect(task: dict[str, Any], lower: int, upper: int) -> dict[str, Any]:
    """What the upper layer holds, as paths below the root."""
    report = _Report()
    report.compare(lower, upper, b"")
    space = os.fstatvfs(upper)
    return {
        "deleted": report.deleted[:_MOST_NAMED],
        "written": report.written[:_MOST_NAMED],
        "created": report.created[:_MOST_NAMED],
        "counts": [len(report.deleted), len(report.written), len(report.created)],
        "bytes": report.bytes,
        "outside": any(any(Path(path).iterdir()) for path in _scratch(task["root"])),
        "full": space.f_bavail * space.f_frsize < task["most_bytes"] // 20,
    }


class _Report:
    def __init__(self) -> None:
        self.deleted: list[str] = []
        self.written: list[str] = []
        self.created: list[str] = []
        self.bytes = 0

    def compare(self, lower: int | None, upper: int, prefix: bytes) -> None:
        """`lower` is None below a directory that is new, or that hides what was there."""
        for name in _names(upper):
            path = prefix + name
            about = os.stat(name, dir_fd=upper, follow_symlinks=False)
            below = _stat(lower, name)
            if stat.S_ISCHR(about.st_mode) and about.st_rdev == 0:
                self._delete(lower, name, path, below)
            elif stat.S_ISDIR(about.st_mode):
                self._directory(lower, upper, name, path, about, below)
            else:
                self._file(lower, name, path, about, below)

    def _file(
        self, lower: int | None, name: bytes, path: bytes, about: os.stat_result, below: os.stat_result | None
    ) -> None:
        if below is None:
            self.created.append(path.decode("latin-1"))
        elif stat.S_IFMT(below.st_mode) == stat.S_IFMT(about.st_mode):
            self.written.append(path.decode("latin-1"))
        else:
            self._delete(lower, name, path, below)
            self.created.append(path.decode("latin-1"))
        self.bytes += about.st_size

    def _directory(
        self,
        lower: int | None,
        upper: int,
        name: bytes,
        path: bytes,
        about: os.stat_result,
        below: os.stat_result | None,
    ) -> None:
        handle = os.open(name, os.O_RDONLY | os.O_DIRECTORY | os.O_NOFOLLOW, dir_fd=upper)
        there: int | None = None
        try:
            if below is not None and stat.S_ISDIR(below.st_mode) and lower is not None:
                there = os.open(name, os.O_RDONLY | os.O_DIRECTORY | os.O_NOFOLLOW, dir_fd=lower)
                if _opaque(handle):
                    self._replaced(there, handle, path + b"/")
                elif _attributes(about) != _attributes(below):
                    self.written.append(path.decode("latin-1"))
            else:
                if below is not None:
                    self._delete(lower, name, path, below)
                self.created.append(path.decode("latin-1"))
            self.compare(there, handle, path + b"/")
        finally:
            os.close(handle)
            if there is not None:
                os.close(there)

    def _replaced(self, lower: int, upper: int, prefix: bytes) -> None:
        """A directory that hides what was there: all that was not made again is deleted."""
        again = set(_names(upper))
        for name in _names(lower):
            if name not in again:
                self._delete(lower, name, prefix + name, _stat(lower, name))

    def _delete(self, lower: int | None, name: bytes, path: bytes, below: os.stat_result | None) -> None:
        if lower is None or below is None:
            return
        self.deleted.append(path.decode("latin-1"))
        if stat.S_ISDIR(below.st_mode):
            handle = os.open(name, os.O_RDONLY | os.O_DIRECTORY | os.O_NOFOLLOW, dir_fd=lower)
            try:
                for inner in _names(handle):
                    self._delete(handle, inner, path + b"/" + inner, _stat(handle, inner))
            finally:
                os.close(handle)
        elif stat.S_ISREG(below.st_mode):
            self.bytes += below.st_size


def _names(directory: int) -> list[bytes]:
    with os.scandir(directory) as listing:
        return [os.fsencode(item.name) for item in listing]


def _stat(directory: int | None, name: bytes) -> os.stat_result | None:
    if directory is None:
        return None
    try:
        return os.stat(name, dir_fd=directory, follow_symlinks=False)
    except (FileNotFoundError, NotADirectoryError):
        return None


def _attributes(about: os.stat_result) -> tuple[int, int, int]:
    return (about.st_mode, about.st_uid, about.st_gid)


def _opaque(handle: int) -> bool:
    for name in ("trusted.overlay.opaque", "user.overlay.opaque"):
        try:
            if os.getxattr(handle, name) == b"y":
                return True
        except OSError:
            continue
    return False


def _tell(value: dict[str, Any]) -> None:
    data = json.dumps(value).encode() + b"\n"
    while data:
        data = data[os.write(3, data) :]


if __name__ == "__main__":
    main()
