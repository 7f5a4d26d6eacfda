"""A tree, a store beside it, and a portrait of a tree that shares no code with what is tested."""

from __future__ import annotations

import os
import stat
from collections.abc import Callable, Iterator
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest

from clearance.adapters.systems.files import FilesSystem, open_system
from clearance.core.model import Action, Context, Operation, Principal, Request, Resource

Portrait = dict[bytes, tuple[Any, ...]]
AT = datetime(2026, 1, 2, tzinfo=UTC)


def portrait(root: Path) -> Portrait:
    """Everything about every path that a restore promises."""
    found: Portrait = {}
    inodes: dict[tuple[int, int], list[bytes]] = {}
    start = os.fsencode(root)
    paths = [start]
    for directory, directories, names in os.walk(start):
        paths += [os.path.join(directory, name) for name in (*directories, *names)]
    for path in paths:
        about = os.lstat(path)
        key = os.path.relpath(path, start)
        content: Any = None
        if stat.S_ISREG(about.st_mode):
            with open(path, "rb") as file:
                content = file.read()
        elif stat.S_ISLNK(about.st_mode):
            content = os.readlink(path)
        if about.st_nlink > 1 and not stat.S_ISDIR(about.st_mode):
            inodes.setdefault((about.st_dev, about.st_ino), []).append(key)
        xattrs = tuple(
            sorted((name, os.getxattr(path, name, follow_symlinks=False)) for name in _xattr_names(path))
        )
        found[key] = (about.st_mode, about.st_uid, about.st_gid, about.st_mtime_ns, content, xattrs)
    for members in inodes.values():
        for key in members:
            found[key] += (min(members),)
    return found


def _xattr_names(path: bytes) -> list[str]:
    return os.listxattr(path, follow_symlinks=False)


def request_of(operation: Operation = Operation.UPDATE, **arguments: Any) -> Request:
    return Request(
        principal=Principal(agent="tester"),
        action=Action(tool="files", operation=operation, arguments=arguments),
        resources=(Resource(kind="file", name="."),),
        context=Context(run_id="r", action_id="a", at=AT),
    )


class World:
    """One tree and the system that guards it."""

    def __init__(self, base: Path) -> None:
        self.base = base
        self.root = base / "root"
        self.root.mkdir()
        self.images = base / "images"
        self._open: list[FilesSystem] = []
        self._count = 0
        self.system = self.again()

    def again(self, **options: Any) -> FilesSystem:
        """The same tree through another opening."""
        system = open_system("docs", {"root": str(self.root), **options}, images=self.images)
        self._open.append(system)
        self.system = system
        return system

    def write(self, path: str, text: str = "hello") -> Path:
        file = self.root / path
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_text(text)
        return file

    def guarded(self, change: Callable[[], object], *names: str) -> str:
        """Save, change, settle: one action. Returns the snapshot's id."""
        self._count += 1
        snapshot_id = f"s{self._count}"
        self.system.save(request_of(), names, snapshot_id=snapshot_id)
        change()
        self.system.settle(snapshot_id)
        return snapshot_id

    def close(self) -> None:
        for system in self._open:
            system.close()


@pytest.fixture
def world(tmp_path: Path) -> Iterator[World]:
    world = World(tmp_path)
    yield world
    world.close()
