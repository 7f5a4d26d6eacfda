"""What many tests need: a store of their own, and a real server process on loopback."""

from __future__ import annotations

import gc
import os
import re
import signal
import subprocess
import sys
import time
from collections.abc import Generator, Iterator
from dataclasses import dataclass, field
from pathlib import Path

import httpx
import pytest
from hypothesis import settings

from clearance import Client
from clearance.adapters.identity import new_key
from clearance.adapters.store import SqliteState
from clearance.core.model import Agent, CredentialKind, Person, PersonSource, Role
from clearance.wiring import utc_now
from tests.authorities import read_once
from tests.examples import CHECK
from tests.servers.mariadb import mariadb_dsn, mariadb_server
from tests.servers.oidc import identity_provider
from tests.servers.postgres import postgres_dsn, postgres_server
from tests.servers.process import free_port

__all__ = [
    "identity_provider",
    "mariadb_dsn",
    "mariadb_server",
    "postgres_dsn",
    "postgres_server",
]  # fixtures
QUICK = "not acceptance and not servers"  # what `make check` selects
SLOW_MODULE = re.compile(r"^pytestmark = .*?\bpytest\.mark\.(acceptance|servers)\b", re.M)
settings.register_profile("check", CHECK)


def pytest_configure() -> None:
    # What a background job ignores, every program that a test starts would ignore too.
    signal.signal(signal.SIGINT, signal.default_int_handler)
    for signum in (signal.SIGHUP, signal.SIGQUIT):
        signal.signal(signum, signal.SIG_DFL)
    read_once("httpx")
    read_once("httpx2")


def pytest_ignore_collect(collection_path: Path, config: pytest.Config) -> bool | None:
    """A module marked as a whole need not be imported to be left out by its mark: MCP, boto3 and the like."""
    if config.getoption("-m") != QUICK or collection_path.suffix != ".py":
        return None
    return SLOW_MODULE.search(collection_path.read_text(encoding="utf-8")) is not None or None


@pytest.hookimpl(wrapper=True)
def pytest_collection() -> Generator[None, object, object]:
    """What is collected stays until the end: the garbage collector need not go through it each time."""
    gc.disable()
    try:
        return (yield)
    finally:
        gc.freeze()
        gc.enable()


@pytest.fixture
def client(tmp_path: Path) -> Iterator[Client]:
    """An embedded client on a fresh SQLite store."""
    with Client(tmp_path / "store", agent="tester") as opened:
        yield opened


@dataclass
class Server:
    """`clearance serve` as a process of its own."""

    store: Path
    port: int
    admin_key: str = ""
    agent_key: str = ""
    directory: Path | None = None  # where it runs: its clearance.yaml
    program: tuple[str, ...] = ("-m", "clearance")
    process: subprocess.Popen[bytes] | None = field(default=None, repr=False)

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.port}"

    def start(self) -> None:
        command = [sys.executable, *self.program, "--store", str(self.store), "serve"]
        self.process = subprocess.Popen(
            [*command, "--port", str(self.port)],
            stdout=subprocess.DEVNULL,
            stderr=subprocess.PIPE,
            cwd=self.directory,
            env={**os.environ, "PYTHONUNBUFFERED": "1"},
        )
        deadline = time.monotonic() + 60
        while time.monotonic() < deadline:
            if self.process.poll() is not None:
                assert self.process.stderr is not None
                raise AssertionError(self.process.stderr.read().decode())
            try:
                if httpx.get(f"{self.url}/readyz", timeout=1).status_code == 200:
                    return
            except httpx.HTTPError:
                time.sleep(0.02)
        raise AssertionError("the server did not become ready within 60 seconds")

    def kill(self) -> None:
        assert self.process is not None
        self.process.kill()
        self.process.wait(timeout=10)
        self._close_pipe()

    def stop(self) -> int:
        assert self.process is not None
        self.process.send_signal(signal.SIGTERM)
        code = self.process.wait(timeout=30)
        self._close_pipe()
        return code

    def _close_pipe(self) -> None:
        assert self.process is not None
        if self.process.stderr is not None:
            self.process.stderr.close()
        self.process = None

    def http(self, *, admin: bool = False) -> httpx.Client:
        key = self.admin_key if admin else self.agent_key
        return httpx.Client(base_url=self.url, headers={"Authorization": f"Bearer {key}"}, timeout=10)


def make_server(directory: Path) -> Server:
    """A server that is not started yet, with an admin key and the key of the agent `billing`."""
    server = Server(store=directory, port=free_port())
    state = SqliteState(directory)
    at = utc_now()
    state.agents.add_agent(Agent(name="billing", created_at=at))
    ops = Person(name="ops", created_at=at, roles=(Role.ADMIN,), source=PersonSource.SERVICE)
    state.people.add_person(ops)
    server.agent_key, agent_key = new_key("billing", at=at)
    server.admin_key, admin_key = new_key("ops", kind=CredentialKind.SERVICE_TOKEN, at=at)
    state.credentials.add_credential(agent_key)
    state.credentials.add_credential(admin_key)
    state.close()
    return server


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    """A running server, shared by the tests of one module."""
    made = make_server(tmp_path_factory.mktemp("server") / "store")
    made.start()
    yield made
    if made.process is not None:
        made.stop()
