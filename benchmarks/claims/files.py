"""A snapshot of 10,000 files (95 MB), the first and the one after, beside git, cp -a and restic."""

from __future__ import annotations

import os
import random
import shutil
import subprocess
import time
from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path

from benchmarks.harness import Bench, Result, at_most, median_of

FILES = 10_000
FILE_BYTES = 9_500
ROUNDS = 3
DURABILITY = "ours: fsynced; git: fsyncs objects by its own defaults; cp: none; restic: fsynced"


def ours(tree: str, directory: str) -> Iterator[dict[str, float]]:
    """First into an empty store, then once more with nothing changed."""
    from clearance.adapters.systems.files import open_system
    from clearance.core.model import Action, Context, Operation, Principal, Request, Resource

    request = Request(
        principal=Principal(agent="bench"),
        action=Action(tool="files", operation=Operation.UPDATE),
        resources=(Resource(kind="file", name=tree),),
        context=Context(run_id="r", action_id="a", at=datetime.now(UTC)),
    )
    number = 0
    while True:
        number += 1
        store = Path(directory) / f"store{number}"
        system = open_system("tree", {"root": tree}, images=store)
        first = _seconds(lambda: system.save(request, [], snapshot_id="first"))  # noqa: B023
        second = _seconds(lambda: system.save(request, [], snapshot_id="second"))  # noqa: B023
        system.close()
        shutil.rmtree(store)
        yield {"first": first, "second": second}


def git(tree: str, directory: str) -> Iterator[dict[str, float]]:
    """`add -A` and `write-tree` with the repository beside the tree."""
    number = 0
    while True:
        number += 1
        store = Path(directory) / f"git{number}"
        where = ["git", f"--git-dir={store}", f"--work-tree={tree}"]
        _run([*where, "init", "-q"])

        def snapshot() -> None:
            _run([*where, "add", "-A"])  # noqa: B023
            _run([*where, "write-tree"])  # noqa: B023

        first, second = _seconds(snapshot), _seconds(snapshot)
        shutil.rmtree(store)
        yield {"first": first, "second": second}


def copy(tree: str, directory: str) -> Iterator[dict[str, float]]:
    """`cp -a` into a fresh directory each time."""
    while True:
        taken = {}
        for name in ("first", "second"):
            target = str(Path(directory) / name)
            taken[name] = _seconds(lambda: _run(["cp", "-a", tree, target]))  # noqa: B023
        for name in ("first", "second"):
            shutil.rmtree(Path(directory) / name)
        yield taken


def restic(tree: str, directory: str) -> Iterator[dict[str, float]]:
    """`backup` into a local repository."""
    number = 0
    environment = os.environ | {"RESTIC_PASSWORD": "bench"}
    while True:
        number += 1
        store = Path(directory) / f"restic{number}"
        where = ["restic", "-q", "--no-cache", "-r", str(store)]
        _run([*where, "init"], environment)
        backup = [*where, "backup", tree]
        first = _seconds(lambda: _run(backup, environment))  # noqa: B023
        second = _seconds(lambda: _run(backup, environment))  # noqa: B023
        shutil.rmtree(store)
        yield {"first": first, "second": second}


PEERS = {"git": git, "cp": copy, "restic": restic}


def measure(bench: Bench) -> Iterator[Result]:
    with bench.store() as tree:
        _fill(Path(tree))
        for name in PEERS:
            if shutil.which(name) is not None:
                yield from _against(bench, tree, name)


def _against(bench: Bench, tree: str, name: str) -> Iterator[Result]:
    bench.say(f"{FILES:,} files beside {name}, {ROUNDS} rounds a side")
    side = PEERS[name].__name__
    with bench.store() as directory:
        here, there = (str(Path(directory) / part) for part in ("ours", "peer"))
        for path in (here, there):
            Path(path).mkdir()
        mine, theirs = _rounds(bench, tree, here=here, there=there, side=side)
    for part, limit in (("first", 0.6), ("second", 0.1)):
        yield Result(
            claim=f"files/{part}_snapshot_beside_{name}",
            ours=median_of(mine, part),
            peer=median_of(theirs, part),
            peer_name=_version(name),
            unit="s",
            target=at_most(limit),
            conditions={"rounds": ROUNDS, "files": FILES, "durability": DURABILITY},
        )


def _rounds(
    bench: Bench, tree: str, *, here: str, there: str, side: str
) -> tuple[list[dict[str, float]], list[dict[str, float]]]:
    from benchmarks.harness.contender import interleave

    with (
        bench.ours("ours", tree=tree, directory=here) as mine,
        bench.ours(side, tree=tree, directory=there) as peer,
    ):
        return interleave(mine, peer, ROUNDS)


def _fill(tree: Path) -> None:
    """The same bytes in every run, which no packing makes smaller; then still for a moment."""
    chance = random.Random(1)
    for number in range(FILES):
        file = tree / f"d{number % 100}" / f"e{number % 3}" / f"f{number}"
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_bytes(chance.randbytes(FILE_BYTES))
    os.sync()
    time.sleep(0.5)


def _seconds(work: object) -> float:
    assert callable(work)
    start = time.perf_counter()
    work()
    return time.perf_counter() - start


def _run(command: list[str], environment: dict[str, str] | None = None) -> None:
    subprocess.run(command, check=True, capture_output=True, env=environment)


def _version(name: str) -> str:
    option = ["restic", "version"] if name == "restic" else [name, "--version"]
    said = subprocess.run(option, check=True, capture_output=True, text=True).stdout
    return said.splitlines()[0]
