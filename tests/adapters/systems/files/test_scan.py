"""A tree that is hard to read: writers at work, no right to read, no room to save."""

from __future__ import annotations

import os
import subprocess
import threading
from collections.abc import Iterator

import pytest

from clearance.adapters.systems.files.entry import shown
from clearance.adapters.systems.files.paths import Globs
from clearance.core.model import RestoreMode
from clearance.errors import NotFoundError, RecoveryError

from .conftest import World, request_of

pytestmark = pytest.mark.servers


def test_a_file_being_written_is_saved_as_one_state_of_it_or_refused(world: World) -> None:
    """The writer keeps the file one repeated letter: a mixture would be no state that it ever had."""
    file = world.write("busy", "a" * 400_000)
    ended = threading.Event()

    def writer() -> None:
        number = 0
        while not ended.is_set():
            number += 1
            (world.base / "next").write_text("abcdefgh"[number % 8] * 400_000)
            (world.base / "next").rename(file)

    thread = threading.Thread(target=writer)
    thread.start()
    saved = []
    for number in range(30):
        try:
            saved.append(world.system.save(request_of(), [], snapshot_id=f"s{number}").snapshot_id)
        except RecoveryError as error:
            assert "busy" in str(error)
    ended.set()
    thread.join()
    for snapshot in saved:
        file.unlink(missing_ok=True)
        world.system.restore(snapshot, as_snapshot=f"u{snapshot}", mode=RestoreMode.ALL)
        text = file.read_text()
        assert text == text[0] * 400_000


def test_an_edit_right_after_a_snapshot_is_seen_by_the_next(world: World) -> None:
    """The clock of a file system ticks slower than a program writes."""
    for number in range(40):
        file = world.write("a", f"{number:04d}")
        world.system.save(request_of(), [], snapshot_id=f"a{number}")
        file.write_text(f"{number:03d}x")
        snapshot = world.guarded(file.unlink)
        world.system.restore(snapshot, as_snapshot=f"u{number}", mode=RestoreMode.ALL)
        assert file.read_text() == f"{number:03d}x"


def test_a_tree_that_is_too_deep_is_refused(world: World) -> None:
    here = os.open(world.root, os.O_RDONLY)
    for _ in range(230):
        os.mkdir("d", dir_fd=here)
        below = os.open("d", os.O_RDONLY, dir_fd=here)
        os.close(here)
        here = below
    os.close(here)
    with pytest.raises(RecoveryError, match="deeper"):
        world.system.save(request_of(), [], snapshot_id="s")
    subprocess.run(["rm", "-rf", str(world.root / "d")], check=True)


@pytest.mark.skipif(os.geteuid() == 0, reason="root may read everything")
def test_a_file_without_the_right_to_read_is_refused(world: World) -> None:
    world.write("closed").chmod(0)
    with pytest.raises(RecoveryError, match="cannot be read"):
        world.system.save(request_of(), [], snapshot_id="s")


@pytest.fixture
def narrow(world: World) -> Iterator[World]:
    """The store on a disk of 2 MB."""
    place = world.base / "narrow"
    place.mkdir()
    mounted = subprocess.run(["mount", "-t", "tmpfs", "-o", "size=2m", "none", str(place)], check=False)
    if mounted.returncode:
        pytest.skip("a small disk needs the right to mount")
    world.images = place / "images"
    world.again()
    yield world
    world.close()
    subprocess.run(["umount", str(place)], check=True)


@pytest.mark.servers
def test_a_full_disk_refuses_the_snapshot_and_keeps_the_earlier_ones(narrow: World) -> None:
    narrow.write("small", "x" * 1000)
    narrow.system.save(request_of(), [], snapshot_id="first")
    (narrow.root / "big").write_bytes(os.urandom(4 << 20))
    with pytest.raises(RecoveryError):
        narrow.system.save(request_of(), [], snapshot_id="second")
    narrow.system.verify("first")
    with pytest.raises(NotFoundError):
        narrow.system.verify("second")
    (narrow.root / "big").unlink()
    narrow.system.save(request_of(), [], snapshot_id="third")
    narrow.system.verify("third")


@pytest.mark.parametrize(
    ("pattern", "path", "expected"),
    [
        ("*.log", b"x.log", True),
        ("*.log", b"a/b/x.log", True),
        ("*.log", b"x.logs", False),
        ("/x", b"x", True),
        ("/x", b"a/x", False),
        ("a/*", b"a/b", True),
        ("a/*", b"a/b/c", False),
        ("a/**", b"a/b/c", True),
        ("**/c", b"a/b/c", True),
        ("**/c", b"c", True),
        ("a?c", b"abc", True),
        ("a?c", b"a/c", False),
        ("cache/", b"x/cache", True),
        ("[x]", b"x", False),
    ],
)
def test_a_glob_leaves_out_what_it_says(pattern: str, path: bytes, expected: bool) -> None:
    assert Globs([pattern]).match(path) is expected


def test_a_shown_name_holds_no_control_character() -> None:
    assert shown(b"a\n\x1b[31m\xff") == "a\\n\\x1b[31m\\xff"
    assert shown(b"") == "."
