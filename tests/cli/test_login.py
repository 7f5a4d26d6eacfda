"""`clearance login`, `whoami`, `logout` against a real server, and a real identity provider."""

from __future__ import annotations

import os
import re
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import httpx
import pytest

from clearance.cli import session_file
from clearance.errors import StoreError
from tests.cli.conftest import Invoke
from tests.conftest import Server, make_server
from tests.servers.oidc import Provider

pytestmark = pytest.mark.servers

PASSWORD = "correct horse battery"


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    made = make_server(tmp_path_factory.mktemp("login") / "store")
    made.start()
    with made.http(admin=True) as admin:
        body = {"name": "alice", "roles": ["admin"], "password": PASSWORD}
        assert admin.post("/v1/people", json=body).status_code == 201
    yield made
    made.stop()


@pytest.fixture(autouse=True)
def _own_sessions(home: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("XDG_CONFIG_HOME", str(home / "config"))


def test_a_session_is_kept_for_this_user_only_used_and_ended(run: Invoke, server: Server) -> None:
    assert run("whoami", "--url", server.url).exit_code == 1
    told = run("login", "--url", server.url, "--name", "alice", "--password-stdin", stdin=f"{PASSWORD}\n")
    assert (told.exit_code, told.stdout) == (0, "Logged in as alice: admin.\n")
    assert session_file.path().stat().st_mode & 0o777 == 0o600
    assert session_file.path().parent.stat().st_mode & 0o777 == 0o700
    assert run("whoami", "--url", server.url).stdout == "alice (person): admin.\n"
    assert run("runs", "--url", f"{server.url}/").exit_code == 0
    session = session_file.session_of(server.url)
    assert run("logout", "--url", server.url).exit_code == 0
    assert session_file.session_of(server.url) == ""
    bearer = {"authorization": f"Bearer {session}"}
    assert httpx.get(f"{server.url}/v1/me", headers=bearer).status_code == 401
    assert run("logout", "--url", server.url).exit_code == 1


def test_a_wrong_password_keeps_nothing(run: Invoke, server: Server) -> None:
    told = run("login", "--url", server.url, "--name", "alice", "--password-stdin", stdin="wrong\n")
    assert told.exit_code == 1
    assert "error [login_failed]" in told.stderr
    assert not session_file.path().exists()


def test_a_key_that_is_given_wins_and_a_session_goes_to_its_own_server_only(
    run: Invoke, server: Server
) -> None:
    session_file.keep("http://127.0.0.1:1", "cls_other_server")
    assert session_file.session_of(server.url) == ""
    session_file.keep(server.url, "cls_000000000000_gone")
    assert run("whoami", "--url", server.url).exit_code == 1
    told = run("whoami", "--url", server.url, "--api-key", server.admin_key)
    assert told.stdout == "ops (service): admin.\n"


def test_a_file_that_others_may_read_is_not_used() -> None:
    session_file.keep("http://127.0.0.1:1", "cls_x")
    session_file.path().chmod(0o644)
    with pytest.raises(StoreError):
        session_file.session_of("http://127.0.0.1:1")


@pytest.mark.parametrize("arguments", [[], ["--url", "U", "--name", "a", "--provider", "b"]])
def test_a_login_names_a_server_and_one_way_in(arguments: list[str], run: Invoke) -> None:
    assert run("login", *arguments).exit_code == 2


def test_a_server_without_a_provider_says_so(run: Invoke, server: Server) -> None:
    told = run("login", "--url", server.url)
    assert told.exit_code == 2
    assert "--name" in told.stderr


@pytest.mark.servers
def test_the_browser_comes_back_to_the_command_that_waits(
    identity_provider: Provider, tmp_path: Path, home: Path
) -> None:
    made = make_server(tmp_path / "store")
    made.directory = tmp_path
    (tmp_path / "clearance.yaml").write_text(
        "login:\n"
        "  - provider: company\n"
        f"    issuer: {identity_provider.issuer}\n"
        "    client_id: clearance-public\n"
        f"    redirect_uri: {made.url}/v1/login/company/callback\n"
        "    roles: {platform-admins: admin}\n"
    )
    identity_provider.may_return_to(f"{made.url}/v1/login/company/callback")
    made.start()
    command = [sys.executable, "-m", "clearance", "login", "--url", made.url, "--no-browser"]
    waiting = subprocess.Popen(
        command, cwd=home, env=dict(os.environ), stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True
    )
    try:
        assert waiting.stderr is not None
        found = re.search(r"http://\S+", waiting.stderr.readline())
        assert found
        with httpx.Client(timeout=20) as browser:
            begun = browser.get(found[0])
            back = identity_provider.log_in(browser, begun.headers["location"], "alice")
            onward = browser.get(back.headers["location"]).headers["location"]
            assert onward.startswith("http://127.0.0.1:")
            assert httpx.get(onward.replace("code=", "nothing=")).status_code == 404
            assert "logged in" in browser.get(onward).text
        out, _ = waiting.communicate(timeout=30)
        assert out == "Logged in as alice: admin.\n"
        bearer = {"authorization": f"Bearer {session_file.session_of(made.url)}"}
        assert httpx.get(f"{made.url}/v1/me", headers=bearer).json()["name"] == "alice"
    finally:
        waiting.kill()
        waiting.wait()
        for pipe in (waiting.stdout, waiting.stderr):
            if pipe is not None:
                pipe.close()
        made.stop()
