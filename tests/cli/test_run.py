"""`clearance run`: exit codes, what it says, the run that it leaves, the key that ends with it."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from clearance import Client
from clearance.core.model import RecordKind
from tests.conftest import Server

pytestmark = pytest.mark.servers  # each test starts a server of its own, which takes its time


def clearance(*arguments: str, cwd: Path, **environment: str) -> subprocess.CompletedProcess[str]:
    kept = {name: value for name, value in os.environ.items() if not name.startswith("CLEARANCE_")}
    command = [sys.executable, "-m", "clearance", *arguments]
    return subprocess.run(
        command, cwd=cwd, env={**kept, **environment}, capture_output=True, text=True, timeout=60, check=False
    )


def python(code: str) -> tuple[str, ...]:
    return ("--", sys.executable, "-c", code)


def the_run(directory: Path) -> list[Any]:
    with Client(directory / ".clearance") as client:
        (run,) = client.runs()
        return client.trace(run.run_id)


def test_it_opens_the_doors_itself_begins_a_run_and_ends_it_with_the_program(tmp_path: Path) -> None:
    code = "import os, json; print(json.dumps(dict(os.environ)))"
    done = clearance(
        "run", "--agent", "mailer", "--goal", "sort the inbox", "--isolate", "off", *python(code),
        cwd=tmp_path, OPENAI_API_KEY="sk-real", SECRET_OF_NOBODY="kept",
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    given = json.loads(done.stdout)
    assert given["OPENAI_API_KEY"] == given["CLEARANCE_API_KEY"] != "sk-real"
    assert given["SECRET_OF_NOBODY"] == "kept"
    assert "not given to it: OPENAI_API_KEY" in done.stderr.replace("AWS_CA_BUNDLE, ", "")
    started, ended = the_run(tmp_path)
    assert (started.kind, started.agent, started.run_id) == (
        RecordKind.RUN_STARTED,
        "mailer",
        given["CLEARANCE_RUN_ID"],
    )
    assert started.decoded()["goal"] == "sort the inbox"
    assert (ended.kind, ended.status) == (RecordKind.RUN_ENDED, "succeeded")


def test_its_key_ends_with_it(tmp_path: Path) -> None:
    assert clearance("run", "--agent", "a", "--isolate", "off", "--", "true", cwd=tmp_path).returncode == 0
    told = clearance("agent", "keys", "--json", cwd=tmp_path)
    (key,) = json.loads(told.stdout)["keys"]
    assert key["revoked_at"] is not None
    assert key["expires_at"] is not None


@pytest.mark.parametrize(
    ("command", "code", "told"),
    [
        (("sh", "-c", "exit 9"), 9, "exit status 9"),
        (("sh", "-c", "kill -TERM $$"), 143, "ended by SIGTERM"),
        (("no-such-program",), 127, "exit status 127"),
    ],
)
def test_its_exit_code_is_the_programs_and_in_the_trace(
    command: tuple[str, ...], code: int, told: str, tmp_path: Path
) -> None:
    assert clearance("run", "--", *command, cwd=tmp_path).returncode == code
    ended = the_run(tmp_path)[-1]
    assert (ended.status, ended.decoded()["error"]) == ("failed", told)


def test_what_of_ours_fails_is_125_and_starts_nothing(tmp_path: Path) -> None:
    (tmp_path / "clearance.yaml").write_text("no_such_setting: 1\n")
    done = clearance("run", "--", "touch", "started", cwd=tmp_path)
    assert done.returncode == 125
    assert "[configuration_invalid]" in done.stderr
    done = clearance(
        "run",
        "--url",
        "http://127.0.0.1:9",
        "--api-key",
        "clr_x",
        "--",
        "touch",
        "started",
        cwd=tmp_path / "..",
    )
    assert done.returncode == 125
    assert not (tmp_path / "started").exists()


def test_uncaged_it_says_so_and_why(tmp_path: Path) -> None:
    done = clearance("run", "--isolate", "off", "--", "true", cwd=tmp_path)
    said = "network: NOT caged (--isolate off) — a program that ignores the proxy settings is not stopped"
    assert said in done.stderr


def test_the_sdk_inside_belongs_to_the_same_run_and_does_not_end_it(tmp_path: Path) -> None:
    code = (
        "from clearance import Client\n"
        "with Client() as client:\n"
        "    client.check('read_file')\n"
        "    with client.run('the first half') as run:\n"
        "        run.check('read_mail')\n"
        "    with client.run() as run:\n"
        "        run.check('read_news')\n"
    )
    done = clearance("run", "--goal", "all of it", *python(code), cwd=tmp_path)
    assert done.returncode == 0, done.stderr
    records = the_run(tmp_path)
    assert [record.kind for record in records].count(RecordKind.RUN_ENDED) == 1
    assert records[-1].kind is RecordKind.RUN_ENDED or records[-1].kind is RecordKind.OUTCOME
    intents = [record for record in records if record.kind is RecordKind.INTENT]
    assert len(intents) == 3
    assert "goal: the first half" in str([record.decoded() for record in records])


def test_on_a_running_server_the_agents_own_key_is_used(server: Server, tmp_path: Path) -> None:
    where = ("--url", server.url, "--api-key", server.agent_key)
    code = "import os; print(os.environ['CLEARANCE_URL'], os.environ['CLEARANCE_API_KEY'])"
    done = clearance("run", *where, *python(code), cwd=tmp_path)
    assert done.returncode == 0, done.stderr
    assert done.stdout.split() == [server.url, server.agent_key]
    assert not (tmp_path / ".clearance").exists()


def test_a_persons_token_is_never_given_to_the_program(server: Server, tmp_path: Path) -> None:
    where = ("--url", server.url, "--api-key", server.admin_key)
    code = (
        "import os, httpx; key = os.environ['CLEARANCE_API_KEY']\n"
        "print(key); url = os.environ['CLEARANCE_URL']\n"
        "print(httpx.get(url + '/v1/runs/' + os.environ['CLEARANCE_RUN_ID'],"
        " headers={'authorization': 'Bearer ' + key}).json()['agent'])"
    )
    done = clearance("run", *where, "--agent", "billing", *python(code), cwd=tmp_path)
    assert done.returncode == 0, done.stderr
    key, agent = done.stdout.split()
    assert (key[:4], agent) == ("clr_", "billing")
    with server.http() as http:
        answer = http.get("/v1/runs", headers={"authorization": f"Bearer {key}"})
    assert answer.status_code == 401
