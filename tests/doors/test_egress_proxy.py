"""The egress proxy of a real server process, with its settings in clearance.yaml."""

from __future__ import annotations

import re
import ssl
import subprocess
import sys
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import httpx
import pytest

from tests.conftest import Server, make_server
from tests.doors.approvers import http_of, token_of
from tests.servers.certificates import TestAuthority
from tests.servers.process import free_port
from tests.servers.web import Web, web_server

pytestmark = pytest.mark.servers  # takes its time


@dataclass
class Door:
    server: Server
    port: int
    web: Web  # https, intercepted as api.localhost
    plain: Web
    ca: Path

    def proxied(self, key: str = "", run_id: str = "") -> httpx.Client:
        proxy = f"http://{run_id}:{key or self.server.agent_key}@127.0.0.1:{self.port}"
        verify = ssl.create_default_context(cafile=str(self.ca))
        return httpx.Client(proxy=proxy, verify=verify, trust_env=False, timeout=10)


@pytest.fixture(scope="module")
def door(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Door]:
    directory = tmp_path_factory.mktemp("egress")
    authority, port = TestAuthority(directory), free_port()
    (directory / "secret").write_text("planted-credential-1\n")
    with web_server(authority.server("localhost")) as web, web_server() as plain:
        (directory / "clearance.yaml").write_text(
            f"""
egress:
  port: {port}
  private: [127.0.0.0/8, "::1/128"]
  ports: [{web.port}, {plain.port}]
  intercept: [localhost]
  ca_file: {authority.file}
  credentials:
    - {{host: localhost, header: x-api-key, value_file: {directory}/secret}}
"""
        )
        server = make_server(directory / "store")
        server.directory = directory
        server.start()
        try:
            yield Door(server, port, web, plain, directory / "store/ca/clearance-egress-ca.pem")
        finally:
            assert server.stop() == 0


def test_a_request_is_one_action_of_its_named_run_and_gets_its_credential(door: Door) -> None:
    with door.server.http() as http, http_of(door.server, door.server.admin_key) as admin:
        run_id = http.post("/v1/runs", json={"goal": "fetch"}).json()["run_id"]
        with door.proxied(run_id=run_id) as client:
            assert client.get(f"https://localhost:{door.web.port}/inside").status_code == 200
            assert client.get(f"http://127.0.0.1:{door.plain.port}/plain").status_code == 200
        assert door.web.seen[-1]["headers"]["x-api-key"] == "planted-credential-1"
        assert "x-api-key" not in door.plain.seen[-1]["headers"]
        trace = admin.get(f"/v1/runs/{run_id}/trace").json()["records"]
        assert [record["kind"] for record in trace] == ["run_started", *["intent", "outcome"] * 2]
        assert {record["tool"] for record in trace[1:]} == {"http_request"}
        assert "planted-credential-1" not in str(trace)


def test_a_held_request_goes_through_once_after_approval_over_http(door: Door) -> None:
    from clearance.core.model import Role

    with http_of(door.server, door.server.admin_key) as admin:
        rule = {"name": "ask", "rule": "require_approval", "condition": {"resource_pattern": "*/pay"}}
        assert admin.post("/v1/policies", json=rule).status_code < 300
        url = f"http://127.0.0.1:{door.plain.port}/pay"
        before = len(door.plain.seen)
        with (
            door.proxied() as client,
            http_of(door.server, token_of(door.server, "ann", Role.APPROVER)) as ann,
        ):
            held = client.post(url, content=b"amount=5")
            assert (held.status_code, held.headers["clearance-reason"]) == (403, "approval_required")
            hold_id = held.headers["clearance-hold"]
            shown = ann.get(f"/v1/holds/{hold_id}").json()
            yes = {"shown": shown["shown_hash"]}
            assert ann.post(f"/v1/holds/{hold_id}/approve", json=yes).status_code == 200
            assert client.post(url, content=b"amount=6").status_code == 403
            assert client.post(url, content=b"amount=5").status_code == 200
            assert client.post(url, content=b"amount=5").status_code == 403
        assert [each["body"] for each in door.plain.seen[before:]] == ["amount=5"]


def test_the_control_point_is_not_reached_through_its_own_proxy(door: Door) -> None:
    with door.proxied() as client:
        for port in (door.server.port, door.port):
            answer = client.get(f"http://127.0.0.1:{port}/healthz")
            assert (answer.status_code, answer.headers["clearance-reason"]) == (403, "destination_port")


def test_the_certificate_is_shown_and_its_key_is_not(door: Door) -> None:
    command = [sys.executable, "-m", "clearance", "--store", str(door.server.store), "egress", "ca"]
    shown = subprocess.run(command, capture_output=True, text=True, cwd=door.server.directory, check=True)
    assert Path(shown.stdout.strip()) == door.ca.resolve()
    pem = subprocess.run(
        [*command, "--pem"], capture_output=True, text=True, cwd=door.server.directory, check=True
    )
    assert pem.stdout.strip() == door.ca.read_text().strip()
    assert "PRIVATE" not in pem.stdout


def test_a_server_whose_proxy_cannot_be_opened_does_not_start(tmp_path: Path) -> None:
    (tmp_path / "clearance.yaml").write_text(
        "egress: {port: 8701, intercept: [a.example],"
        " credentials: [{host: a.example, value_env: NOT_SET_ANYWHERE}]}\n"
    )
    command = [sys.executable, "-m", "clearance", "--store", "store", "serve", "--port", str(free_port())]
    done = subprocess.run(command, capture_output=True, text=True, cwd=tmp_path, timeout=60, check=False)
    assert done.returncode == 1, done.stderr
    assert "NOT_SET_ANYWHERE" in done.stderr


def test_what_passes_is_counted(door: Door) -> None:
    with door.proxied() as client:
        assert client.get(f"http://127.0.0.1:{door.plain.port}/plain").status_code == 200
    with door.server.http(admin=True) as admin:
        page = admin.get("/metrics").text
    assert 'clearance_open{door="egress_proxy"}' in page
    [received] = re.findall(
        r'^clearance_bytes_total\{direction="received",door="egress_proxy"\} (\S+)', page, re.M
    )
    assert float(received) > 0
