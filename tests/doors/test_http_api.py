"""The HTTP API as a stranger would use it: plain requests against a real server process."""

from __future__ import annotations

from collections.abc import Iterator

import httpx
import pytest

from tests.conftest import Server
from tests.doors.approvers import agent_key_of, http_of

pytestmark = pytest.mark.servers  # takes its time


@pytest.fixture(scope="module")
def agent(server: Server) -> Iterator[httpx.Client]:
    with server.http() as http:
        yield http


@pytest.fixture(scope="module")
def admin(server: Server) -> Iterator[httpx.Client]:
    with server.http(admin=True) as http:
        yield http


def test_an_action_is_cleared_reported_and_read_back(agent: httpx.Client) -> None:
    run_id = agent.post("/v1/runs", json={"goal": "tidy up"}).json()["run_id"]
    answer = agent.post("/v1/actions", json={"action": "read", "resource": "t", "run_id": run_id})
    assert answer.status_code == 200
    assert answer.json()["effect"] == "allow"
    told = agent.post(
        f"/v1/actions/{answer.json()['action_id']}/outcome", json={"status": "succeeded", "result": [1]}
    )
    assert told.json() == {"run_id": run_id, "seq": 3}
    agent.post(f"/v1/runs/{run_id}/notes", json={"text": "next: go home"})
    agent.post(f"/v1/runs/{run_id}/end", json={})
    records = agent.get(f"/v1/runs/{run_id}/trace").json()["records"]
    assert [r["kind"] for r in records] == ["run_started", "intent", "outcome", "note", "run_ended"]
    assert [r["seq"] for r in records] == [1, 2, 3, 4, 5]
    [listed] = [r for r in agent.get("/v1/runs").json()["runs"] if r["run_id"] == run_id]
    assert (listed["goal"], listed["status"], listed["actions"]) == ("tidy up", "ended", 1)


def test_an_action_without_a_run_gets_one(agent: httpx.Client) -> None:
    answer = agent.post("/v1/actions", json={"action": "read", "resource": "t"}).json()
    assert agent.get(f"/v1/runs/{answer['run_id']}/trace").status_code == 200


def test_an_outcome_told_twice_is_a_conflict_and_one_of_nothing_is_not_found(agent: httpx.Client) -> None:
    action_id = agent.post("/v1/actions", json={"action": "read", "resource": "t"}).json()["action_id"]
    path = f"/v1/actions/{action_id}/outcome"
    assert agent.post(path, json={"status": "failed", "error": "no"}).status_code == 200
    again = agent.post(path, json={"status": "succeeded"})
    assert (again.status_code, again.json()["error"]["code"]) == (409, "conflict")
    none = agent.post("/v1/actions/act_none/outcome", json={"status": "succeeded"})
    assert (none.status_code, none.json()["error"]["code"]) == (404, "not_found")


def test_one_agent_sees_and_closes_nothing_of_another(server: Server, agent: httpx.Client) -> None:
    other = http_of(server, agent_key_of(server, "other"))
    foreign = other.post("/v1/actions", json={"action": "read", "resource": "t"}).json()
    assert agent.get(f"/v1/runs/{foreign['run_id']}/trace").status_code == 404
    assert agent.post(f"/v1/runs/{foreign['run_id']}/end", json={}).status_code == 403
    path = f"/v1/actions/{foreign['action_id']}/outcome"
    assert agent.post(path, json={"status": "succeeded"}).status_code == 403
    assert other.post(path, json={"status": "succeeded"}).status_code == 200
    into = agent.post("/v1/actions", json={"action": "read", "run_id": foreign["run_id"]})
    assert into.status_code == 403
    assert all(run["agent"] == "billing" for run in agent.get("/v1/runs?agent=other").json()["runs"])
    assert all(r["agent"] == "billing" for r in agent.get("/v1/records?agent=other").json()["records"])


def test_policies_are_versioned_and_replaced_atomically(agent: httpx.Client, admin: httpx.Client) -> None:
    before = admin.get("/v1/policies").json()
    document = before["document"]
    document["policies"].append({"name": "extra", "rule": "block", "condition": {"tool": "zap"}})
    replaced = admin.put("/v1/policies", json={"document": document, "expected": before["number"]})
    assert replaced.json()["number"] == before["number"] + 1
    stale = admin.put("/v1/policies", json={"document": document, "expected": before["number"]})
    assert stale.status_code == 409
    assert agent.post("/v1/actions", json={"action": "zap"}).json()["effect"] == "deny"
    bad = {"policies": [{"name": "a", "rule": "block", "condition": {"operation": "reed"}}, {"name": "b"}]}
    refused = admin.put("/v1/policies", json={"document": bad})
    assert refused.status_code == 422
    assert len(refused.json()["error"]["problems"]) >= 2
    assert admin.delete("/v1/policies/extra").json()["number"] == before["number"] + 2
    assert agent.post("/v1/actions", json={"action": "zap"}).json()["effect"] == "allow"
    numbers = [version["number"] for version in admin.get("/v1/policies/versions").json()["versions"]]
    assert numbers == sorted(numbers, reverse=True)


def test_explain_names_the_condition_that_failed(admin: httpx.Client) -> None:
    answer = admin.post("/v1/policies/explain", json={"action": "delete", "resource": "staging.users"})
    assert answer.status_code == 200
    assert "production_deletes" in answer.text


def test_keys_are_shown_once_work_at_once_and_stop_at_once(server: Server, admin: httpx.Client) -> None:
    admin.post("/v1/agents", json={"name": "mailer", "purpose": "sends mail"})
    assert admin.post("/v1/agents", json={"name": "mailer"}).status_code == 409
    made = admin.post("/v1/agents/mailer/keys", json={"expires_days": 1}).json()
    headers = {"Authorization": f"Bearer {made['key']}"}
    assert httpx.get(f"{server.url}/v1/me", headers=headers).json() == {
        "name": "mailer",
        "kind": "agent",
        "roles": [],
        "teams": [],
    }
    listed = admin.get("/v1/agents/mailer/keys")
    assert made["key"].rsplit("_", 1)[1] not in listed.text
    assert admin.delete(f"/v1/keys/{made['key_id']}").json()["revoked_at"]
    assert httpx.get(f"{server.url}/v1/me", headers=headers).status_code == 401


def test_nothing_but_health_and_login_answers_without_a_key(server: Server) -> None:
    with httpx.Client(base_url=server.url) as nobody:
        paths = nobody.get("/openapi.json").json()["paths"]
        for path, methods in paths.items():
            for method in methods:
                answer = nobody.request(method.upper(), path.replace("{", "").replace("}", ""), json={})
                if path in ("/healthz", "/readyz"):
                    assert answer.status_code == 200
                elif path.startswith("/v1/login"):
                    assert answer.status_code in (200, 400, 401, 404), (method, path)
                else:
                    assert answer.status_code == 401, (method, path)
                    assert answer.json()["error"]["code"] == "unauthenticated"


def test_an_agents_key_cannot_administer(agent: httpx.Client) -> None:
    for method, path, body in (
        ("POST", "/v1/policies", {"name": "x", "rule": "allow"}),
        ("PUT", "/v1/policies", {"document": {}}),
        ("DELETE", "/v1/policies/mass_email", None),
        ("POST", "/v1/agents", {"name": "x"}),
        ("POST", "/v1/agents/billing/keys", {"scope": "admin"}),
        ("GET", "/v1/agents", None),
    ):
        answer = agent.request(method, path, json=body)
        assert (answer.status_code, answer.json()["error"]["code"]) == (403, "forbidden"), path


def test_authzen_evaluates_and_records(admin: httpx.Client, agent: httpx.Client) -> None:
    question = {
        "subject": {"type": "agent", "id": "shopper"},
        "action": {"name": "delete"},
        "resource": {"type": "postgres", "id": "production.users"},
        "context": {"time": "2026-01-01T00:00:00Z"},
    }
    headers = {"X-Request-ID": "req-7"}
    answer = admin.post("/access/v1/evaluation", json=question, headers=headers)
    assert answer.status_code == 200
    assert answer.json()["decision"] is False
    assert answer.json()["context"]["reason_code"] == "policy_block"
    assert answer.headers["x-request-id"] == "req-7"
    question["action"] = {"name": "read"}
    assert admin.post("/access/v1/evaluation", json=question).json()["decision"] is True
    found = admin.get("/v1/records?agent=shopper&kind=outcome").json()["records"]
    assert [record["status"] for record in found] == ["not_reported"]
    assert agent.post("/access/v1/evaluation", json=question).status_code == 403
    question["subject"] = {"type": "agent", "id": "billing"}
    assert agent.post("/access/v1/evaluation", json=question).json()["decision"] is True


def test_search_finds_by_tool_effect_and_text(agent: httpx.Client, admin: httpx.Client) -> None:
    agent.post("/v1/actions", json={"action": "get_zebra", "arguments": {"stripe": "quagga"}})
    agent.post("/v1/actions", json={"action": "delete", "resource": "production.zebra"})
    assert admin.get("/v1/records?tool=get_zebra").json()["records"]
    assert admin.get("/v1/records?text=quagga").json()["records"]
    refused = admin.get("/v1/records?effect=deny&operation=delete").json()["records"]
    assert {record["kind"] for record in refused} == {"refusal"}
    assert admin.get("/v1/records?until=2020-01-01T00:00:00").json()["records"] == []


def test_a_server_told_to_stop_finishes_and_loses_nothing(tmp_path_factory: pytest.TempPathFactory) -> None:
    from clearance.adapters.store import SqliteJournal
    from tests.conftest import make_server

    own = make_server(tmp_path_factory.mktemp("stop") / "store")
    own.start()
    with own.http() as http:
        acknowledged = [http.post("/v1/actions", json={"action": "read"}).json() for _ in range(50)]
    assert own.stop() == 0
    journal = SqliteJournal(own.store)
    for answer in acknowledged:
        assert journal.action(answer["action_id"])
    assert journal.verify().problems == ()
    journal.close()
