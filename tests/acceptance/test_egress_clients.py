"""Programs that know nothing of Clearance, through the egress proxy: curl, Python, node, git and pip."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from tests.conftest import Server, make_server
from tests.doors.approvers import http_of
from tests.servers.certificates import TestAuthority
from tests.servers.npm import modules, node
from tests.servers.process import free_port, missing
from tests.servers.repositories import repositories
from tests.servers.web import Web, web_server

UNDICI = Path(__file__).parents[1] / "servers/undici"
TRUST = (
    "SSL_CERT_FILE",
    "REQUESTS_CA_BUNDLE",
    "NODE_EXTRA_CA_CERTS",
    "GIT_SSL_CAINFO",
    "PIP_CERT",
    "CURL_CA_BUNDLE",
)
pytestmark = [pytest.mark.acceptance, pytest.mark.servers]

BLOCKED = {
    "name": "no_deletes_or_secrets",
    "rule": "block",
    "condition": {
        "any": [{"tool": "http_request", "operation": "delete"}, {"resource_pattern": "*/secret*"}]
    },
    "message": "That is not for you.",
}


@dataclass
class Scene:
    """`inside` is https that is intercepted (localhost), `tunnelled` https that is not (127.0.0.1)."""

    server: Server
    directory: Path
    proxy: str
    plain: Web
    inside: Web
    tunnelled: Web
    repositories: int
    bundle: Path

    def run(
        self, *command: str | Path, cwd: Path | None = None, **more: str
    ) -> subprocess.CompletedProcess[str]:
        """With nothing set but what `clearance run` would set, too."""
        proxies = dict.fromkeys(("http_proxy", "https_proxy", "HTTP_PROXY", "HTTPS_PROXY"), self.proxy)
        trust = dict.fromkeys(TRUST, str(self.bundle))
        home = {"HOME": str(self.directory), "PATH": os.environ["PATH"], "NO_PROXY": "", "no_proxy": ""}
        return subprocess.run(
            [str(part) for part in command],
            env={**home, **proxies, **trust, **more},
            cwd=cwd or self.directory,
            capture_output=True,
            text=True,
            timeout=120,
            check=False,
        )

    def urls(self) -> list[str]:
        return [
            f"http://127.0.0.1:{self.plain.port}/ok",
            f"https://localhost:{self.inside.port}/ok",
            f"https://127.0.0.1:{self.tunnelled.port}/ok",
        ]

    def actions(self) -> list[dict[str, Any]]:
        """Every intent that is recorded, newest first."""
        with http_of(self.server, self.server.admin_key) as admin:
            found: list[dict[str, Any]] = admin.get("/v1/records?kind=intent&limit=1000").json()["records"]
            return found


@pytest.fixture(scope="module")
def scene(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Scene]:
    directory = tmp_path_factory.mktemp("clients")
    authority, port = TestAuthority(directory), free_port()
    with (
        web_server() as plain,
        web_server(authority.server("localhost")) as inside,
        web_server(authority.server("127.0.0.1")) as tunnelled,
        repositories(directory) as repository_port,
    ):
        ports = [plain.port, inside.port, tunnelled.port, repository_port]
        (directory / "clearance.yaml").write_text(
            f"egress:\n  port: {port}\n  private: [127.0.0.0/8, '::1/128']\n  ports: {ports}\n"
            f"  intercept: [localhost]\n  ca_file: {authority.file}\n"
        )
        server = make_server(directory / "store")
        server.directory = directory
        server.start()
        bundle = directory / "bundle.pem"
        ours = (directory / "store/ca/clearance-egress-ca.pem").read_text()
        bundle.write_text(authority.file.read_text() + ours)
        with http_of(server, server.admin_key) as admin:
            assert admin.post("/v1/policies", json=BLOCKED).status_code < 300
        proxy = f"http://-:{server.agent_key}@127.0.0.1:{port}"
        try:
            yield Scene(server, directory, proxy, plain, inside, tunnelled, repository_port, bundle)
        finally:
            assert server.stop() == 0


def program(name: str) -> str:
    found = shutil.which(name)
    if found is None:
        missing(name, f"apt-get install {name}")
    assert found is not None
    return found


def test_curl_reaches_what_is_allowed_and_is_told_what_is_not(scene: Scene) -> None:
    curl = program("curl")
    for url in scene.urls():
        done = scene.run(curl, "-sS", "--fail", url)
        assert json.loads(done.stdout)["path"] == "/ok", done.stderr
    for url in scene.urls()[:2]:
        refused = scene.run(curl, "-sS", "-X", "DELETE", url)
        assert refused.stdout == "Refused by Clearance: That is not for you. [policy_block]\n"
    posted = scene.run(curl, "-sS", "-d", "a=b", "-H", "Expect: 100-continue", scene.urls()[1])
    assert json.loads(posted.stdout)["body"] == "a=b"
    upload = scene.directory / "upload"
    upload.write_bytes(os.urandom(3_000_000))
    sent = scene.run(curl, "-sS", "-T", upload, "-H", "Transfer-Encoding: chunked", scene.urls()[1])
    assert len(json.loads(sent.stdout)["body"]) == 3_000_000
    socket = scene.run(
        curl, "-sS", "-i", "-H", "Upgrade: websocket", "-H", "Connection: upgrade", scene.urls()[0]
    )
    assert "clearance-reason: upgrade_refused" in socket.stdout
    stolen = scene.run(curl, "-sS", "--proxy", scene.proxy.replace(":clr_", ":clr_x"), scene.urls()[0], "-i")
    assert stolen.stdout.startswith("HTTP/1.1 407")


PYTHON = """
import sys, requests, httpx
for url in sys.argv[1:]:
    for client in (requests, httpx):
        assert client.get(url).json()["path"] == "/ok", url
        assert client.post(url, json={"a": 1}).json()["method"] == "POST"
for client in (requests.Session(), httpx.Client()):
    for _ in range(3):
        assert client.get(sys.argv[2]).status_code == 200
    refused = client.delete(sys.argv[2], headers={"accept": "application/json"})
    assert (refused.status_code, refused.json()["error"]["code"]) == (403, "policy_block")
try:
    requests.get(sys.argv[3].replace("127.0.0.1", "10.0.0.1"))
except requests.exceptions.ProxyError as error:
    assert "403 destination_private" in str(error), error
print("done")
"""


def test_python_reaches_it_by_requests_and_by_httpx(scene: Scene) -> None:
    done = scene.run(sys.executable, "-c", PYTHON, *scene.urls())
    assert done.stdout == "done\n", done.stderr


FETCH = """
import { fetch, ProxyAgent, setGlobalDispatcher } from "undici";
const proxy = new URL(process.env.HTTPS_PROXY);
const token = "Basic " + Buffer.from(`${proxy.username}:${proxy.password}`).toString("base64");
setGlobalDispatcher(new ProxyAgent({ uri: proxy.origin, token, proxyTunnel: false }));
for (const url of process.argv.slice(2)) {
  const answer = await fetch(url, { method: "POST", body: "a=b" });
  if ((await answer.json()).body !== "a=b") throw new Error(url);
  const refused = await fetch(url, { method: "DELETE" });
  if (url.startsWith("https://localhost") && refused.status !== 403) throw new Error(String(refused.status));
}
console.log("done");
"""


def test_node_reaches_it_by_fetch(scene: Scene) -> None:
    script = scene.directory / "fetch.mjs"
    script.write_text(FETCH)
    (scene.directory / "node_modules").symlink_to(modules(UNDICI))
    done = scene.run(node(), script, *scene.urls()[1:])
    assert done.stdout == "done\n", done.stderr


def test_git_clones_and_pushes(scene: Scene) -> None:
    git, url = program("git"), f"http://127.0.0.1:{scene.repositories}/probe.git"
    cloned = scene.run(git, "clone", "-q", url, "clone")
    assert cloned.returncode == 0, cloned.stderr
    work = scene.directory / "clone"
    identity = ["-c", "user.name=t", "-c", "user.email=t@example.org"]
    (work / "large").write_bytes(os.urandom(2_000_000))
    for command in (["add", "."], ["commit", "-q", "-m", "two"], ["push", "-q"]):
        done = scene.run(git, *identity, *command, cwd=work)
        assert done.returncode == 0, done.stderr
    seen = [action for action in scene.actions() if "probe.git" in json.dumps(action)]
    assert {"read", "send"} <= {action["operation"] for action in seen}


def test_pip_downloads(scene: Scene) -> None:
    index = f"http://127.0.0.1:{scene.repositories}/simple/"
    pip = [
        sys.executable,
        "-m",
        "pip",
        "--isolated",
        "--disable-pip-version-check",
        "download",
        "--no-cache-dir",
    ]
    done = scene.run(*pip, "--proxy", scene.proxy, "--index-url", index, "-d", "wheels", "clearance-probe")
    assert done.returncode == 0, done.stderr
    assert [path.name for path in (scene.directory / "wheels").iterdir()] == [
        "clearance_probe-1.0-py3-none-any.whl"
    ]


def test_all_of_it_is_in_one_run_of_the_agent(scene: Scene) -> None:
    assert scene.run(program("curl"), "-sS", *scene.urls()).returncode == 0
    actions = scene.actions()
    assert {action["tool"] for action in actions[:3]} == {"http_request", "http_tunnel"}
    assert len({action["run_id"] for action in actions if action["agent"] == "billing"}) == 1
