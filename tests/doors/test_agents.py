"""Agents over HTTP, on a server that runs: registry, keys, delegations, learning, who may ask for what."""

from __future__ import annotations

from collections.abc import Iterator

import httpx
import pytest

from clearance.adapters.identity import new_key
from clearance.adapters.store import SqliteState
from clearance.core.model import CredentialKind, Person, PersonSource, Role
from clearance.wiring import utc_now
from tests.conftest import Server

pytestmark = pytest.mark.servers


@pytest.fixture
def admin(server: Server) -> Iterator[httpx.Client]:
    with server.http(admin=True) as opened:
        yield opened


@pytest.fixture
def billing(server: Server) -> Iterator[httpx.Client]:
    with server.http() as opened:
        yield opened


def as_agent(server: Server, key: str, *, delegation: str = "") -> httpx.Client:
    headers = {"Authorization": f"Bearer {key}"}
    if delegation:
        headers["Clearance-Delegation"] = delegation
    return httpx.Client(base_url=server.url, headers=headers, timeout=10)


def as_person(server: Server, name: str, role: Role) -> httpx.Client:
    """A service with one role, and a client that is it."""
    state, at = SqliteState(server.store), utc_now()
    person = Person(name=name, created_at=at, roles=(role,), source=PersonSource.SERVICE)
    if state.people.person(name) is None:
        state.people.add_person(person)
    text, kept = new_key(name, kind=CredentialKind.SERVICE_TOKEN, at=at)
    state.credentials.add_credential(kept)
    state.close()
    return as_agent(server, text)


def new_agent(admin: httpx.Client, name: str, **described: object) -> str:
    """A fresh agent; its key."""
    assert admin.post("/v1/agents", json={"name": name, **described}).status_code == 201
    made = admin.post(f"/v1/agents/{name}/keys", json={})
    assert made.status_code == 201
    return str(made.json()["key"])


def first_code(answer: httpx.Response) -> str:
    return str(answer.json()["reasons"][0]["code"])


def test_an_agent_is_registered_read_changed_and_listed(admin: httpx.Client) -> None:
    new_agent(admin, "mailer", owner="ann", team="post", roles=["clerk"])
    changed = admin.patch("/v1/agents/mailer", json={"team": "letters"}).json()
    assert (changed["team"], changed["owner"], changed["roles"]) == ("letters", "ann", ["clerk"])
    assert admin.get("/v1/agents/mailer").json() == changed
    assert changed in admin.get("/v1/agents").json()["agents"]
    assert admin.post("/v1/agents", json={"name": "mailer"}).status_code == 409
    assert admin.get("/v1/agents/nobody").status_code == 404
    assert admin.patch("/v1/agents/mailer", json={"status": "active"}).status_code == 400
    assert admin.post("/v1/agents", json={"name": "person:ann"}).status_code == 400


def test_a_change_of_team_reaches_the_next_decision(server: Server, admin: httpx.Client) -> None:
    key = new_agent(admin, "mover")
    rule = {"name": "letters_only", "rule": "block", "condition": {"tool": "post_letter", "team": "blocked"}}
    admin.post("/v1/policies", json=rule)
    with as_agent(server, key) as agent:
        assert agent.post("/v1/actions", json={"action": "post_letter"}).json()["effect"] == "allow"
        admin.patch("/v1/agents/mover", json={"team": "blocked"})
        assert first_code(agent.post("/v1/actions", json={"action": "post_letter"})) == "policy_block"


def test_a_retired_agents_keys_end_with_it(server: Server, admin: httpx.Client) -> None:
    key = new_agent(admin, "oldtimer")
    with as_agent(server, key) as agent:
        assert agent.get("/v1/me").status_code == 200
        assert admin.post("/v1/agents/oldtimer/retire").json()["status"] == "retired"
        assert agent.get("/v1/me").status_code == 401
        assert agent.post("/v1/actions", json={"action": "read"}).status_code == 401
    assert admin.post("/v1/agents/oldtimer/keys", json={}).status_code == 409
    assert admin.patch("/v1/agents/oldtimer", json={"team": "x"}).status_code == 409


def test_a_bound_key_is_good_for_its_bounds_only_and_so_is_the_one_in_its_place(
    server: Server, admin: httpx.Client
) -> None:
    new_agent(admin, "reader")
    bounds = {"tools": ["get_*"], "operations": ["read"]}
    made = admin.post("/v1/agents/reader/keys", json={"bounds": bounds, "label": "ci"}).json()
    rotated = admin.post(f"/v1/keys/{made['key_id']}/rotate", json={"overlap_hours": 1}).json()
    for key in (made["key"], rotated["key"]):
        with as_agent(server, key) as agent:
            read = {"action": "get_page", "operation": "read"}
            assert agent.post("/v1/actions", json=read).json()["effect"] == "allow"
            assert first_code(agent.post("/v1/actions", json={"action": "set_page"})) == "out_of_bounds"
    listed = admin.get("/v1/agents/reader/keys")
    assert [one["label"] for one in listed.json()["keys"]] == ["", "ci", "ci"]
    assert made["key"].rsplit("_", 1)[1] not in listed.text
    admin.delete(f"/v1/keys/{rotated['key_id']}")
    with as_agent(server, rotated["key"]) as agent:
        assert agent.get("/v1/me").status_code == 401


def test_the_doors_of_keys_end_no_token_of_a_person(server: Server, admin: httpx.Client) -> None:
    token_id = server.admin_key.split("_")[1]
    assert admin.delete(f"/v1/keys/{token_id}").status_code == 404
    assert admin.post(f"/v1/keys/{token_id}/rotate", json={}).status_code == 404
    assert admin.get("/v1/me").status_code == 200


def test_a_delegation_is_made_by_an_agent_and_ended_by_its_maker_or_an_operator(
    server: Server, admin: httpx.Client, billing: httpx.Client
) -> None:
    key = new_agent(admin, "helper")
    wanted = {"to": "helper", "bounds": {"tools": ["get_*"]}, "seconds": 60}
    made = [billing.post("/v1/delegations", json=wanted).json() for _ in range(2)]
    with as_agent(server, key) as helper:
        assert helper.delete(f"/v1/delegations/{made[0]['delegation_id']}").status_code == 403
    assert billing.delete(f"/v1/delegations/{made[0]['delegation_id']}").json()["revoked_at"]
    assert admin.delete(f"/v1/delegations/{made[1]['delegation_id']}").json()["revoked_at"]
    assert admin.post("/v1/delegations", json=wanted).status_code == 403
    assert billing.post("/v1/delegations", json={**wanted, "to": "nobody"}).status_code == 404
    assert billing.post("/v1/delegations", json={**wanted, "seconds": 1e9}).status_code == 400


def test_a_bound_agent_cannot_delegate_what_it_may_not_do(server: Server, admin: httpx.Client) -> None:
    new_agent(admin, "narrow")
    new_agent(admin, "wide")
    made = admin.post("/v1/agents/narrow/keys", json={"bounds": {"tools": ["get_*"]}}).json()
    with as_agent(server, made["key"]) as narrow:
        wider = narrow.post("/v1/delegations", json={"to": "wide", "bounds": {"tools": ["set_*"]}})
        assert wider.status_code == 401 and "delegation_too_wide" in wider.text
        assert narrow.post("/v1/delegations", json={"to": "wide"}).status_code == 401
        fits = narrow.post("/v1/delegations", json={"to": "wide", "bounds": {"tools": ["get_page"]}})
        assert fits.status_code == 201


def test_a_scope_is_proposed_ratified_and_in_force(server: Server, admin: httpx.Client) -> None:
    key = new_agent(admin, "learner")
    with as_agent(server, key) as agent:
        agent.post("/v1/actions", json={"action": "get_page", "operation": "read"})
        before = admin.get("/v1/policies").json()["number"]
        proposal = admin.post("/v1/agents/learner/learn", json={}).json()
        assert proposal["learned"]["refused_count"] == 0
        assert admin.get("/v1/policies").json()["number"] == before
        wider = {**proposal["learned"]["policy"], "origin": "written"}
        assert admin.post("/v1/agents/learner/ratify", json={"policy": wider}).status_code == 400
        stored = admin.post("/v1/agents/learner/ratify", json={"policy": proposal["learned"]["policy"]})
        assert stored.json()["number"] == before + 1
        assert (
            agent.post("/v1/actions", json={"action": "get_page", "operation": "read"}).json()["effect"]
            == "allow"
        )
        assert first_code(agent.post("/v1/actions", json={"action": "set_page"})) == "not_in_scope"
    assert admin.post("/v1/agents/nobody/learn", json={}).status_code == 404


def test_only_those_who_may_rule_agents(server: Server, billing: httpx.Client) -> None:
    asked = [
        ("GET", "/v1/agents", None),
        ("POST", "/v1/agents", {"name": "x"}),
        ("GET", "/v1/agents/billing", None),
        ("PATCH", "/v1/agents/billing", {"team": "x"}),
        ("POST", "/v1/agents/billing/retire", None),
        ("POST", "/v1/agents/billing/keys", {}),
        ("GET", "/v1/agents/billing/keys", None),
        ("POST", "/v1/agents/billing/learn", {}),
        ("POST", "/v1/agents/billing/ratify", {"policy": {}}),
        ("GET", "/v1/audit", None),
    ]
    for method, path, body in asked:
        assert billing.request(method, path, json=body).status_code == 403, path
    with as_person(server, "looker", Role.VIEWER) as viewer:
        answers = [viewer.request(method, path, json=body).status_code for method, path, body in asked]
    assert answers == [200, 403, 200, 403, 403, 403, 200, 403, 403, 403]


def test_the_administrative_record_is_for_those_who_audit(server: Server, admin: httpx.Client) -> None:
    new_agent(admin, "recorded")
    with as_person(server, "checker", Role.AUDITOR) as auditor:
        [act] = auditor.get(
            "/v1/audit", params={"act": "agent.register", "by": "service:ops", "limit": 1}
        ).json()["acts"]
        assert (act["target"], act["by"]) == ("recorded", "service:ops")
        assert auditor.get("/v1/runs/administration/trace").status_code == 200
        assert auditor.post("/v1/agents", json={"name": "x"}).status_code == 403
    with as_person(server, "looker", Role.VIEWER) as viewer:
        assert viewer.get("/v1/runs/administration/trace").status_code == 404
        assert viewer.get("/v1/records", params={"kind": "administration"}).json()["records"] == []
