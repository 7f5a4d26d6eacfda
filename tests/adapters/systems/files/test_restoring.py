"""What comes back, what is left alone, and what is said about it."""

from __future__ import annotations

import os
import shutil
import socket
from collections.abc import Callable
from pathlib import Path

import pytest

from clearance.core.model import ItemState, RestoreMode, RestoreStatus
from clearance.errors import NotFoundError, RecoveryError

from .conftest import World, portrait, request_of

pytestmark = pytest.mark.servers

Change = Callable[[Path], object]


def build(root: Path) -> None:
    """One of everything that a copy tool is known to lose."""
    (root / "plain.txt").write_text("text\n")
    (root / "crlf.txt").write_bytes(b"a\r\nb\r\n")
    (root / ".gitignore").write_text(".env\n")
    (root / ".env").write_text("KEY=value\n")
    (root / "empty").mkdir()
    (root / "sub/deep").mkdir(parents=True)
    (root / "sub/deep/file").write_bytes(os.urandom(70_000))
    (root / "nested/.git").mkdir(parents=True)
    (root / "nested/.git/HEAD").write_text("ref: refs/heads/main\n")
    (root / "nested/work").write_text("untracked")
    os.link(root / "plain.txt", root / "twin.txt")
    (root / "inside").symlink_to("sub/deep")
    (root / "dangling").symlink_to("nowhere/at/all")
    (root / "outside").symlink_to("/etc/hostname")
    os.mkfifo(root / "pipe")
    with socket.socket(socket.AF_UNIX) as bound:
        os.chdir(root)
        bound.bind("sock")
    (Path(os.fsdecode(os.fsencode(root) + b"/not-\xff-utf8"))).write_text("odd")
    (root / "new\nline").write_text("odd too")
    (root / "setuid").write_text("#!")
    (root / "setuid").chmod(0o4755)
    with (root / "sparse").open("wb") as file:
        file.truncate(8 << 20)
        file.seek(3 << 20)
        file.write(b"middle")
    (root / "large").write_bytes(os.urandom(3 << 20))
    (root / "zero").touch()
    (root / "sticky").mkdir()
    (root / "sticky").chmod(0o1777)
    os.setxattr(root / "plain.txt", "user.note", b"\0kept")
    os.setxattr(root / "sub", "user.note", b"directory")
    for path in root.rglob("*"):
        if not path.is_symlink():
            os.utime(path, ns=(1, 1_600_000_000_123_456_789))


CHANGES: dict[str, Change] = {
    "a_truncated_file": lambda root: (root / "plain.txt").write_text(""),
    "an_append_through_a_hard_link": lambda root: (root / "twin.txt").open("a").write("more"),
    "a_hard_link_that_was_removed": lambda root: (root / "plain.txt").unlink(),
    "a_hard_link_that_was_split": lambda root: (
        (root / "tmp").write_text("text\n"),
        (root / "tmp").rename(root / "twin.txt"),
    ),
    "a_hard_link_that_was_added": lambda root: os.link(root / "zero", root / "zero2"),
    "a_file_linked_over_another": lambda root: (
        (root / "zero").unlink(),
        os.link(root / "setuid", root / "zero"),
    ),
    "both_hard_links_removed": lambda root: ((root / "plain.txt").unlink(), (root / "twin.txt").unlink()),
    "changed_line_ends": lambda root: (root / "crlf.txt").write_bytes(b"a\nb\n"),
    "a_removed_secret_that_git_ignores": lambda root: (root / ".env").unlink(),
    "a_removed_empty_directory": lambda root: (root / "empty").rmdir(),
    "a_removed_tree": lambda root: shutil.rmtree(root / "sub"),
    "a_removed_nested_repository": lambda root: shutil.rmtree(root / "nested"),
    "a_file_replaced_by_a_directory": lambda root: (
        (root / "crlf.txt").unlink(),
        (root / "crlf.txt/in").mkdir(parents=True),
        (root / "crlf.txt/in/x").touch(),
    ),
    "a_directory_replaced_by_a_file": lambda root: (
        shutil.rmtree(root / "sub"),
        (root / "sub").write_text("x"),
    ),
    "a_directory_replaced_by_a_link": lambda root: (
        shutil.rmtree(root / "sub"),
        (root / "sub").symlink_to("/etc"),
    ),
    "a_link_turned_elsewhere": lambda root: ((root / "inside").unlink(), (root / "inside").symlink_to("/")),
    "a_removed_fifo": lambda root: (root / "pipe").unlink(),
    "a_removed_socket": lambda root: (root / "sock").unlink(),
    "removed_odd_names": lambda root: [path.unlink() for path in root.iterdir() if "odd" in _text(path)],
    "a_lost_setuid_bit": lambda root: (root / "setuid").chmod(0o755),
    "a_closed_file": lambda root: (root / "plain.txt").chmod(0),
    "an_in_place_write_in_the_middle": lambda root: _patch(root / "large", 1 << 20, b"!"),
    "a_filled_hole": lambda root: _patch(root / "sparse", 1 << 20, b"filled"),
    "a_removed_sparse_file": lambda root: (root / "sparse").unlink(),
    "an_edit_that_sets_the_old_time": lambda root: _quietly(root / "plain.txt"),
    "a_changed_attribute": lambda root: os.setxattr(root / "plain.txt", "user.note", b"other"),
    "an_added_attribute": lambda root: os.setxattr(root / "sub", "user.more", b"x"),
    "a_removed_attribute": lambda root: os.removexattr(root / "plain.txt", "user.note"),
    "an_opened_directory": lambda root: (root / "sub").chmod(0o777),
    "a_rename_within": lambda root: (root / "large").rename(root / "empty/large"),
    "a_renamed_directory": lambda root: (root / "sub").rename(root / "empty/sub"),
    "a_rename_out_of_the_root": lambda root: (root / "sub").rename(root.parent / "gone"),
    "new_files_and_directories": lambda root: (
        (root / "made/more").mkdir(parents=True),
        (root / "made/more/file").write_text("new"),
    ),
    "a_file_made_and_removed": lambda root: ((root / "empty/x").touch(), (root / "empty/x").unlink()),
    "everything_removed": lambda root: [
        shutil.rmtree(path) if path.is_dir() and not path.is_symlink() else path.unlink()
        for path in root.iterdir()
    ],
}


def _text(path: Path) -> str:
    return path.read_text() if path.is_file() and path.stat().st_size < 10 else ""


def _patch(path: Path, offset: int, data: bytes) -> None:
    with path.open("r+b") as file:
        file.seek(offset)
        file.write(data)


def _quietly(path: Path) -> None:
    about = path.stat()
    path.write_text("TEXT\n")
    os.utime(path, ns=(about.st_atime_ns, about.st_mtime_ns))


@pytest.mark.parametrize("change", CHANGES.values(), ids=CHANGES)
def test_every_change_is_undone_and_the_undo_is_undone(
    world: World, change: Change, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir("/")
    build(world.root)
    before = portrait(world.root)
    snapshot = world.guarded(lambda: change(world.root))
    changed = portrait(world.root)
    assert changed != before

    report = world.system.restore(snapshot, as_snapshot="back", mode=RestoreMode.ALL)
    assert portrait(world.root) == before
    assert (report.status, report.verified, report.conflicts) == (RestoreStatus.RESTORED, True, 0)

    world.system.restore("back", as_snapshot="again", mode=RestoreMode.ALL)
    assert portrait(world.root) == changed
    world.system.restore("again", as_snapshot="last", mode=RestoreMode.ALL)
    assert portrait(world.root) == before


def test_a_sparse_file_comes_back_sparse(world: World) -> None:
    build(world.root)
    snapshot = world.guarded((world.root / "sparse").unlink)
    assert world.system.verify(snapshot).bytes is not None
    world.system.restore(snapshot, as_snapshot="u", mode=RestoreMode.ALL)
    assert (world.root / "sparse").stat().st_blocks * 512 < 1 << 20


def test_restoring_twice_changes_nothing_and_says_so(world: World) -> None:
    file = world.write("a")
    snapshot = world.guarded(file.unlink)
    world.system.restore(snapshot, as_snapshot="u1", mode=RestoreMode.ALL)
    file.write_text("later")
    report = world.system.restore(snapshot, as_snapshot="u2", mode=RestoreMode.ALL)
    assert report.status is RestoreStatus.ALREADY_UNDONE
    assert file.read_text() == "later"


LATER: dict[str, Change] = {
    "changed_again": lambda root: (root / "a").write_text("third"),
    "removed": lambda root: (root / "a").unlink(),
    "made_a_directory": lambda root: ((root / "a").unlink(), (root / "a").mkdir()),
    "made_a_link": lambda root: ((root / "a").unlink(), (root / "a").symlink_to("/etc/passwd")),
    "given_another_mode": lambda root: (root / "a").chmod(0o600),
    "touched": lambda root: os.utime(root / "a", ns=(5, 5)),
    "edited_with_the_old_time": lambda root: _quietly(root / "a"),
}


@pytest.mark.parametrize("later", LATER.values(), ids=LATER)
def test_a_file_changed_since_is_a_conflict_and_nothing_is_changed(world: World, later: Change) -> None:
    world.write("a", "first")
    world.write("b", "first")
    snapshot = world.guarded(lambda: (world.write("a", "2nd\n\n"), (world.root / "b").unlink()))
    later(world.root)
    standing = portrait(world.root)
    report = world.system.restore(snapshot, as_snapshot="u", mode=RestoreMode.ALL)
    assert (report.status, report.conflicts, report.restored) == (RestoreStatus.CONFLICT, 1, 0)
    assert report.items[0].key == "a"
    assert report.items[0].state is ItemState.CONFLICT
    assert portrait(world.root) == standing

    report = world.system.restore(snapshot, as_snapshot="u", mode=RestoreMode.FREE)
    assert (report.status, report.conflicts, report.restored) == (RestoreStatus.PARTIAL, 1, 1)
    assert (world.root / "b").read_text() == "first"
    now = portrait(world.root)
    del now[b"b"], now[b"."], standing[b"."]
    assert now == standing


def test_a_plan_changes_nothing_and_reports_all(world: World) -> None:
    world.write("a", "first")
    snapshot = world.guarded(lambda: (world.write("a", "second"), world.write("new")))
    standing = portrait(world.root)
    report = world.system.restore(snapshot, as_snapshot="u", mode=RestoreMode.PLAN)
    assert (report.status, report.restored) == (RestoreStatus.PLANNED, 2)
    assert portrait(world.root) == standing
    with pytest.raises(NotFoundError):
        world.system.verify("u")


def test_what_the_action_did_not_make_is_never_removed(world: World) -> None:
    world.write("a")
    snapshot = world.guarded(lambda: shutil.rmtree(world.root / "x", ignore_errors=True))
    world.write("later/by/another", "mine")
    report = world.system.restore(snapshot, as_snapshot="u", mode=RestoreMode.ALL)
    assert report.status is RestoreStatus.RESTORED
    assert (world.root / "later/by/another").read_text() == "mine"


def test_a_new_directory_that_others_use_since_stays(world: World) -> None:
    snapshot = world.guarded(lambda: world.write("made/by_agent"))
    world.write("made/by_person", "mine")
    report = world.system.restore(snapshot, as_snapshot="u", mode=RestoreMode.ALL)
    assert (report.status, report.items[0].key) == (RestoreStatus.CONFLICT, "made")
    assert (world.root / "made/by_agent").exists()
    report = world.system.restore(snapshot, as_snapshot="u", mode=RestoreMode.FREE)
    assert report.status is RestoreStatus.PARTIAL
    assert sorted(path.name for path in (world.root / "made").iterdir()) == ["by_person"]


def test_an_excluded_file_keeps_a_new_directory(world: World) -> None:
    world.again(exclude=["*.log"])
    snapshot = world.guarded(lambda: (world.write("made/a"), world.write("made/x.log")))
    report = world.system.restore(snapshot, as_snapshot="u", mode=RestoreMode.FREE)
    assert report.status is RestoreStatus.PARTIAL
    assert (world.root / "made/x.log").exists()


def test_without_a_note_of_the_end_only_what_is_missing_comes_back(world: World) -> None:
    world.write("kept", "old")
    world.write("lost", "old")
    world.system.save(request_of(), [], snapshot_id="s")
    world.write("kept", "new")
    (world.root / "lost").unlink()
    world.write("made")
    report = world.system.restore("s", as_snapshot="u", mode=RestoreMode.ALL)
    assert (report.status, [item.key for item in report.items if item.state is ItemState.CONFLICT]) == (
        RestoreStatus.CONFLICT,
        ["kept"],
    )
    assert not (world.root / "lost").exists()
    report = world.system.restore("s", as_snapshot="u", mode=RestoreMode.FREE)
    assert ((world.root / "lost").read_text(), (world.root / "kept").read_text()) == ("old", "new")
    assert (world.root / "made").exists()


def test_the_first_note_of_the_end_counts(world: World) -> None:
    world.write("a", "one")
    snapshot = world.guarded(lambda: world.write("a", "two"))
    world.write("a", "three")
    world.system.settle(snapshot)
    report = world.system.restore(snapshot, as_snapshot="u", mode=RestoreMode.ALL)
    assert report.status is RestoreStatus.CONFLICT


def test_two_overlapping_actions_are_undone_newest_first(world: World) -> None:
    world.write("a", "one")
    before = portrait(world.root)
    first = world.guarded(lambda: world.write("a", "two"))
    second = world.guarded(lambda: world.write("a", "three"))
    report = world.system.restore(first, as_snapshot="u", mode=RestoreMode.ALL)
    assert report.status is RestoreStatus.CONFLICT
    for number, snapshot in enumerate((second, first)):
        report = world.system.restore(snapshot, as_snapshot=f"u{number}", mode=RestoreMode.ALL)
        assert report.verified
    assert portrait(world.root) == before


def test_a_file_another_writes_meanwhile_is_not_followed_through_a_link(world: World) -> None:
    """The directory of a lost file became a link to elsewhere: nothing is written there."""
    world.write("d/a", "secret")
    elsewhere = world.base / "elsewhere"
    elsewhere.mkdir()
    snapshot = world.guarded((world.root / "d/a").unlink)
    (world.root / "d").rmdir()
    (world.root / "d").symlink_to(elsewhere)
    for mode in (RestoreMode.ALL, RestoreMode.FREE):
        world.system.restore(snapshot, as_snapshot=f"u{mode}", mode=mode)
        assert list(elsewhere.iterdir()) == []


def test_another_directory_under_the_same_path_is_refused(world: World) -> None:
    world.write("a")
    snapshot = world.guarded((world.root / "a").unlink)
    world.root.rename(world.base / "moved")
    world.root.mkdir()
    with pytest.raises(RecoveryError, match="not the directory that was saved"):
        world.system.restore(snapshot, as_snapshot="u", mode=RestoreMode.ALL)
