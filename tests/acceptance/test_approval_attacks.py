"""Attacks on holds, grants and the brake, through the HTTP doors of two real servers on one store."""

from __future__ import annotations

import random
import threading
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from datetime import timedelta
from typing import Any

import httpx
import pytest
from msgspec.structs import replace

from clearance.adapters.store import SqliteState
from clearance.core.model import Agent, Role
from clearance.wiring import utc_now
from tests.conftest import Server, make_server
from tests.doors.approvers import agent_key_of, http_of, token_of
from tests.servers.process import free_port

pytestmark = [pytest.mark.acceptance, pytest.mark.servers]
Http = httpx.Client
ROUNDS = 25
POLICIES: tuple[dict[str, Any], ...] = (
    {"name": "ask", "rule": "require_approval", "condition": {"tool": "pay_out"}},
    {
        "name": "ask_hidden",
        "rule": "require_approval",
        "condition": {"tool": "send_file"},
    },
    {"name": "hide", "rule": "redact", "condition": {"tool": "send_file"}, "redact": {"arguments": ["note"]}},
    {"name": "never", "rule": "block", "condition": {"tool": "wipe"}},
)


class Office:
    """Two servers on one store; agents, and people of every role."""

    def __init__(self, one: Server, two: Server) -> None:
        self.servers = (one, two)
        self.admin = http_of(one, one.admin_key)
        self.bot = http_of(one, one.agent_key)
        self.bot_there = http_of(two, one.agent_key)
        self.alice = http_of(one, token_of(one, "alice", Role.APPROVER))
        self.bob = http_of(two, token_of(one, "bob", Role.APPROVER))

    def held(self, agent: Http | None = None, *, action: str = "pay_out", **arguments: Any) -> dict[str, Any]:
        body = {"action": action, "arguments": arguments or {"to": "ann", "cents": 100}}
        told: dict[str, Any] = (agent or self.bot).post("/v1/actions", json=body).json()
        assert told["hold_id"], told
        return {**told, "sent": body}

    def again(self, held: dict[str, Any], agent: Http | None = None, **changed: Any) -> dict[str, Any]:
        body = {**held["sent"], "run_id": held["run_id"], "hold_id": held["hold_id"], **changed}
        told: dict[str, Any] = (agent or self.bot).post("/v1/actions", json=body).json()
        return told

    def answer(self, person: Http, held: dict[str, Any], verb: str = "approve") -> httpx.Response:
        path = f"/v1/holds/{held['hold_id']}"
        shown = self.alice.get(path).json()["shown_hash"]
        return person.post(f"{path}/{verb}", json={"shown": shown})

    def approved(self, **arguments: Any) -> dict[str, Any]:
        held = self.held(**arguments)
        assert self.answer(self.alice, held).status_code == 200
        return held

    def status(self, held: dict[str, Any]) -> str:
        return str(self.alice.get(f"/v1/holds/{held['hold_id']}").json()["status"])

    def trace(self, held: dict[str, Any]) -> list[dict[str, Any]]:
        records: list[dict[str, Any]] = self.bot.get(f"/v1/runs/{held['run_id']}/trace").json()["records"]
        return [one for one in records if one["action_id"] == held["action_id"]]

    def intents(self, held: dict[str, Any]) -> int:
        return sum(record["kind"] == "intent" for record in self.trace(held))


@pytest.fixture(scope="module")
def office(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Office]:
    one = make_server(tmp_path_factory.mktemp("office") / "store")
    two = Server(one.store, free_port(), admin_key=one.admin_key, agent_key=one.agent_key)
    one.start()
    two.start()
    made = Office(one, two)
    for policy in POLICIES:
        stored = made.admin.post("/v1/policies", json=policy)
        assert stored.status_code == 201, stored.text
    yield made
    for http in (made.admin, made.bot, made.bot_there, made.alice, made.bob):
        http.close()
    one.stop()
    two.stop()


def code(answer: httpx.Response | dict[str, Any]) -> str:
    """The stable code of a refusal; empty for what was allowed."""
    told = answer if isinstance(answer, dict) else answer.json()
    if "error" in told:
        return str(told["error"]["code"])
    return "" if told.get("effect", "allow") == "allow" else str(told["reasons"][0]["code"])


def at_once(acts: Sequence[Callable[[], Any]]) -> list[Any]:
    """What each gives, all begun together."""
    gate = threading.Barrier(len(acts))

    def one(act: Callable[[], Any]) -> Any:
        gate.wait()
        return act()

    with ThreadPoolExecutor(len(acts)) as threads:
        return list(threads.map(one, acts))


def test_an_approval_is_good_for_one_execution_at_whichever_server(office: Office) -> None:
    held = office.approved()
    assert code(office.again(held)) == ""
    assert code(office.again(held)) == "approval_used"
    assert code(office.again(held, office.bot_there)) == "approval_used"
    assert code(office.answer(office.bob, held)) == "approval_closed"
    assert office.intents(held) == 1


@pytest.mark.parametrize(
    "changed",
    [
        {"arguments": {"to": "eve", "cents": 100}},
        {"arguments": {"to": "ann", "cents": 100.0}},
        {"arguments": {"to": "ann", "cents": "100"}},
        {"arguments": {"to": "ann", "cents": 100, "more": None}},
        {"resource": "elsewhere"},
        {"payload": {"record_count": 1}},
        {"facts": {"record_count": 1}},
        {"operation": "read"},
        {"environment": "production"},
    ],
    ids=str,
)
def test_an_approval_is_not_good_for_anything_else(office: Office, changed: dict[str, Any]) -> None:
    held = office.approved()
    assert code(office.again(held, **changed)) == "approval_stale"
    assert code(office.again(held)) == "", "the call that was approved still runs"


@pytest.mark.parametrize(
    ("shown", "sent"),
    [(1, 1.0), (1, True), (0, False), (0, -0.0), ("é", "e\u0301"), ("1", 1), (None, ""), ([1], [1, 1])],
    ids=repr,
)
def test_values_that_programs_take_for_equal_are_not_the_same_call(
    office: Office, shown: Any, sent: Any
) -> None:
    held = office.approved(value=shown)
    assert code(office.again(held, arguments={"value": sent})) == "approval_stale"


def test_the_order_of_arguments_is_not_part_of_the_call(office: Office) -> None:
    held = office.approved(a=1, b=2)
    assert code(office.again(held, arguments={"b": 2, "a": 1})) == ""


def test_a_body_that_names_a_member_twice_is_refused_and_not_read_one_way(office: Office) -> None:
    """Which of two values runs is the program's choice; which of them is judged would be ours."""
    for twice in (
        b'{"action": "pay_out", "arguments": {"to": "eve", "to": "ann", "cents": 100}}',
        b'{"action": "pay_out", "action": "read", "arguments": {}}',
        b'{"action": "pay_out", "arguments": {"a": [{"b": {"c": 1, "c": 2}}]}}',
        b'{"action": "pay_out", "arguments": {"to": "x:\\u003a", "\\u0074o": "ann"}}',
        b'{"action": "pay_out", "arguments": {"a": 1, "a": 2, "b": "\\u003a"}}',
    ):
        answer = office.bot.post("/v1/actions", content=twice)
        assert (answer.status_code, code(answer)) == (400, "duplicate_member"), twice
    once = b'{"action": "pay_out", "arguments": {"to:": "a:b", "\\u003a": ":"}, "agent": ""}'
    assert code(office.bot.post("/v1/actions", content=once)) == "approval_required"


@pytest.mark.parametrize(
    ("arguments", "wanted"),
    [
        ('{"x": NaN}', "malformed_json"),
        ('{"x": Infinity}', "malformed_json"),
        ('{"x": 1e999}', "wrong_value"),
        ('{"x": ' + "[" * 100_000 + "]" * 100_000 + "}", "too_deep"),
        ('{"x": "' + "a" * (4 << 20) + '"}', "body_too_large"),
    ],
    ids=lambda one: one[:16],
)
def test_arguments_that_are_no_json_or_too_much_are_refused(
    office: Office, arguments: str, wanted: str
) -> None:
    answer = office.bot.post("/v1/actions", content=f'{{"action": "pay_out", "arguments": {arguments}}}')
    assert code(answer) == wanted


def test_arguments_of_four_megabytes_are_held_and_run_whole_or_not_at_all(office: Office) -> None:
    """What is shown is cut; what was hashed is all of it: a change past the cut is another call."""
    large = "a" * ((4 << 20) - 1_000)
    held = office.approved(text=large)
    view = office.alice.get(f"/v1/holds/{held['hold_id']}")
    assert "sha256" in view.text
    assert len(view.content) < 200_000
    assert code(office.again(held, arguments={"text": large[:-1] + "b"})) == "approval_stale"
    assert code(office.again(held)) == ""


def test_arguments_nested_deeper_than_is_shown_are_bound_all_the_same(office: Office) -> None:
    deep: Any = "bottom"
    for _ in range(200):
        deep = [deep]
    held = office.approved(x=deep)
    other: Any = "other"
    for _ in range(200):
        other = [other]
    assert code(office.again(held, arguments={"x": other})) == "approval_stale"
    assert code(office.again(held)) == ""


def test_what_a_policy_redacts_is_hashed_as_sent_and_runs_as_shown(office: Office) -> None:
    arguments = {"note": "call me at 5", "file": "a.txt"}
    body = {"action": "send_file", "arguments": arguments, "honours": ["transform"]}
    held = {**office.bot.post("/v1/actions", json=body).json(), "sent": body}
    view = office.alice.get(f"/v1/holds/{held['hold_id']}").json()
    assert view["shown"]["arguments"]["note"] == "[redacted]"
    assert office.answer(office.alice, held).status_code == 200
    other = {"note": "something else", "file": "a.txt"}
    assert code(office.again(held, arguments=other)) == "approval_stale"
    cleared = office.again(held)
    assert code(cleared) == ""
    assert cleared["arguments"] == {"note": "[redacted]", "file": "a.txt"}


def owned(office: Office, name: str, owner: str) -> Http:
    """An agent with an owner."""
    key = agent_key_of(office.servers[0], name)
    state = SqliteState(office.servers[0].store)
    agent = state.agents.agent(name)
    assert isinstance(agent, Agent)
    state.agents.replace_agent(replace(agent, owner=owner))
    state.close()
    return http_of(office.servers[0], key)


@pytest.mark.parametrize("owner", ["oscar", "OSCAR", "service:oscar", "person:oscar", "Person:oscar"])
def test_nobody_says_yes_to_their_own_agent_however_the_owner_is_written(office: Office, owner: str) -> None:
    name = f"agent-of-{owner.replace(':', '-')}"
    person = (
        http_of(office.servers[0], token_of(office.servers[0], "oscar", Role.ADMIN))
        if (owner == "oscar")
        else self_again(office, "oscar")
    )
    with owned(office, name, owner) as agent, person:
        held = office.held(agent)
        assert code(office.answer(person, held)) == "approval_self"
        made = person.post("/v1/grants", json={"agent": name, "tool": "pay_out"})
        assert made.status_code == 201, made.text
        assert code(office.again(held, agent)) == "approval_required", "nor in advance"
        assert office.status(held) == "pending"
        assert office.answer(office.alice, held).status_code == 200


def self_again(office: Office, name: str) -> Http:
    """Another token of somebody who is there."""
    made = office.admin.post(f"/v1/people/{name}/tokens", json={})
    assert made.status_code == 201, made.text
    return http_of(office.servers[0], next(v for v in made.json().values() if str(v).startswith("clt_")))


def test_a_service_does_not_approve_for_the_agent_of_its_own_name(office: Office) -> None:
    token = token_of(office.servers[0], "billing", Role.ADMIN)
    with http_of(office.servers[0], token) as twin:
        held = office.held()
        assert code(office.answer(twin, held)) == "approval_self"
        assert twin.post("/v1/grants", json={"agent": "billing", "tool": "pay_out"}).status_code in (201, 409)
        assert code(office.again(held)) == "approval_required"


def test_an_agent_approves_nothing_not_even_for_another_nor_with_a_delegation(office: Office) -> None:
    held = office.held()
    with owned(office, "accomplice", "") as other:
        made = office.bot.post("/v1/delegations", json={"to": "accomplice", "seconds": 60})
        assert made.status_code == 201, made.text
        other.headers["Clearance-Delegation"] = made.json()["delegation"]
        for agent in (office.bot, other):
            for verb in ("approve", "deny"):
                assert code(office.answer(agent, held, verb)) == "forbidden"
            assert code(agent.post("/v1/grants", json={"agent": "billing", "tool": "pay_out"})) == "forbidden"
        person = office.alice.headers["Authorization"]
        with_person = httpx.post(
            f"{office.servers[0].url}/v1/holds/{held['hold_id']}/approve",
            headers={"Authorization": person, "Clearance-Delegation": made.json()["delegation"]},
            json={"shown": "x"},
        )
        assert code(with_person) == "delegation_invalid", "people act in their own name"
    assert office.status(held) == "pending"


def test_a_hold_is_not_taken_up_by_another_agent_nor_in_another_run(office: Office) -> None:
    held = office.approved()
    with owned(office, "thief", "") as thief:
        assert thief.post("/v1/actions", json={**held["sent"], "hold_id": held["hold_id"]}).status_code == 403
        stolen = thief.post(
            "/v1/actions", json={**held["sent"], "run_id": held["run_id"], "hold_id": held["hold_id"]}
        )
        assert stolen.status_code in (403, 404)
        assert thief.get(f"/v1/holds/{held['hold_id']}").status_code == 404
        assert thief.get(f"/v1/runs/{held['run_id']}/trace").status_code == 404
        assert thief.post(f"/v1/runs/{held['run_id']}/notes", json={"text": "x"}).status_code in (403, 404)
        outcome = thief.post(f"/v1/actions/{held['action_id']}/outcome", json={"status": "succeeded"})
        assert outcome.status_code in (403, 404)
    other_run = office.bot.post("/v1/runs", json={"goal": "another"}).json()["run_id"]
    elsewhere = office.again(held, run_id=other_run)
    assert code(elsewhere) != "" or elsewhere["run_id"] == held["run_id"]
    assert office.intents(held) <= 1


def test_an_approval_comes_too_late_and_an_approved_hold_is_taken_too_late(office: Office) -> None:
    short = {
        "name": "ask_soon",
        "rule": "require_approval",
        "condition": {"tool": "pay_soon"},
        "approval": {"expires_seconds": 60},
    }
    stored = office.admin.post("/v1/policies", json=short)
    assert stored.status_code == 201, stored.text
    late, approved = office.held(action="pay_soon", n=1), office.held(action="pay_soon", n=2)
    assert office.answer(office.alice, approved).status_code == 200
    state = SqliteState(office.servers[0].store)
    for held in (late, approved):
        hold = state.holds.hold(held["hold_id"])
        assert hold is not None
        past = utc_now() - timedelta(seconds=1)
        assert state.holds.swap_hold(replace(hold, expires_at=past, version=hold.version + 1))
    state.close()
    assert code(office.answer(office.bob, late)) == "approval_expired"
    assert code(office.again(late)) == "approval_expired"
    assert code(office.again(approved)) == "approval_expired"
    assert office.intents(late) == office.intents(approved) == 0


def test_an_approval_does_not_outlive_the_policies_it_was_given_under(office: Office) -> None:
    pending, approved = office.held(n=1), office.held(n=2)
    assert office.answer(office.alice, approved).status_code == 200
    more = {"name": "another", "rule": "block", "condition": {"tool": "no_such_tool"}}
    assert office.admin.post("/v1/policies", json=more).status_code == 201
    assert code(office.answer(office.bob, pending)) == "approval_stale"
    assert code(office.again(approved, office.bot_there)) in ("approval_stale", "approval_required")
    assert office.intents(pending) == office.intents(approved) == 0


def test_two_people_who_answer_at_once_give_one_outcome_and_the_trace_agrees(office: Office) -> None:
    outcomes = set()
    for turn in range(ROUNDS):
        held = office.held(turn=turn)
        shown = office.alice.get(f"/v1/holds/{held['hold_id']}").json()["shown_hash"]
        verbs = ["approve", "deny"]
        random.shuffle(verbs)

        def say(person: Http, verb: str, hold: str = held["hold_id"], seen: str = shown) -> httpx.Response:
            return person.post(f"/v1/holds/{hold}/{verb}", json={"shown": seen})

        first, second = at_once(
            [lambda verb=verbs[0]: say(office.alice, verb), lambda verb=verbs[1]: say(office.bob, verb)]
        )
        said = {verbs[0]: first, verbs[1]: second}
        won = [verb for verb, one in said.items() if one.status_code == 200]
        assert len(won) == 1, [one.text for one in said.values()]
        lost = next(one for verb, one in said.items() if verb not in won)
        assert code(lost) == "approval_closed"
        status = office.status(held)
        assert status == {"approve": "approved", "deny": "denied"}[won[0]]
        outcomes.add(status)
        after = code(office.again(held))
        assert after == ("" if status == "approved" else "approval_refused")
        assert office.intents(held) == (1 if status == "approved" else 0)
        ends = [one["status"] for one in office.trace(held) if one["kind"] == "approval"]
        assert status in ends
    assert outcomes


def test_two_approvals_at_once_count_once_where_two_people_are_asked(office: Office) -> None:
    two = {
        "name": "ask_two",
        "rule": "require_approval",
        "condition": {"tool": "pay_much"},
        "approval": {"count": 2},
    }
    stored = office.admin.post("/v1/policies", json=two)
    assert stored.status_code == 201, stored.text
    for turn in range(8):
        held = office.held(action="pay_much", turn=turn)
        told = at_once([lambda held=held: office.answer(office.alice, held)] * 4)
        assert [one.status_code for one in told].count(200) == 1
        assert {code(one) for one in told if one.status_code != 200} == {"approval_repeated"}
        assert office.status(held) == "pending"
        assert code(office.again(held)) == "approval_required"
        assert office.answer(office.bob, held).status_code == 200
        assert code(office.again(held)) == ""


def test_an_approved_hold_that_two_servers_are_sent_at_once_runs_once(office: Office) -> None:
    for turn in range(ROUNDS):
        held = office.approved(turn=turn)
        agents = (office.bot, office.bot_there) * 2
        told = at_once([lambda agent=agent, held=held: office.again(held, agent) for agent in agents])
        assert sorted(map(code, told)) == ["", *["approval_used"] * 3], told
        assert office.intents(held) == 1


def test_a_grant_is_not_used_beyond_its_count_by_fifty_calls_at_once_at_two_servers(office: Office) -> None:
    body = {"agent": "billing", "tool": "pay_out", "most_uses": 7}
    grant = office.alice.post("/v1/grants", json=body).json()
    call = {"action": "pay_out", "arguments": {"cents": 1}}
    agents = [http_of(server, server.agent_key) for server in office.servers for _ in range(25)]
    told = at_once([lambda one=one: one.post("/v1/actions", json=call).json() for one in agents])
    for one in agents:
        one.close()
    codes = list(map(code, told))
    assert (codes.count(""), codes.count("approval_required")) == (7, 43)
    [kept] = [
        g for g in office.alice.get("/v1/grants").json()["grants"] if g["grant_id"] == grant["grant_id"]
    ]
    assert kept["used"] == 7


def test_a_grant_covers_no_other_agent_tool_or_time(office: Office) -> None:
    body = {"agent": "billing", "tool": "pay_out", "resources": ["books.*"], "most_uses": 9}
    grant = office.alice.post("/v1/grants", json=body).json()
    call = {"action": "pay_out", "resource": "books.may", "arguments": {"cents": 1}}
    with owned(office, "Billing", "") as other:
        assert code(other.post("/v1/actions", json=call)) == "approval_required"
    assert code(office.bot.post("/v1/actions", json={**call, "resource": "vault"})) == "approval_required"
    assert code(office.bot.post("/v1/actions", json=call)) == ""
    assert office.bob.delete(f"/v1/grants/{grant['grant_id']}").status_code == 200
    assert code(office.bot_there.post("/v1/actions", json=call)) == "approval_required"


def brake(office: Office, level: str) -> None:
    told = office.admin.put("/v1/brake/agent/billing", json={"level": level, "reason": "it looks odd"})
    assert told.status_code == 200, told.text


def test_what_is_approved_while_the_agent_is_paused_runs_only_once_it_is_resumed(office: Office) -> None:
    held = office.held()
    brake(office, "paused")
    try:
        assert office.answer(office.alice, held).status_code == 200
        assert code(office.again(held)) == "paused"
        assert code(office.again(held, office.bot_there)) in ("paused", "approval_stale")
        assert office.intents(held) == 0
    finally:
        office.admin.delete("/v1/brake/agent/billing")
    after = office.again(held)
    assert code(after) in ("", "approval_stale", "approval_used")
    assert office.intents(held) == (1 if code(after) == "" else 0)


def test_a_quarantine_voids_what_was_held_approved_and_granted(office: Office) -> None:
    pending, approved = office.held(n=1), office.approved(n=2)
    body = {"agent": "billing", "tool": "pay_out", "most_uses": 5}
    grant = office.alice.post("/v1/grants", json=body).json()["grant_id"]
    brake(office, "quarantined")
    try:
        assert code(office.again(approved)) in ("quarantined", "approval_stale")
        assert code(office.answer(office.alice, pending)) == "approval_stale"
    finally:
        office.admin.delete("/v1/brake/agent/billing")
    assert (office.status(pending), office.status(approved)) == ("void", "void")
    assert code(office.again(approved, office.bot_there)) == "approval_stale"
    kept = {one["grant_id"]: one for one in office.alice.get("/v1/grants").json()["grants"]}
    assert kept[grant]["revoked_at"]
    assert office.intents(pending) == office.intents(approved) == 0


def test_breaking_glass_lifts_policies_and_neither_the_brake_nor_the_bounds_of_a_key(office: Office) -> None:
    made = office.admin.post("/v1/agents/billing/keys", json={"bounds": {"operations": ["read"]}})
    assert made.status_code == 201, made.text
    glass = office.admin.post(
        "/v1/break-glass",
        json={"agent": "billing", "tools": ["*"], "reason": "the site is down", "seconds": 60},
    )
    assert glass.status_code == 201, glass.text
    wipe = {"action": "wipe", "resource": "archive"}
    try:
        assert code(office.bot.post("/v1/actions", json=wipe)) == ""
        with http_of(office.servers[0], made.json()["key"]) as bounded:
            refused = bounded.post("/v1/actions", json=wipe)
            assert code(refused) == "out_of_bounds", refused.text
        brake(office, "paused")
        assert code(office.bot_there.post("/v1/actions", json=wipe)) == "paused"
    finally:
        office.admin.delete("/v1/brake/agent/billing")
        assert office.admin.delete(f"/v1/break-glass/{glass.json()['glass_id']}").status_code == 200
    assert code(office.bot.post("/v1/actions", json=wipe)) != ""


def test_a_learned_policy_only_narrows_whatever_is_sent_as_ratified(office: Office) -> None:
    run = office.bot.post("/v1/runs", json={"goal": "teach"}).json()["run_id"]
    office.bot.post("/v1/actions", json={"action": "read", "resource": "archive", "run_id": run})
    proposal = office.admin.post("/v1/agents/billing/learn", json={"runs": [run]})
    assert proposal.status_code == 200, proposal.text
    learned = proposal.json()["learned"]["policy"]
    for changed in (
        {"origin": "written"},
        {"rule": "block"},
        {"name": "never"},
        {"condition": {"agent": "*", "any": [{}]}},
        {"condition": {}},
    ):
        policy = {**learned, **changed}
        refused = office.admin.post("/v1/agents/billing/ratify", json={"policy": policy})
        assert (refused.status_code, code(refused)) == (400, "wrong_value"), policy
    wide = {**learned["condition"], "any": [{"operation": verb} for verb in ("read", "delete", "execute")]}
    stored = office.admin.post("/v1/agents/billing/ratify", json={"policy": {**learned, "condition": wide}})
    assert stored.status_code == 200, stored.text
    try:
        for there in (office.bot, office.bot_there):
            wipe = there.post("/v1/actions", json={"action": "wipe", "resource": "archive"})
            assert wipe.json()["effect"] == "deny"
            assert there.post("/v1/actions", json={"action": "pay_out"}).json()["effect"] == "deny"
    finally:
        assert office.admin.delete(f"/v1/policies/{learned['name']}").status_code == 200


def test_a_key_that_is_revoked_in_flight_reports_nothing_and_takes_nothing_up(office: Office) -> None:
    made = office.admin.post("/v1/agents/billing/keys", json={}).json()
    held = office.approved(n=3)
    with http_of(office.servers[1], made["key"]) as agent:
        cleared = agent.post("/v1/actions", json={"action": "read", "resource": "archive"}).json()
        assert code(cleared) == ""
        assert office.admin.delete(f"/v1/keys/{made['key_id']}").status_code == 200
        path = f"/v1/actions/{cleared['action_id']}/outcome"
        assert code(agent.post(path, json={"status": "succeeded"})) == "unauthenticated"
        assert code(agent.post("/v1/actions", json={"action": "read"})) == "unauthenticated"
        assert code(office.again(held, agent)) == "unauthenticated"
    assert office.intents(held) == 0
