"""What a claim is given: sides to start, a directory on the disk, a way to say how far it is."""

from __future__ import annotations

import os
import shutil
import sys
import tempfile
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from benchmarks.harness.contender import Contender, Round, Side, interleave
from benchmarks.harness.peers import peer_python, peer_version
from benchmarks.harness.result import ROOT
from benchmarks.harness.server import Server

_DATA = (
    ROOT / "benchmarks" / ".data"
)  # beside the code: a temporary directory may be memory, where fsync is free


class Bench:
    """One claim's surroundings. Its directory goes away with it."""

    def __init__(self, claim: str) -> None:
        self.claim = claim
        _DATA.mkdir(exist_ok=True)
        self.directory = Path(tempfile.mkdtemp(prefix=f"{claim}-", dir=_DATA))
        self.peer_python = peer_python()
        self._log = (_DATA / f"{claim}.log").open("w", encoding="utf-8")

    def ours(self, function: str, **options: Any) -> Contender:
        """Our side: a generator of the claim's own file, in our interpreter."""
        return Contender(Side(Path(sys.executable), f"{self.claim}:{function}", options), self._log)

    def peer(self, function: str, **options: Any) -> Contender:
        """The peer's side: a generator of the claim's own file, in the peers' interpreter."""
        return Contender(Side(self.peer_python, f"{self.claim}:{function}", options), self._log)

    def server(self, python: Path, arguments: list[str], environment: dict[str, str] | None = None) -> Server:
        """`python ARGUMENTS --port N` on loopback, until the context is left."""
        return Server(
            [str(python), "-W", "ignore", *arguments, "--port", "{port}"], environment or {}, self._log
        )

    def pinned(self, command: Sequence[str], environment: Mapping[str, str], directory: Path) -> Server:
        """`command`, whose `{port}` is its port, in `directory`, on the first core alone."""
        return Server(command, environment, self._log, directory=directory, core=0)

    @contextmanager
    def aside(self) -> Iterator[None]:
        """What this process starts meanwhile keeps off the core of `pinned`, where there is another."""
        cores = os.sched_getaffinity(0)
        os.sched_setaffinity(0, cores - {0} or cores)
        try:
            yield
        finally:
            os.sched_setaffinity(0, cores)

    @staticmethod
    def peer_name(distribution: str) -> str:
        """The peer and its installed version."""
        return peer_version(distribution)

    def compare(
        self, ours: str, peer: str, *, rounds: int, **options: Any
    ) -> tuple[list[Round], list[Round]]:
        """Interleaved rounds of two generators with the same options; ours also gets a fresh `directory`."""
        with (
            self.store() as directory,
            self.ours(ours, directory=directory, **options) as first,
            self.peer(peer, **options) as second,
        ):
            return interleave(first, second, rounds)

    @contextmanager
    def store(self) -> Iterator[str]:
        """A fresh directory, deleted afterwards."""
        path = tempfile.mkdtemp(dir=self.directory)
        try:
            yield path
        finally:
            shutil.rmtree(path)

    def say(self, text: str) -> None:
        """One line of progress."""
        print(f"  {self.claim}: {text}", file=sys.stderr, flush=True)

    def close(self) -> None:
        self._log.close()
        shutil.rmtree(self.directory)
