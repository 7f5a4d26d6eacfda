"""Random trees and random damage: a restore returns the exact tree, or says that it does not."""

from __future__ import annotations

import os
import shutil
import tempfile
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from clearance.core.model import RestoreMode, RestoreStatus

from .conftest import World, portrait

pytestmark = pytest.mark.servers  # some seconds

NAMES = st.sampled_from(["a", "b", "c", "d e", "ä", "f\n"])
PATHS = st.lists(NAMES, min_size=1, max_size=3).map("/".join)
CHANGES = st.tuples(
    st.sampled_from(["write", "remove", "mkdir", "link", "hard", "chmod", "rename", "time", "xattr"]),
    PATHS,
    PATHS,
    st.integers(0, 3),
)


def apply(root: Path, change: tuple[str, str, str, int]) -> None:
    """As far as it is possible: what the file system refuses does not happen."""
    kind, first, second, number = change
    path, other = root / first, root / second
    try:
        match kind:
            case "write":
                path.parent.mkdir(parents=True, exist_ok=True)
                path.write_text("x" * number)
            case "remove":
                shutil.rmtree(path) if path.is_dir() and not path.is_symlink() else path.unlink()
            case "mkdir":
                path.mkdir(parents=True)
            case "link":
                path.symlink_to(second)
            case "hard":
                os.link(other, path, follow_symlinks=False)
            case "chmod":
                path.chmod((0o700, 0o755, 0o640, 0o444)[number], follow_symlinks=True)
            case "rename":
                path.rename(other)
            case "time":
                os.utime(path, ns=(number, number), follow_symlinks=False)
            case "xattr":
                os.setxattr(path, "user.n", bytes([number]), follow_symlinks=False)
    except OSError:
        return


@settings(max_examples=60, deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(st.lists(CHANGES, max_size=14), st.lists(CHANGES, min_size=1, max_size=8))
def test_any_damage_to_any_tree_is_undone_exactly(
    made: list[tuple[str, str, str, int]], damage: list[tuple[str, str, str, int]]
) -> None:
    with tempfile.TemporaryDirectory() as directory:
        world = World(Path(directory))
        for change in made:
            apply(world.root, change)
        before = portrait(world.root)
        snapshot = world.guarded(lambda: [apply(world.root, change) for change in damage])
        after = portrait(world.root)
        report = world.system.restore(snapshot, as_snapshot="u", mode=RestoreMode.ALL)
        assert (report.status, report.verified) == (RestoreStatus.RESTORED, True)
        assert portrait(world.root) == before
        world.system.restore("u", as_snapshot="v", mode=RestoreMode.ALL)
        assert portrait(world.root) == after
        world.close()


@settings(max_examples=60, deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(
    st.lists(CHANGES, max_size=10),
    st.lists(CHANGES, min_size=1, max_size=5),
    st.lists(CHANGES, min_size=1, max_size=5),
)
def test_what_others_change_later_is_never_overwritten(
    made: list[tuple[str, str, str, int]],
    damage: list[tuple[str, str, str, int]],
    later: list[tuple[str, str, str, int]],
) -> None:
    with tempfile.TemporaryDirectory() as directory:
        world = World(Path(directory))
        for change in made:
            apply(world.root, change)
        before = portrait(world.root)
        snapshot = world.guarded(lambda: [apply(world.root, change) for change in damage])
        after = portrait(world.root)
        for change in later:
            apply(world.root, change)
        standing = portrait(world.root)
        report = world.system.restore(snapshot, as_snapshot="u", mode=RestoreMode.ALL)
        now = portrait(world.root)
        if report.status is RestoreStatus.CONFLICT:
            assert now == standing
        for path, seen in standing.items():
            changed_by_others = seen != after.get(path)
            if changed_by_others and seen[4] is not None:  # a file or a link: a directory's time is free
                assert now.get(path) in (seen, before.get(path)), path
                assert now[path][4] == seen[4] or now[path] == before[path]
        world.close()
