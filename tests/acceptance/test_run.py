"""`clearance run` with real processes: every way found out of the cage fails, and the doors stay open."""

from __future__ import annotations

import json
import os
import shutil
import socket
import subprocess
import sys
import threading
from collections.abc import Iterator
from contextlib import ExitStack, suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest

from clearance import Client
from clearance.cage import Isolation, NotCagedError, Plan, Walls, hold
from clearance.core.model import RecordKind
from tests.servers.process import account, missing, owned_directory

pytestmark = [
    pytest.mark.acceptance,
    pytest.mark.skipif(sys.platform != "linux", reason="the cage is Linux's"),
]
PROBES = Path(__file__).with_name("probes.py")
HOW = "allow user namespaces: sysctl user.max_user_namespaces, kernel.apparmor_restrict_unprivileged_userns=0"
# What works for a program that nothing holds: without it a probe that fails would show nothing.
OPEN = {
    "a raw socket",
    "IPv6",
    "a thread",
    "a subprocess",
    "a subprocess without our environment",
    "curl past the proxy",
    "DNS over UDP",
    "a unix socket by path",
    "an abstract unix socket",
    "the environment of Clearance",
    "the store",
    "the rules",
    "typing into the terminal",
}


@dataclass
class Outside:
    """What listens on the host, and who came."""

    given: dict[str, object]
    arrived: list[str] = field(default_factory=list)


@pytest.fixture(params=["as ourselves", "as an ordinary user"])
def home(request: pytest.FixtureRequest) -> Iterator[tuple[Path, str | None]]:
    """A directory to run in, and who runs there."""
    user = account() if request.param != "as ourselves" else None
    if request.param != "as ourselves" and user is None:
        pytest.skip("the tests do not run as root: these are an ordinary user's already")
    try:
        hold(
            Plan(command=("true",), environment={"PATH": os.environ["PATH"]}, walls=Walls()),
            Isolation.REQUIRE,
        ).run()
    except NotCagedError as error:
        missing(f"the cage ({error})", HOW)
    made = owned_directory("clearance-run-")
    if user is None:
        os.chown(made, os.geteuid(), os.getegid())
    (made / "clearance.yaml").write_text("store: store\npolicies: [rules.yaml]\n")
    (made / "rules.yaml").write_text("version: 1\npolicies: []\n")
    for file in made.iterdir():
        shutil.chown(file, user or os.geteuid())
    yield made, user
    shutil.rmtree(made)


@pytest.fixture
def outside(home: tuple[Path, str | None]) -> Iterator[Outside]:
    """Listeners on every kind of address that the host has."""
    directory, _ = home
    with ExitStack() as stack:
        tcp = stack.enter_context(socket.create_server(("127.0.0.1", 0)))
        tcp6 = stack.enter_context(socket.create_server(("::1", 0), family=socket.AF_INET6))
        udp = stack.enter_context(socket.socket(socket.AF_INET, socket.SOCK_DGRAM))
        udp.bind(("127.0.0.1", 0))
        path, abstract = str(directory / "socket"), f"clearance-{directory.name}"
        by_path = stack.enter_context(socket.socket(socket.AF_UNIX))
        by_path.bind(path)
        Path(path).chmod(0o777)
        closed = directory / "closed"
        closed.mkdir(mode=0o700)
        unseen = stack.enter_context(socket.socket(socket.AF_UNIX))
        unseen.bind(str(closed / "socket"))  # as root's, which an ordinary user cannot even look at
        unseen.listen()
        by_name = stack.enter_context(socket.socket(socket.AF_UNIX))
        by_name.bind("\0" + abstract)
        made = Outside({
            "tcp": tcp.getsockname()[1], "tcp6": tcp6.getsockname()[1], "udp": udp.getsockname()[1],
            "unix": path, "abstract": abstract, "store": str(directory / "store"),
            "rules": str(directory / "rules.yaml"),
        })  # fmt: skip
        for name, one in {"tcp": tcp, "tcp6": tcp6, "unix": by_path, "abstract": by_name}.items():
            one.listen()
            threading.Thread(target=answer, args=(made, name, one), daemon=True).start()
        threading.Thread(target=echo, args=(made, udp), daemon=True).start()
        yield made
        for one in (tcp, tcp6, by_path, by_name):
            one.shutdown(socket.SHUT_RDWR)  # a thread that accepts keeps a socket that is only closed


def answer(outside: Outside, name: str, listening: socket.socket) -> None:
    with suppress(OSError):
        while True:
            came, _ = listening.accept()
            outside.arrived.append(name)
            with came:
                came.settimeout(1)
                came.recv(1024)
                came.sendall(b"HTTP/1.0 200 OK\r\n\r\n")


def echo(outside: Outside, listening: socket.socket) -> None:
    with suppress(OSError):
        while True:
            _, whence = listening.recvfrom(512)
            outside.arrived.append("udp")
            listening.sendto(b"x", whence)


def python_of(user: str | None) -> str:
    """An interpreter that they may execute: ours may lie in a directory of ours."""
    for one in (sys.executable, f"/usr/bin/python3.{sys.version_info.minor}"):
        with suppress(OSError):
            if subprocess.run([one, "-c", ""], user=user, cwd="/", check=False).returncode == 0:
                return one
    missing(f"a Python that {user} may execute", f"apt-get install python3.{sys.version_info.minor}")
    raise AssertionError


def clearance_run(
    home: tuple[Path, str | None], *arguments: str, code: int = 0
) -> subprocess.CompletedProcess[str]:
    directory, user = home
    ordinary: dict[str, Any] = {} if user is None else {"user": user, "group": "nogroup", "extra_groups": []}
    source = os.pathsep.join(sys.path)
    done = subprocess.run(
        [python_of(user), "-m", "clearance", "run", *arguments],
        cwd=directory, **ordinary,
        env={"PATH": os.environ["PATH"], "HOME": str(directory), "PYTHONPATH": source, "AWS_CANARY": "1"},
        capture_output=True, text=True, timeout=120, check=False, stdin=subprocess.DEVNULL,
    )  # fmt: skip
    assert done.returncode == code, done.stderr
    return done


def probe(home: tuple[Path, str | None], outside: Outside, isolate: str) -> tuple[set[str], str]:
    """What worked, and what was said."""
    code = PROBES.read_text(encoding="utf-8")
    inside = (python_of(home[1]), "-c", code, json.dumps(outside.given))
    done = clearance_run(home, "--isolate", isolate, "--", *inside)
    return set(json.loads(done.stdout)), done.stderr


def test_no_way_out_of_the_cage_works(home: tuple[Path, str | None], outside: Outside) -> None:
    worked, said = probe(home, outside, "require")
    assert worked == set()
    assert outside.arrived == []
    assert "network: caged — nothing but Clearance is reachable" in said


def test_without_the_cage_the_same_ways_work_and_it_says_so(
    home: tuple[Path, str | None], outside: Outside
) -> None:
    worked, said = probe(home, outside, "off")
    assert OPEN - ({"typing into the terminal"} if home[1] else set()) <= worked  # root types into any
    assert set(outside.arrived) == {"tcp", "tcp6", "udp", "unix", "abstract"}
    assert "network: NOT caged" in said


def test_inside_the_doors_are_open_and_every_action_is_in_the_run(home: tuple[Path, str | None]) -> None:
    code = (
        "import os, subprocess, httpx\n"
        "from clearance import Client\n"
        "url = os.environ['CLEARANCE_URL']\n"
        "assert httpx.get(url + '/healthz').json() == {'status': 'ok'}\n"
        "print(subprocess.check_output(['curl', '-sS', url + '/healthz'], text=True))\n"
        "by_path = os.environ['OPENAI_BASE_URL'].removesuffix('/openai/v1')\n"
        "assert httpx.get(by_path + '/healthz').status_code == 404\n"  # a run's path leads to proxies alone
        "assert httpx.get(by_path + '/openai/v1/models').status_code == 401\n"
        "with Client() as client, client.run() as run:\n"
        "    assert run.call('read_file', lambda path: 'text', {'path': 'a.txt'}) == 'text'\n"
    )
    done = clearance_run(home, "--isolate", "require", "--goal", "look", "--", python_of(home[1]), "-c", code)
    assert json.loads(done.stdout) == {"status": "ok"}
    with Client(home[0] / "store") as client:
        (run,) = client.runs()
        kinds = [record.kind for record in client.trace(run.run_id)]
    assert kinds == [RecordKind.RUN_STARTED, RecordKind.INTENT, RecordKind.OUTCOME, RecordKind.RUN_ENDED]


def test_a_program_that_cannot_be_caged_is_not_started_where_that_is_required(
    home: tuple[Path, str | None],
) -> None:
    """Nobody but root of the host may be root in a new user namespace: in root's cage there is no other."""
    if home[1] or os.geteuid():
        pytest.skip("an ordinary user's cage can hold another")
    again = (python_of(home[1]), "-m", "clearance", "run", "--store", "inner", "--isolate")
    touch = ("--", "touch", "started")
    done = clearance_run(home, "--isolate", "require", "--", *again, "require", *touch, code=125)
    assert "error [not_caged]: the program was not started: " in done.stderr
    assert not (home[0] / "started").exists()
    done = clearance_run(home, "--isolate", "require", "--", *again, "auto", *touch)
    assert "network: NOT caged (" in done.stderr
    assert (home[0] / "started").exists()


def test_big_and_many_answers_come_through_whole(home: tuple[Path, str | None]) -> None:
    code = (
        "import concurrent.futures, os, httpx\n"
        "url, key = os.environ['CLEARANCE_URL'], os.environ['CLEARANCE_API_KEY']\n"
        "def one(n):\n"
        "    body = {'action': 'read_file', 'arguments': {'path': 'x' * 200_000, 'n': n}}\n"
        "    with httpx.Client(headers={'authorization': 'Bearer ' + key}, timeout=60) as http:\n"
        "        status = http.post(url + '/v1/actions', json=body).status_code\n"
        "        return status, len(http.get(url + '/openapi.json').content)\n"
        "with concurrent.futures.ThreadPoolExecutor(16) as pool:\n"
        "    print(set(pool.map(one, range(64))))\n"
    )
    done = clearance_run(home, "--isolate", "require", "--", python_of(home[1]), "-c", code)
    assert len(eval(done.stdout)) == 1
    assert "200" in done.stdout
