"""Runs a command against a throw-away copy of a tree and tells exactly what it would change. Changes nothing.

Only for commands that are known to touch nothing but files: the network is cut and the rest of the machine is
read-only, but a command may still talk to a service over a socket that lies in a file.
"""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import tempfile
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, Final

import msgspec
from msgspec import Struct

from clearance.errors import SystemUnavailableError

_PROGRAM = Path(__file__).with_name("overlay.py")
_ROOM: Final = 512 << 20  # bytes of memory that a rehearsal may write
_MOST_SAID: Final = 1 << 20  # bytes of a command's messages that are looked at
_PATH = "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin"
_SAYS_READ_ONLY = b"Read-only file system"  # EROFS in the C locale, which the command gets


class NotPossibleHereError(SystemUnavailableError):
    """This kernel, this account or this command does not allow a rehearsal. The message says why."""


class Rehearsed(Struct, frozen=True, kw_only=True):
    """What the command changed below the root. A path that became another kind is both deleted and created.

    `bytes` are of what was deleted, and of written and created files as they came out. `outside`: it tried to
    write elsewhere, so the real command does more than is listed.
    """

    deleted: tuple[bytes, ...]
    written: tuple[bytes, ...]
    created: tuple[bytes, ...]
    bytes: int
    exit_code: int
    outside: bool


def rehearse(
    command: Sequence[str] | str, root: Path, *, timeout_seconds: float, room_bytes: int = _ROOM
) -> Rehearsed:
    """Run `command` in `root` as it would run, on a throw-away layer. A string goes to `/bin/sh -c`.

    The caller has made sure that the command is file-only. Raises NotPossibleHereError.
    """
    words = ["/bin/sh", "-c", command] if isinstance(command, str) else list(command)
    _check(words, root)
    real = root.resolve()
    task = {
        "command": words,
        "root": str(real),
        "parent": os.getpid(),
        "user": os.geteuid() != 0,
        "most_bytes": room_bytes,
        "environment": {"PATH": _PATH, "HOME": str(real), "TMPDIR": "/dev/shm", "LC_ALL": "C"},  # noqa: S108
    }
    answer, said = _run(msgspec.json.encode(task).decode(), timeout_seconds)
    if answer is None:
        raise NotPossibleHereError(f"the rehearsal did not end within {timeout_seconds:g} seconds")
    if "refused" in answer:
        raise NotPossibleHereError(f"no rehearsal here: {answer['refused']}")
    if answer["full"]:
        raise NotPossibleHereError("the rehearsal would write more than there is room for")
    if answer["counts"] != [len(answer[name]) for name in ("deleted", "written", "created")]:
        raise NotPossibleHereError("the rehearsal touched more paths than a report holds")
    return Rehearsed(
        deleted=_paths(answer["deleted"]),
        written=_paths(answer["written"]),
        created=_paths(answer["created"]),
        bytes=answer["bytes"],
        exit_code=answer["exit_code"],
        outside=answer["outside"] or _SAYS_READ_ONLY in said,
    )


def _check(words: Sequence[str], root: Path) -> None:
    if sys.platform != "linux":
        raise NotPossibleHereError("a rehearsal needs Linux")
    if not words or any("\0" in word for word in words):
        raise NotPossibleHereError("the command is empty or holds a NUL byte")
    real = str(root.resolve())
    try:
        mounts = Path("/proc/self/mountinfo").read_bytes()
    except OSError:
        raise NotPossibleHereError("a rehearsal needs /proc") from None
    for line in mounts.splitlines():
        point = os.fsdecode(line.split(b" ")[4]).encode("latin-1", "surrogateescape").decode("unicode_escape")
        if point != real and (point + "/").startswith(real.rstrip("/") + "/"):
            raise NotPossibleHereError("another file system is mounted inside the root")


def _run(task: str, timeout_seconds: float) -> tuple[Mapping[str, Any] | None, bytes]:
    """The answer, None where it took too long; and the start of what the command said."""
    with tempfile.TemporaryFile() as messages, tempfile.TemporaryFile() as answers:
        process = subprocess.Popen(  # noqa: S603 - our own program, by its full path
            [sys.executable, "-I", "-S", "-c", _START, str(answers.fileno()), str(_PROGRAM), task],
            stdin=subprocess.DEVNULL,
            stdout=messages,
            stderr=messages,
            cwd="/",
            env={},
            pass_fds=[answers.fileno()],
            start_new_session=True,
        )
        try:
            process.wait(timeout_seconds)
        except subprocess.TimeoutExpired:
            return None, b""
        finally:
            if process.poll() is None:
                os.killpg(process.pid, signal.SIGKILL)
                process.wait()
        answers.seek(0)
        messages.seek(0)
        text = answers.read()
        answer = msgspec.json.decode(text) if text else {"refused": "the rehearsal ended early"}
        return answer, messages.read(_MOST_SAID)


# The answer's descriptor becomes 3, then the program takes over.
_START = (
    "import os,sys,runpy;f=int(sys.argv[1]);f==3 or os.dup2(f,3);os.set_inheritable(3,False);"
    "p=sys.argv[2];sys.argv=sys.argv[2:];runpy.run_path(p,run_name='__main__')"
)


def _paths(names: Sequence[str]) -> tuple[bytes, ...]:
    return tuple(sorted(name.encode("latin-1") for name in names))
