"""The same waiting client against a real server: sync and async, through restarts; what people are sent."""

from __future__ import annotations

import asyncio
import base64
import json
import threading
import time
from collections.abc import Iterator
from pathlib import Path

import httpx
import pytest
from standardwebhooks.webhooks import Webhook

from clearance import ApprovalError, ApprovalRequiredError, Client, ConfigurationError, guard
from clearance.core.model import HoldStatus
from clearance.errors import NotFoundError, UnreachableError
from tests.conftest import Server, make_server
from tests.doors.approvers import ASKS, held
from tests.servers.receiver import receiving

pytestmark = pytest.mark.servers

SECRET = "whsec_" + base64.b64encode(b"w" * 32).decode()


@pytest.fixture(scope="module")
def admin(server: Server) -> Iterator[httpx.Client]:
    with server.http(admin=True) as http:
        http.post("/v1/policies", json={"name": "ask_mail", **ASKS})
        yield http


@pytest.fixture(scope="module")
def agent(server: Server, admin: httpx.Client) -> Iterator[Client]:
    with Client(url=server.url, api_key=server.agent_key) as client:
        yield client


def answer(http: httpx.Client, hold_id: str, verb: str = "approve") -> httpx.Response:
    shown = http.get(f"/v1/holds/{hold_id}").json()["shown_hash"]
    return http.post(f"/v1/holds/{hold_id}/{verb}", json={"shown": shown})


def answer_next(server: Server, *, run_id: str = "", after: float = 0.3) -> threading.Thread:
    """Somebody sees the next hold, and says yes."""

    def watch() -> None:
        with server.http(admin=True) as http:
            while not (found := http.get(f"/v1/holds?status=pending&run_id={run_id}").json()["holds"]):
                time.sleep(0.02)
            time.sleep(after)
            assert answer(http, found[0]["hold_id"]).status_code == 200

    thread = threading.Thread(target=watch, daemon=True)
    thread.start()
    return thread


def test_a_held_call_raises_and_goes_on_once_it_is_approved(agent: Client, admin: httpx.Client) -> None:
    with agent.run("letters") as run:
        with pytest.raises(ApprovalRequiredError) as caught:
            run.call("send_email", lambda to: to, {"to": "a"})
        assert agent.wait(caught.value.hold_id, 0.1).status is HoldStatus.PENDING
        assert answer(admin, caught.value.hold_id).status_code == 200
        assert agent.wait(caught.value.hold_id, 10).status is HoldStatus.APPROVED
        assert run.call("send_email", lambda to: f"sent {to}", {"to": "a"}) == "sent a"
    [listed] = agent.holds(run_id=run.run_id)
    assert listed.status is HoldStatus.TAKEN


def test_a_call_waits_for_the_yes(server: Server, agent: Client) -> None:
    @guard(client=agent, wait_for_approval_seconds=20)
    def send_email(to: str) -> str:
        return f"sent {to}"

    with agent.run("letters") as run:
        answering = answer_next(server, run_id=run.run_id)
        assert send_email("a@b.example") == "sent a@b.example"
        answering.join(timeout=5)


async def test_an_async_call_waits_while_the_loop_goes_on(server: Server, agent: Client) -> None:
    async with (
        Client(url=server.url, api_key=server.agent_key, wait_for_approval_seconds=20) as client,
        client.run("letters") as run,
    ):

        async def send(to: str) -> str:
            return f"sent {to}"

        answer_next(server, run_id=run.run_id, after=0.5)
        call = asyncio.create_task(run.acall("send_email", send, {"to": "a"}))
        beats = 0
        while not call.done():
            beats += 1
            await asyncio.sleep(0.01)
        assert await call == "sent a"
        assert beats > 20


def test_a_run_is_joined_again_from_another_process(
    server: Server, agent: Client, admin: httpx.Client
) -> None:
    with pytest.raises(ApprovalRequiredError) as caught, agent.run("letters") as run:
        run.call("send_email", lambda to: to, {"to": "b"})
    answer(admin, caught.value.hold_id)
    with Client(url=server.url, api_key=server.agent_key) as reborn:
        with reborn.run(run_id=run.run_id) as again:
            assert again.goal == "letters"
            assert again.call("send_email", lambda to: f"sent {to}", {"to": "b"}) == "sent b"
        with pytest.raises(NotFoundError), reborn.run(run_id="run_none"):
            raise AssertionError


def test_an_agent_cannot_answer_and_is_told_so_by_code(server: Server, admin: httpx.Client) -> None:
    with server.http() as http:
        told = held(http)
    from clearance.config import load_settings
    from clearance.core.model import HoldView
    from clearance.sdk.remote import RemoteBackend

    backend = RemoteBackend(load_settings(url=server.url, api_key=server.admin_key))
    with pytest.raises(ApprovalError) as caught:
        backend.ask("POST", f"/v1/holds/{told['hold_id']}/approve", {"shown": "x"}, HoldView)
    assert caught.value.reason == "approval_mismatch"
    backend.close()


def test_a_wait_goes_on_through_a_restart_and_ends_when_nobody_is_there(
    tmp_path_factory: pytest.TempPathFactory,
) -> None:
    own = make_server(tmp_path_factory.mktemp("restart") / "store")
    own.start()
    with own.http(admin=True) as admin, own.http() as agent:
        admin.post("/v1/policies", json={"name": "ask_mail", **ASKS})
        told = held(agent)
    with Client(url=own.url, api_key=own.agent_key) as client:

        def restart() -> None:
            time.sleep(0.3)
            own.kill()
            own.start()
            with own.http(admin=True) as http:
                answer(http, told["hold_id"])

        restarting = threading.Thread(target=restart)
        restarting.start()
        assert client.wait(told["hold_id"], 30).status is HoldStatus.APPROVED
        restarting.join()
        own.kill()
        began = time.monotonic()
        with pytest.raises(UnreachableError):
            client.wait(told["hold_id"], 1)
        assert time.monotonic() - began < 5


def test_people_are_sent_a_hold_and_its_end_and_a_restart_loses_neither(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("HOOK_SECRET", SECRET)
    own = make_server(tmp_path / "store")
    with receiving() as receiver:
        notices = {
            "name": "ops",
            "url": receiver.url,
            "secret_env": "HOOK_SECRET",
            "link": "https://console.example/holds/{hold_id}",
        }
        (tmp_path / "clearance.yaml").write_text(json.dumps({"notices": [notices]}))
        own.start()
        with own.http(admin=True) as admin, own.http() as agent:
            admin.post("/v1/policies", json={"name": "ask_mail", **ASKS})
            told = held(agent)
            [(headers, body)] = receiver.wait_for(1)
            first = Webhook(SECRET).verify(body, headers)
            assert (first["type"], first["data"]["hold_id"]) == ("hold_opened", told["hold_id"])
            assert first["data"]["link"] == f"https://console.example/holds/{told['hold_id']}"
            assert first["data"]["shown"]["arguments"]["password"] == "[redacted:password]"
            assert b"hunter2-planted" not in body
            receiver.status = 503  # away while somebody answers …
            assert answer(admin, told["hold_id"], "deny").status_code == 200
            receiver.wait_for(2)
            time.sleep(1)  # it notes that this was not taken …
            own.kill()  # … and the server dies before it can try again
            receiver.status = 204
            own.start()
            headers, body = receiver.wait_for(3)[-1]
            ended = Webhook(SECRET).verify(body, headers)
            assert (ended["type"], ended["data"]["status"]) == ("hold_closed", "denied")
            assert (
                headers["webhook-id"] == receiver.got[1][0]["webhook-id"] != receiver.got[0][0]["webhook-id"]
            )
        own.stop()


@pytest.mark.parametrize(
    "notices",
    ["yes", [{"name": "ops"}], [{"name": "ops", "url": "https://x.example", "unknown": 1}]],
)
def test_notices_that_cannot_be_read_are_a_problem_of_the_configuration(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, notices: object
) -> None:
    monkeypatch.chdir(tmp_path)
    (tmp_path / "clearance.yaml").write_text(json.dumps({"notices": notices}))
    with pytest.raises(ConfigurationError):
        Client(tmp_path / "store")
