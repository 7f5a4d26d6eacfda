"""Ended by SIGKILL at any point: an acknowledged snapshot is whole, a restore called again is complete."""

from __future__ import annotations

import os
import random
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from clearance.adapters.systems.files import open_system
from clearance.adapters.systems.files.applying import Applying
from clearance.core.model import RestoreMode, RestoreStatus

from .conftest import Portrait, portrait, request_of

pytestmark = pytest.mark.servers

ROUNDS = 50
SAVER = """
import sys
from datetime import UTC, datetime
from clearance.adapters.systems.files import open_system
from clearance.core.model import Action, Context, Operation, Principal, Request, Resource
root, images, prefix = sys.argv[1:]
request = Request(
    principal=Principal(agent="a"), action=Action(tool="t", operation=Operation.UPDATE),
    resources=(Resource(kind="file", name="."),),
    context=Context(run_id="r", action_id="a", at=datetime.now(UTC)),
)
system = open_system("docs", {"root": root}, images=__import__("pathlib").Path(images))
print("ready", flush=True)
number = 0
while True:
    with open(f"{root}/changing", "w") as file:
        file.write(f"{prefix} {number} " * 40_000)
    system.save(request, [], snapshot_id=f"{prefix}-{number}")
    print(f"{prefix}-{number}", flush=True)
    if number % 3 == 2:
        system.forget(f"{prefix}-{number - 1}")
    number += 1
"""
RESTORER = """
import sys
from clearance.adapters.systems.files import open_system
from clearance.core.model import RestoreMode
root, images, snapshot, undo = sys.argv[1:]
system = open_system("docs", {"root": root}, images=__import__("pathlib").Path(images))
print("ready", flush=True)
system.restore(snapshot, as_snapshot=undo, mode=RestoreMode.ALL)
print("done", flush=True)
"""


def started(program: str, *arguments: object) -> subprocess.Popen[str]:
    process = subprocess.Popen(
        [sys.executable, "-c", program, *map(str, arguments)], stdout=subprocess.PIPE, text=True
    )
    assert process.stdout is not None
    assert process.stdout.readline() == "ready\n"
    return process


def killed_after(process: subprocess.Popen[str], seconds: float) -> list[str]:
    """What it had said until then."""
    time.sleep(seconds)
    process.send_signal(signal.SIGKILL)
    said, _ = process.communicate()
    assert process.returncode in (-signal.SIGKILL, 0)
    return said.split()


def fill(root: Path) -> None:
    chance = random.Random(7)
    for number in range(300):
        file = root / f"d{number % 12}/e{number % 5}/f{number}"
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_bytes(chance.randbytes(2_000))
    os.link(root / "d0/e0/f0", root / "twin")
    (root / "link").symlink_to("d1")


def damage(root: Path) -> None:
    for number in range(0, 12, 2):
        shutil.rmtree(root / f"d{number}")
    for number in range(1, 300, 14):
        path = root / f"d{number % 12}/e{number % 5}/f{number}"
        if path.exists():
            path.write_text("overwritten")
            path.chmod(0o600)
    shutil.rmtree(root / "d3")
    (root / "d3").write_text("now a file")
    (root / "d5/new/below").mkdir(parents=True)
    for number in range(40):
        (root / f"d5/new/below/{number}").write_text("made by the action")
    (root / "twin").open("a").write("through the link")


@pytest.fixture
def root(tmp_path: Path) -> Iterator[Path]:
    root = tmp_path / "root"
    root.mkdir()
    fill(root)
    yield root


def test_an_acknowledged_snapshot_is_whole_after_a_kill_at_any_point(root: Path, tmp_path: Path) -> None:
    images = tmp_path / "images"
    chance = random.Random(11)
    kept: set[str] = set()
    for number in range(ROUNDS):
        said = killed_after(started(SAVER, root, images, f"r{number}"), chance.uniform(0, 0.12))
        acknowledged = {word for word in said if word.startswith(f"r{number}-")}
        forgotten = {f"r{number}-{count}" for count in range(1, len(acknowledged) + 3, 3)}
        kept |= acknowledged - forgotten
        system = open_system("docs", {"root": str(root)}, images=images)
        for snapshot in {*acknowledged} - forgotten:
            system.verify(snapshot)
        if number % 10 == 9:
            for snapshot in kept:
                system.verify(snapshot)
        system.close()
    assert len(kept) > ROUNDS


def test_a_restore_that_was_killed_is_complete_once_called_again(root: Path, tmp_path: Path) -> None:
    images = tmp_path / "images"
    chance = random.Random(13)
    before = portrait(root)
    broken_off = 0
    for number in range(ROUNDS):
        system = open_system("docs", {"root": str(root)}, images=images)
        system.save(request_of(), [], snapshot_id=f"s{number}")
        damage(root)
        system.settle(f"s{number}")
        damaged = portrait(root)
        said: list[str] = []
        while "done" not in said:
            said = killed_after(
                started(RESTORER, root, images, f"s{number}", f"u{number}"), chance.uniform(0, 0.1)
            )
            broken_off += _half(portrait(root), before, damaged)
            if chance.random() < 0.4:
                break
        report = system.restore(f"s{number}", as_snapshot=f"u{number}", mode=RestoreMode.ALL)
        assert report.status in (RestoreStatus.RESTORED, RestoreStatus.ALREADY_UNDONE)
        assert _but_root(portrait(root)) == _but_root(before)
        system.restore(f"u{number}", as_snapshot=f"v{number}", mode=RestoreMode.ALL)
        assert _but_root(portrait(root)) == _but_root(damaged)
        system.restore(f"v{number}", as_snapshot=f"w{number}", mode=RestoreMode.ALL)
        system.close()
    assert broken_off > 0, "no round was ended in the middle: the test shows nothing"


def test_directories_made_anew_get_their_times_back_after_an_end_just_before(
    root: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Everything was put back but the times: nothing is left to do, and still they are not as they were."""
    system = open_system("docs", {"root": str(root)}, images=tmp_path / "images")
    before = portrait(root)
    system.save(request_of(), [], snapshot_id="s")
    damage(root)
    system.settle("s")
    with monkeypatch.context() as patched:
        patched.setattr(Applying, "set_times", ended)
        with pytest.raises(EndedError):
            system.restore("s", as_snapshot="u", mode=RestoreMode.ALL)
    system.restore("s", as_snapshot="u", mode=RestoreMode.ALL)
    assert _but_root(portrait(root)) == _but_root(before)
    system.close()


class EndedError(Exception):
    """Where a kill would have been."""


def ended(*_: object) -> None:
    raise EndedError


def _but_root(found: Portrait) -> Portrait:
    """A kill between making the restore's own directory and setting the root's time back loses that time."""
    return {path: seen for path, seen in found.items() if path != b"."}


def _half(now: Portrait, before: Portrait, damaged: Portrait) -> bool:
    paths = {path for path in now if path != b"."}
    return any(now[path] != before.get(path) for path in paths) and any(
        now[path] != damaged.get(path) for path in paths
    )
