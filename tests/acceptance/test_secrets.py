"""Credentials of every kind, planted through every door: none is stored, logged or answered."""

from __future__ import annotations

import os
import re
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import httpx
import pytest
import yaml

from clearance import Client
from tests.conftest import Server, make_server
from tests.doors.approvers import http_of

pytestmark = [pytest.mark.acceptance, pytest.mark.servers]
PLANTED = "planted0secret0value"
JWT = f"eyJhbGciOiJSUzI1NiJ9.eyJzdWIiOiJhbGljZSJ9.{PLANTED}AAAA"
TEXTS = {
    "agent key": f"clr_0123456789ab_{PLANTED}AAAA",
    "service token": f"clt_0123456789ab_{PLANTED}BBBB",
    "session": f"cls_0123456789ab_{PLANTED}CCCC",
    "delegation": f"cld_0123456789ab_{PLANTED}DDDD",
    "access token": JWT,
    "bearer": f"Bearer {PLANTED}",
    "basic": f"Authorization: Basic {PLANTED}",
    "assignment": f"password={PLANTED}",
    "client secret": f"client_secret={PLANTED}",
    "DSN": f"postgres://app:{PLANTED}@db.example/shop",
}
FREE = "look: " + "; ".join(TEXTS.values())
NAMED = {
    "password": PLANTED,
    "client_secret": PLANTED,
    "webhook_secret": PLANTED,
    "authorization": f"Basic {PLANTED}",
    "nested": {"api_key": PLANTED, "list": [{"token": PLANTED}]},
}
PASSWORD = f"{PLANTED} as a password"
READ = (
    *("/v1/runs", "/v1/records", "/v1/agents", "/v1/agents/scout", "/v1/agents/scout/keys", "/v1/people"),
    *("/v1/tokens", "/v1/sessions", "/v1/holds", "/v1/grants", "/v1/brake", "/v1/audit", "/v1/policies"),
    *("/v1/policies/versions", "/v1/systems", "/v1/runs/administration/trace", "/healthz", "/readyz"),
)
ASK = {"name": "ask", "rule": "require_approval", "condition": {"tool": "pay_out"}}


class House:
    """A server, everything it said, and every text that may be said to nobody but once."""

    def __init__(self, server: Server) -> None:
        self.server = server
        self.said: list[str] = []
        self.shown_once = [server.agent_key, server.admin_key]
        self.admin = self.client(server.admin_key)
        self.agent = self.client(server.agent_key)

    def client(self, key: str) -> httpx.Client:
        return http_of(self.server, key)

    def ask(self, who: httpx.Client, method: str, path: str, **given: Any) -> Any:
        answer = who.request(method, path, **given)
        self.said.append(answer.text)
        return answer.json()

    def secret(self, who: httpx.Client, path: str, body: dict[str, Any]) -> str:
        """What is shown in this one answer and never again."""
        answer = who.post(path, json=body)
        [text] = re.findall(r'"(cl[rdts]_[0-9a-f]+_[\w-]+)"', answer.text)
        self.shown_once.append(text)
        self.said.append(answer.text.replace(text, ""))
        return str(text)

    def leaks(self, text: str) -> list[str]:
        """Each planted or issued secret that a text holds. Of those issued, the random part alone."""
        wanted = [PLANTED, *(one.split("_", 2)[2] for one in self.shown_once)]
        return [one for one in wanted if one in text]


@pytest.fixture(scope="module")
def house(tmp_path_factory: pytest.TempPathFactory) -> Iterator[House]:
    directory = tmp_path_factory.mktemp("secrets")
    (directory / "webhook").write_text(f"whsec_{PLANTED}AAAAAAAAAAAA")
    hook = {"name": "desk", "url": "http://127.0.0.1:9/hook", "secret_file": str(directory / "webhook")}
    (directory / "clearance.yaml").write_text(yaml.safe_dump({"notices": [hook]}))
    server = make_server(directory / "store")
    server.directory = directory
    server.start()
    house = House(server)
    yield house
    if server.process is not None:
        server.stop()


def plant_by_http(house: House) -> None:
    admin, agent = house.admin, house.agent
    house.ask(admin, "POST", "/v1/policies", json=ASK)
    for text in TEXTS.values():
        leaky = {"name": "leaky", "rule": "alert", "condition": {"tool": "x"}, "message": text}
        refused = house.ask(admin, "POST", "/v1/policies", json=leaky)
        assert refused["error"]["problems"][0]["code"] == "secret_in_policy", refused
    told = {"owner": FREE[:150], "team": TEXTS["assignment"], "purpose": FREE, "version": TEXTS["bearer"]}
    house.ask(admin, "POST", "/v1/agents", json={"name": "scout", **told})
    house.ask(admin, "PATCH", "/v1/agents/scout", json={"purpose": f"{FREE} again"})
    key = house.secret(admin, "/v1/agents/scout/keys", {"label": TEXTS["agent key"]})
    house.secret(agent, "/v1/delegations", {"to": "scout", "seconds": 60})
    house.ask(admin, "POST", "/v1/people", json={"name": "vera", "password": PASSWORD, "roles": ["approver"]})
    house.ask(admin, "POST", "/v1/people", json={"name": "robot", "source": "service", "roles": ["viewer"]})
    house.secret(admin, "/v1/people/robot/tokens", {"label": TEXTS["service token"]})
    house.secret(httpx.Client(base_url=house.server.url), "/v1/login", {"name": "vera", "password": PASSWORD})
    plant_actions(house, agent, house.client(key))
    stop = {"level": "paused", "reason": FREE, "seconds": 600}
    house.ask(admin, "PUT", "/v1/brake/agent/other", json=stop)
    house.ask(admin, "GET", "/v1/brake")
    house.ask(admin, "DELETE", "/v1/brake/agent/other", params={"reason": FREE[:300]})
    glass = {"agent": "other", "tools": ["x"], "reason": FREE, "seconds": 60}
    house.ask(admin, "POST", "/v1/break-glass", json=glass)


def plant_actions(house: House, agent: httpx.Client, scout: httpx.Client) -> None:
    run = house.ask(agent, "POST", "/v1/runs", json={"goal": FREE})["run_id"]
    house.ask(agent, "POST", f"/v1/runs/{run}/notes", json={"text": FREE})
    body = {
        "action": "pay_out",
        "resource": [TEXTS["DSN"], f"https://x.example/?token={PLANTED}"],
        "arguments": {**NAMED, "free": FREE, "key": {TEXTS["agent key"]: 1}},
        "payload": NAMED,
        "facts": {"note": FREE},
        "run_id": run,
        "goal": FREE,
    }
    held = house.ask(agent, "POST", "/v1/actions", json=body)
    other = house.ask(scout, "POST", "/v1/actions", json={**body, "run_id": ""})
    for one, verb in ((held, "approve"), (other, "deny")):
        view = house.ask(house.admin, "GET", f"/v1/holds/{one['hold_id']}")
        reply = {"shown": view["shown_hash"], "reason": FREE}
        house.ask(house.admin, "POST", f"/v1/holds/{one['hold_id']}/{verb}", json=reply)
    cleared = house.ask(agent, "POST", "/v1/actions", json={**body, "hold_id": held["hold_id"]})
    assert cleared["effect"] == "allow", cleared
    report = {"status": "failed", "error": FREE, "result": {**NAMED, "rows": [FREE]}}
    house.ask(agent, "POST", f"/v1/actions/{cleared['action_id']}/outcome", json=report)
    grant = {"agent": "billing", "tool": "pay_out", "reason": FREE, "resources": ["*"]}
    house.ask(house.admin, "POST", "/v1/grants", json=grant)
    house.ask(agent, "POST", "/v1/actions", json={**body, "action": "drop_table", "facts": {}})
    house.ask(agent, "POST", f"/v1/runs/{run}/end", json={"status": "failed", "error": FREE})


def ask_wrongly(house: House) -> None:
    """Requests that fail, with secrets wherever an error might repeat them."""
    for text in TEXTS.values():
        house.ask(house.admin, "POST", "/v1/policies", json={"name": text, "rule": text, "condition": text})
        house.ask(house.agent, "POST", "/v1/actions", json={"action": "x", text: 1})
        house.ask(house.agent, "POST", "/v1/actions", json={"action": "x", "operation": text})
        house.ask(house.agent, "POST", "/v1/actions", json={"action": "x", "hold_id": text, "run_id": text})
        house.ask(house.agent, "POST", "/v1/actions", content=f'{{"action": "{text}')
        house.ask(house.agent, "GET", "/v1/records", params={text: "x", "limit": text})
        house.ask(house.agent, "GET", f"/v1/runs/{PLANTED}/trace")
        house.ask(house.admin, "PUT", f"/v1/brake/{PLANTED}/x", json={"level": "paused", "reason": "odd"})
        for header in ("Authorization", "Clearance-Delegation", "X-Forwarded-Client-Cert", "Cookie"):
            sent = f"Bearer {text}" if header == "Authorization" else text
            house.ask(httpx.Client(base_url=house.server.url), "GET", "/v1/me", headers={header: sent})
    for body in ({"name": "vera", "password": f"wrong {PLANTED}"}, {"name": PLANTED, "password": "x"}):
        house.ask(httpx.Client(base_url=house.server.url), "POST", "/v1/login", json=body)


def read_all(house: House) -> None:
    for path in READ:
        house.ask(house.admin, "GET", path)
    for run in house.ask(house.admin, "GET", "/v1/runs")["runs"]:
        house.ask(house.admin, "GET", f"/v1/runs/{run['run_id']}/trace")


def plant_by_sdk(house: House) -> None:
    with Client(house.server.store, agent="embedded") as client, client.run(goal=FREE) as run:
        result = client.check("read", resource="archive", arguments={**NAMED, "free": FREE})
        house.said.append(repr(result))
        house.said += [repr(record) for record in client.trace(run.run_id)]


def by_command(house: House) -> None:
    for words in (
        ["runs"],
        ["holds"],
        ["agent", "list"],
        ["agent", "show", "scout"],
        ["audit"],
        ["brake"],
        ["person", "list"],
        ["trace", TEXTS["session"]],
        ["approve", TEXTS["agent key"]],
        ["agent", "add", "robotic", "--purpose", FREE],
        ["agent", "show", "robotic"],
    ):
        command = [sys.executable, "-m", "clearance", "--store", str(house.server.store), *words]
        done = subprocess.run(
            command,
            check=False,
            capture_output=True,
            text=True,
            stdin=subprocess.DEVNULL,
            env=dict(os.environ),
        )
        assert "Traceback" not in done.stderr, done.stderr
        house.said.append(done.stdout + done.stderr)


def test_no_planted_secret_is_in_the_store_a_log_an_answer_or_a_command(house: House) -> None:
    plant_by_http(house)
    ask_wrongly(house)
    plant_by_sdk(house)
    by_command(house)
    read_all(house)
    process = house.server.process
    assert process is not None
    process.kill()  # what is in the WAL stays there
    process.wait(timeout=10)
    assert process.stderr is not None
    log = process.stderr.read().decode()
    house.server.process = None
    assert house.leaks(log) == []
    leaking = [text for text in house.said if house.leaks(text)]
    assert "\n".join(near(text, house) for text in leaking) == ""
    store = Path(house.server.store)
    files = [path for path in [store, *store.rglob("*")] if path.is_file()]
    assert any(path.stat().st_size for path in files)
    leaking = [path.read_bytes().decode("latin-1") for path in files]
    assert "\n".join(near(text, house) for text in leaking if house.leaks(text)) == ""


def near(text: str, house: House) -> str:
    """How it begins, and what stands around each secret."""
    hits = [hit for one in house.leaks(text) for hit in list(re.finditer(re.escape(one), text))[:6]]
    return f"{text[:60]!r}: " + " | ".join(repr(text[max(0, h.start() - 90) : h.end() + 10]) for h in hits)
