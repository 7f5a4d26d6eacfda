"""Holds over HTTP: read, waited for, followed and answered, against a real server process."""

from __future__ import annotations

import json
import threading
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from datetime import timedelta
from typing import Any

import httpx
import pytest
from msgspec.structs import replace

from clearance.adapters.store import SqliteState
from clearance.core.model import Role
from clearance.wiring import utc_now
from tests.conftest import Server, make_server
from tests.doors.approvers import ASKS, again, agent_key_of, held, http_of, token_of

pytestmark = pytest.mark.servers


@pytest.fixture(scope="module")
def admin(server: Server) -> Iterator[httpx.Client]:
    with server.http(admin=True) as http:
        assert http.post("/v1/policies", json={"name": "ask_mail", **ASKS}).status_code == 201
        yield http


@pytest.fixture(scope="module")
def agent(server: Server, admin: httpx.Client) -> Iterator[httpx.Client]:
    with server.http() as http:
        yield http


@pytest.fixture(scope="module")
def alice(server: Server, admin: httpx.Client) -> Iterator[httpx.Client]:
    with http_of(server, token_of(server, "alice", Role.APPROVER)) as http:
        yield http


def shown_of(person: httpx.Client, hold_id: str) -> str:
    shown: str = person.get(f"/v1/holds/{hold_id}").json()["shown_hash"]
    return shown


def answer(person: httpx.Client, hold_id: str, verb: str = "approve", **more: str) -> httpx.Response:
    shown = more.pop("shown", "") or shown_of(person, hold_id)
    return person.post(f"/v1/holds/{hold_id}/{verb}", json={"shown": shown, **more})


def test_a_held_action_tells_the_agent_what_to_do(agent: httpx.Client) -> None:
    told = held(agent)
    assert (told["effect"], told["reasons"][0]["code"]) == ("deny", "approval_required")
    message = told["reasons"][0]["message"]
    assert told["hold_id"] in message
    assert "send the same call again with hold_id=" in message
    assert "somebody with the role approver (policy ask_mail)" in message
    assert "UTC" in message


def test_an_approved_action_runs_once_under_its_first_id(agent: httpx.Client, alice: httpx.Client) -> None:
    told = held(agent)
    approved = answer(alice, told["hold_id"], reason="agreed")
    assert approved.status_code == 200, approved.text
    assert approved.json()["status"] == "approved"
    assert approved.json()["answers"][0]["by"] == "service:alice"
    cleared = again(agent, told)
    assert (cleared["effect"], cleared["action_id"]) == ("allow", told["action_id"])
    assert agent.get(f"/v1/holds/{told['hold_id']}").json()["status"] == "taken"
    assert again(agent, told)["effect"] == "deny"


def test_an_answer_names_what_was_shown(agent: httpx.Client, alice: httpx.Client) -> None:
    told = held(agent)
    path = f"/v1/holds/{told['hold_id']}/approve"
    for body, status, code in (
        ({}, 400, "missing_field"),
        ({"shown": ""}, 400, "wrong_type"),
        ({"shown": "0" * 64}, 409, "approval_mismatch"),
        ({"shown": "x", "grant": {"most_uses": 5}}, 400, "unknown_field"),
    ):
        refused = alice.post(path, json=body)
        assert (refused.status_code, refused.json()["error"]["code"]) == (status, code), body
    assert agent.get(f"/v1/holds/{told['hold_id']}").json()["status"] == "pending"


def test_a_denied_action_is_refused_and_the_answer_is_final(agent: httpx.Client, alice: httpx.Client) -> None:
    told = held(agent)
    assert answer(alice, told["hold_id"], "deny", reason="wrong").json()["status"] == "denied"
    late = answer(alice, told["hold_id"])
    assert (late.status_code, late.json()["error"]["code"]) == (409, "approval_closed")
    refused = again(agent, told)
    assert refused["reasons"][0]["code"] == "approval_refused"


def test_only_people_who_may_approve_answer(server: Server, agent: httpx.Client, alice: httpx.Client) -> None:
    told = held(agent)
    shown = shown_of(alice, told["hold_id"])
    with http_of(server, token_of(server, "vera", Role.VIEWER)) as viewer:
        for caller in (agent, viewer):
            for verb in ("approve", "deny"):
                refused = answer(caller, told["hold_id"], verb, shown=shown)
                assert (refused.status_code, refused.json()["error"]["code"]) == (403, "forbidden")
            assert caller.post("/v1/grants", json={"agent": "billing", "tool": "x"}).status_code == 403
        assert viewer.get(f"/v1/holds/{told['hold_id']}").status_code == 200


def test_an_agent_sees_its_own_holds_and_nobody_elses(
    server: Server, agent: httpx.Client, alice: httpx.Client
) -> None:
    told = held(agent)
    with http_of(server, agent_key_of(server, "stranger")) as stranger:
        own = held(stranger)
        listed = stranger.get("/v1/holds?agent=billing").json()["holds"]
        assert [hold["hold_id"] for hold in listed] == [own["hold_id"]]
        for path in ("", "?wait=1", "/events"):
            refused = stranger.get(f"/v1/holds/{told['hold_id']}{path}")
            assert (refused.status_code, refused.json()["error"]["code"]) == (404, "not_found")
        assert stranger.get("/v1/grants").status_code == 403
    everybody = {hold["agent"] for hold in alice.get("/v1/holds").json()["holds"]}
    assert everybody >= {"billing", "stranger"}


def test_holds_are_listed_by_status_agent_and_run(agent: httpx.Client, alice: httpx.Client) -> None:
    told = held(agent)
    [one] = alice.get(f"/v1/holds?run_id={told['run_id']}&status=pending&agent=billing").json()["holds"]
    assert one["hold_id"] == told["hold_id"]
    assert alice.get(f"/v1/holds?run_id={told['run_id']}&status=denied").json()["holds"] == []
    assert alice.get("/v1/holds?before=2020-01-01T00:00:00").json()["holds"] == []
    assert len(alice.get("/v1/holds?limit=1").json()["holds"]) == 1
    assert alice.get("/v1/holds?status=maybe").status_code == 400


def test_what_is_shown_holds_no_secret_and_not_the_machine(agent: httpx.Client, alice: httpx.Client) -> None:
    told = held(agent)
    for path in (f"/v1/holds/{told['hold_id']}", "/v1/holds"):
        text = alice.get(path).text
        assert "hunter2-planted" not in text
        assert "mediation" not in text


def test_a_waiting_request_is_answered_within_a_second_of_the_person(
    agent: httpx.Client, alice: httpx.Client
) -> None:
    told = held(agent)
    path = f"/v1/holds/{told['hold_id']}"
    with ThreadPoolExecutor() as threads:
        waiting = threads.submit(agent.get, f"{path}?wait=20")
        time.sleep(0.5)
        assert not waiting.done()
        answered_at = time.monotonic()
        answer(alice, told["hold_id"])
        assert waiting.result(timeout=10).json()["status"] == "approved"
        assert time.monotonic() - answered_at < 1


def test_a_waiting_request_hears_of_an_answer_given_in_another_process(
    server: Server, agent: httpx.Client
) -> None:
    """The command line works on the store itself, beside the server."""
    from click.testing import CliRunner

    from clearance.cli.app import app

    told = held(agent)
    with ThreadPoolExecutor() as threads:
        waiting = threads.submit(agent.get, f"/v1/holds/{told['hold_id']}?wait=20")
        time.sleep(0.3)
        done = CliRunner().invoke(app, ["--store", str(server.store), "approve", told["hold_id"], "--yes"])
        answered_at = time.monotonic()
        assert done.exit_code == 0, done.output
        assert waiting.result(timeout=10).json()["status"] == "approved"
        assert time.monotonic() - answered_at < 1
    assert again(agent, told)["effect"] == "allow"


def test_a_wait_that_nobody_answers_ends_with_the_hold_as_it_is(agent: httpx.Client) -> None:
    told = held(agent)
    began = time.monotonic()
    assert agent.get(f"/v1/holds/{told['hold_id']}?wait=0.4").json()["status"] == "pending"
    assert 0.3 < time.monotonic() - began < 2
    assert agent.get(f"/v1/holds/{told['hold_id']}?wait=61").status_code == 400


def test_a_hold_that_nobody_answers_expires_by_itself_and_wakes_who_waits(
    server: Server, agent: httpx.Client
) -> None:
    told = held(agent)
    state = SqliteState(server.store)
    hold = state.holds.hold(told["hold_id"])
    assert hold is not None
    soon = utc_now() + timedelta(seconds=0.5)
    assert state.holds.swap_hold(replace(hold, expires_at=soon, version=hold.version + 1))
    state.close()
    began = time.monotonic()
    assert agent.get(f"/v1/holds/{told['hold_id']}?wait=10").json()["status"] == "expired"
    assert time.monotonic() - began < 3
    assert again(agent, told)["reasons"][0]["code"] == "approval_expired"


def events_of(lines: Iterator[str]) -> Iterator[dict[str, str]]:
    """Server-sent events, as a client of the standard reads them."""
    event: dict[str, str] = {}
    for line in lines:
        if not line:
            if "data" in event:
                yield event
            event = {}
        elif not line.startswith(":"):
            name, _, value = line.partition(": ")
            event[name] = value


def test_a_followed_hold_is_told_as_it_changes_up_to_its_end(
    agent: httpx.Client, alice: httpx.Client
) -> None:
    told = held(agent)
    with agent.stream("GET", f"/v1/holds/{told['hold_id']}/events") as stream:
        assert stream.headers["content-type"].startswith("text/event-stream")
        events = events_of(stream.iter_lines())
        assert json.loads(next(events)["data"])["status"] == "pending"
        threading.Timer(0.3, answer, (alice, told["hold_id"])).start()
        began = time.monotonic()
        approved = next(events)
        assert time.monotonic() - began < 1.3
        assert (approved["event"], approved["id"]) == ("hold", f"{told['hold_id']}.2")
        assert json.loads(approved["data"])["status"] == "approved"
        again(agent, told)
        assert json.loads(next(events)["data"])["status"] == "taken"
        assert list(events) == []


def test_every_hold_is_followed_from_those_open_now_on(
    server: Server, agent: httpx.Client, alice: httpx.Client
) -> None:
    before = held(agent)
    with alice.stream("GET", "/v1/holds/events") as stream:
        events = events_of(stream.iter_lines())
        while json.loads(next(events)["data"])["hold_id"] != before["hold_id"]:
            pass
        with http_of(server, agent_key_of(server, "newcomer")) as newcomer:
            began = time.monotonic()
            opened = held(newcomer)
            while (seen := json.loads(next(events)["data"]))["hold_id"] != opened["hold_id"]:
                pass
            assert seen["status"] == "pending"
            assert time.monotonic() - began < 1
            with server.http(admin=True) as other:
                answer(other, opened["hold_id"], "deny")
            while (seen := json.loads(next(events)["data"]))["hold_id"] != opened["hold_id"]:
                pass
            assert seen["status"] == "denied"


def test_an_agent_follows_only_its_own(server: Server, agent: httpx.Client) -> None:
    held(agent)
    with http_of(server, agent_key_of(server, "loner")) as loner:
        own = held(loner)
        with loner.stream("GET", "/v1/holds/events") as stream:
            first = json.loads(next(events_of(stream.iter_lines()))["data"])
            assert first["hold_id"] == own["hold_id"]


def test_two_approvers_at_once_count_once(server: Server, agent: httpx.Client, alice: httpx.Client) -> None:
    with http_of(server, token_of(server, "bob", Role.APPROVER)) as bob, ThreadPoolExecutor() as threads:
        for _ in range(5):
            told = held(agent)
            shown = shown_of(alice, told["hold_id"])
            both = [
                threads.submit(answer, person, told["hold_id"], "approve", shown=shown)
                for person in (alice, bob, alice, bob)
            ]
            statuses = sorted(one.result().status_code for one in both)
            assert statuses == [200, 409, 409, 409]
            assert len(alice.get(f"/v1/holds/{told['hold_id']}").json()["answers"]) == 1
            done = list(threads.map(lambda _, told=told: again(agent, told)["effect"], range(4)))
            assert sorted(done) == ["allow", "deny", "deny", "deny"]


def test_approve_and_deny_at_once_have_one_winner(
    server: Server, agent: httpx.Client, alice: httpx.Client
) -> None:
    with http_of(server, token_of(server, "carol", Role.APPROVER)) as carol, ThreadPoolExecutor() as threads:
        for _ in range(5):
            told = held(agent)
            shown = shown_of(alice, told["hold_id"])
            yes = threads.submit(answer, alice, told["hold_id"], "approve", shown=shown)
            no = threads.submit(answer, carol, told["hold_id"], "deny", shown=shown)
            assert sorted((yes.result().status_code, no.result().status_code)) == [200, 409]
            allowed = again(agent, told)["effect"] == "allow"
            assert allowed == (yes.result().status_code == 200)


def test_a_grant_lets_so_many_through_and_is_seen_and_revoked(
    server: Server, agent: httpx.Client, alice: httpx.Client
) -> None:
    with http_of(server, agent_key_of(server, "granted")) as granted:
        made = alice.post(
            "/v1/grants", json={"agent": "granted", "tool": "send_email", "most_uses": 2, "reason": "letters"}
        )
        assert made.status_code == 201, made.text
        assert made.json()["by"] == "service:alice"
        grant_id = made.json()["grant_id"]
        body = {"action": "send_email", "arguments": {"to": "x@y.example"}}
        effects = [granted.post("/v1/actions", json=body).json()["effect"] for _ in range(3)]
        assert effects == ["allow", "allow", "deny"]
        [listed] = alice.get("/v1/grants?agent=granted").json()["grants"]
        assert (listed["grant_id"], listed["used"]) == (grant_id, 2)
        revoked = alice.delete(f"/v1/grants/{grant_id}").json()
        assert revoked["revoked_by"] == "service:alice"
        assert alice.delete("/v1/grants/grant_none").status_code == 404
        assert granted.delete(f"/v1/grants/{grant_id}").status_code == 403


@pytest.mark.parametrize(
    "body",
    [
        {"agent": "", "tool": "x"},
        {"agent": "a", "tool": ""},
        {"agent": "a", "tool": "x", "most_uses": 0},
        {"agent": "a", "tool": "x", "most_uses": 1_001},
        {"agent": "a", "tool": "x", "seconds": 0},
        {"agent": "a", "tool": "x", "seconds": 86_401},
        {"agent": "a", "tool": "x", "most_records": -1},
        {"agent": "*", "tool": "x"},
        {"agent": "a", "tool": "*"},
    ],
)
def test_a_grant_without_bounds_is_refused(alice: httpx.Client, body: dict[str, object]) -> None:
    assert alice.post("/v1/grants", json=body).status_code == 400


def test_another_gateways_evaluation_is_held_and_goes_on_too(
    agent: httpx.Client, alice: httpx.Client
) -> None:
    question: dict[str, Any] = {
        "subject": {"type": "agent", "id": "billing"},
        "action": {"name": "send_email", "properties": {"recipient_count": 1}},
        "resource": {"type": "email", "id": "a@b.example"},
    }
    first = agent.post("/access/v1/evaluation", json=question).json()
    assert first["decision"] is False
    assert first["context"]["reason_code"] == "approval_required"
    hold_id = first["context"]["hold_id"]
    assert answer(alice, hold_id).status_code == 200
    question["context"] = {"hold_id": hold_id}
    assert agent.post("/access/v1/evaluation", json=question).json()["decision"] is True
    assert agent.post("/access/v1/evaluation", json=question).json()["decision"] is False
    question["context"] = {"hold_id": ["strange"]}
    assert agent.post("/access/v1/evaluation", json=question).json()["decision"] is False


def test_a_server_that_stops_answers_who_waits_and_ends_who_follows(
    tmp_path_factory: pytest.TempPathFactory,
) -> None:
    own = make_server(tmp_path_factory.mktemp("stop") / "store")
    own.start()
    with own.http(admin=True) as admin, own.http() as agent, ThreadPoolExecutor() as threads:
        admin.post("/v1/policies", json={"name": "ask_mail", **ASKS})
        told = held(agent)
        waiting = threads.submit(agent.get, f"/v1/holds/{told['hold_id']}?wait=30")

        def follow() -> int:
            with own.http(admin=True) as http, http.stream("GET", "/v1/holds/events") as stream:
                return len(list(stream.iter_lines()))

        following = threads.submit(follow)
        time.sleep(0.7)
        began = time.monotonic()
        assert own.stop() == 0
        assert time.monotonic() - began < 5
        assert waiting.result(timeout=5).json()["status"] == "pending"
        assert following.result(timeout=5) > 0


def test_a_held_action_outlives_the_server_and_runs_after_the_yes(
    tmp_path_factory: pytest.TempPathFactory,
) -> None:
    own = make_server(tmp_path_factory.mktemp("killed") / "store")
    own.start()
    with own.http(admin=True) as admin, own.http() as agent:
        admin.post("/v1/policies", json={"name": "ask_mail", **ASKS})
        told = held(agent)
        own.kill()
        own.start()
        assert answer(admin, told["hold_id"]).status_code == 200
        assert again(agent, told)["action_id"] == told["action_id"]
    own.stop()
