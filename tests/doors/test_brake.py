"""The brake across real servers on one store: what one is told holds at the other, and for what runs."""

from __future__ import annotations

import asyncio
import threading
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import httpx
import pytest

from clearance import Client, PolicyViolationError, brake_is_on, guard
from clearance.core.drafts import ADMINISTRATION_RUN
from tests.conftest import Server, free_port, make_server

pytestmark = pytest.mark.servers


@pytest.fixture(scope="module")
def pair(tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[Server, Server]]:
    """Two processes on one store."""
    one = make_server(tmp_path_factory.mktemp("pair") / "store")
    two = Server(one.store, free_port(), admin_key=one.admin_key, agent_key=one.agent_key)
    one.start()
    two.start()
    yield one, two
    for server in (one, two):
        if server.process is not None:
            server.stop()


@pytest.fixture(autouse=True)
def free(pair: tuple[Server, Server]) -> Iterator[None]:
    """Nothing is stopped, nor open, after a test."""
    yield
    with pair[0].http(admin=True) as http:
        state = http.get("/v1/brake").json()
        for stop in state["stops"]:
            path = "all" if stop["kind"] == "all" else f"{stop['kind']}/{stop['name']}"
            assert http.delete(f"/v1/brake/{path}").status_code == 200
        for glass in state["glasses"]:
            assert http.delete(f"/v1/break-glass/{glass['glass_id']}").status_code == 200


def pull(server: Server, path: str = "agent/billing", level: str = "paused", **more: Any) -> dict[str, Any]:
    with server.http(admin=True) as http:
        answer = http.put(f"/v1/brake/{path}", json={"level": level, "reason": "odd", **more})
    assert answer.status_code == 200, answer.text
    told: dict[str, Any] = answer.json()
    return told


def code(http: httpx.Client, action: str = "read", resource: str = "sandbox.x") -> str:
    told = http.post("/v1/actions", json={"action": action, "resource": resource}).json()
    return "" if told["effect"] == "allow" else str(told["reasons"][0]["code"])


def test_a_pause_through_one_holds_at_the_other_within_a_second(pair: tuple[Server, Server]) -> None:
    one, two = pair
    with two.http() as http:
        assert code(http) == ""
        began = time.perf_counter()
        stop = pull(one)
        assert code(http) == "paused"
        assert time.perf_counter() - began < 1.0
    assert (stop["by"], stop["level"], stop["until"]) == ("service:ops", "paused", None)


def test_what_was_lifted_goes_on_at_both(pair: tuple[Server, Server]) -> None:
    one, two = pair
    pull(one, "all", "quarantined")
    with one.http(admin=True) as admin, one.http() as here, two.http() as there:
        assert [code(here), code(there)] == ["quarantined"] * 2
        assert admin.delete("/v1/brake/all", params={"reason": "over"}).json()["kind"] == "all"
        assert [code(here), code(there)] == ["", ""]
        assert admin.delete("/v1/brake/all").status_code == 404


def test_an_async_action_behind_one_server_ends_when_the_other_is_told(pair: tuple[Server, Server]) -> None:
    one, two = pair

    async def scenario() -> tuple[float, str, list[Any]]:
        began = asyncio.Event()
        async with Client(url=two.url, api_key=two.agent_key) as client:

            @guard(client=client)
            async def crawl() -> None:
                began.set()
                await asyncio.sleep(10)

            async with client.run(goal="crawl") as run:
                task = asyncio.create_task(crawl())
                await began.wait()
                await asyncio.sleep(0.5)  # it is watched by now, and the server is waited for
                pulled = time.perf_counter()
                await asyncio.to_thread(pull, one)
                with pytest.raises(PolicyViolationError) as refused:
                    await task
                took = time.perf_counter() - pulled
            return took, refused.value.reason_code, client.trace(run.run_id)

    took, reason, records = asyncio.run(scenario())
    assert took < 1.0
    assert reason == "paused"
    [outcome] = [record for record in records if record.kind.value == "outcome"]
    assert (outcome.status, outcome.decoded()["error"]) == ("failed", "stopped by the brake")


def test_an_async_action_ends_when_its_agent_is_retired_at_another_server(tmp_path: Path) -> None:
    one = make_server(tmp_path / "store")
    two = Server(one.store, free_port(), admin_key=one.admin_key, agent_key=one.agent_key)

    async def scenario() -> tuple[float, str]:
        began = asyncio.Event()
        async with Client(url=two.url, api_key=two.agent_key) as client:

            @guard(client=client)
            async def crawl() -> None:
                began.set()
                await asyncio.sleep(10)

            task = asyncio.create_task(crawl())
            await began.wait()
            await asyncio.sleep(0.5)  # it is watched by now, and the server is waited for
            retired = time.perf_counter()
            with one.http(admin=True) as admin:
                answer = await asyncio.to_thread(admin.post, "/v1/agents/billing/retire", json={})
                assert answer.status_code == 200, answer.text
            with pytest.raises(PolicyViolationError) as refused:
                await task
            return time.perf_counter() - retired, refused.value.reason_code

    one.start()
    two.start()
    try:
        took, reason = asyncio.run(scenario())
    finally:
        one.stop()
        two.stop()
    assert took < 1.0
    assert reason == "agent_retired"


def test_a_stop_just_after_clearing_ends_it_too(pair: tuple[Server, Server]) -> None:
    one, two = pair

    async def scenario() -> float:
        began = asyncio.Event()
        async with Client(url=two.url, api_key=two.agent_key) as client:

            @guard(client=client)
            async def crawl() -> None:
                began.set()
                await asyncio.sleep(10)

            task = asyncio.create_task(crawl())
            await began.wait()
            pulled = time.perf_counter()
            await asyncio.to_thread(pull, one, "tool/Crawl")
            with pytest.raises(PolicyViolationError):
                await task
            return time.perf_counter() - pulled

    assert asyncio.run(scenario()) < 1.0


def test_a_plain_function_asks_its_server(pair: tuple[Server, Server]) -> None:
    one, two = pair
    with Client(url=two.url, api_key=two.agent_key) as client:
        seen = []

        @guard(client=client)
        def crawl() -> None:
            seen.append(brake_is_on())
            pull(one)
            time.sleep(0.3)  # the server is asked four times a second at most
            seen.append(brake_is_on())

        crawl()
    assert seen == [False, True]


def test_who_waits_for_a_change_is_told_of_it_at_once(pair: tuple[Server, Server]) -> None:
    one, two = pair
    with two.http(admin=True) as http:
        state = http.get("/v1/brake").json()
        answers: list[tuple[float, dict[str, Any]]] = []

        def wait() -> None:
            answer = http.get("/v1/brake", params={"since": state["revision"], "wait": 9}).json()
            answers.append((time.perf_counter(), answer))

        waiting = threading.Thread(target=wait)
        waiting.start()
        time.sleep(0.2)
        assert not answers
        pulled = time.perf_counter()
        pull(one)
        waiting.join()
    [(at, answer)] = answers
    assert at - pulled < 1.0
    assert answer["revision"] != state["revision"]
    assert [stop["name"] for stop in answer["stops"]] == ["billing"]


def test_an_agent_reads_only_whether_it_is_stopped_itself(pair: tuple[Server, Server]) -> None:
    one, _ = pair
    pull(one, "agent/another")
    pull(one, "tool/sendEmail")
    with one.http() as http:
        state = http.get("/v1/brake").json()
        assert (state["stops"], state["glasses"], state["stopped"]) == ([], [], None)
        assert list(state["tools"]) == ["send_email"]
        pull(one)
        assert http.get("/v1/brake").json()["stopped"]["code"] == "paused"


def test_an_agent_neither_brakes_nor_breaks_glass(pair: tuple[Server, Server]) -> None:
    glass = {"agent": "billing", "tools": ["*"], "reason": "the shop is down"}
    with pair[0].http() as http:
        assert http.put("/v1/brake/all", json={"reason": "odd"}).status_code == 403
        assert http.delete("/v1/brake/all").status_code == 403
        assert http.post("/v1/break-glass", json=glass).status_code == 403


@pytest.mark.parametrize(
    ("path", "body", "status"),
    [
        ("agents/billing", {"reason": "odd"}, 400),
        ("all/x", {"reason": "odd"}, 400),
        ("tool/*", {"reason": "odd"}, 400),
        ("agent/billing", {}, 400),
        ("agent/billing", {"reason": "odd", "level": "stopped"}, 400),
        ("agent/billing", {"reason": "odd", "seconds": 0}, 400),
    ],
)
def test_a_brake_that_cannot_be_meant_is_refused(
    pair: tuple[Server, Server], path: str, body: dict[str, Any], status: int
) -> None:
    with pair[0].http(admin=True) as http:
        assert http.put(f"/v1/brake/{path}", json=body).status_code == status
        assert http.get("/v1/brake").json()["stops"] == []


def test_broken_glass_lets_pass_what_policies_refuse_and_no_brake(pair: tuple[Server, Server]) -> None:
    one, two = pair
    policy = {"name": "no drops", "rule": "block", "condition": {"tool": "drop_it"}}
    with one.http(admin=True) as admin, two.http() as agent:
        assert admin.post("/v1/policies", json=policy).status_code in (200, 201)
        assert code(agent, "drop_it") == "policy_block"
        glass = {"agent": "billing", "tools": ["drop_*"], "reason": "the shop is down", "seconds": 60}
        made = admin.post("/v1/break-glass", json=glass)
        assert made.status_code == 201
        told = agent.post("/v1/actions", json={"action": "drop_it"}).json()
        assert told["effect"] == "allow"
        assert "break_glass" in {reason["code"] for reason in told["reasons"]}
        pull(one)
        assert code(agent, "drop_it") == "paused"
        admin.delete("/v1/brake/agent/billing")
        admin.delete(f"/v1/break-glass/{made.json()['glass_id']}")
        assert code(agent, "drop_it") == "policy_block"
        short = {**glass, "reason": "short"}
        assert admin.post("/v1/break-glass", json=short).status_code == 400
        assert admin.post("/v1/break-glass", json={**glass, "seconds": 14_401}).status_code == 400
        acts = [
            record["tool"] for record in admin.get(f"/v1/runs/{ADMINISTRATION_RUN}/trace").json()["records"]
        ]
        assert {"glass.break", "glass.end", "brake.set", "brake.lift"} <= set(acts)
        assert admin.delete("/v1/policies/no drops").status_code == 200


def test_a_breaker_trips_on_what_two_servers_refused(pair: tuple[Server, Server]) -> None:
    one, two = pair
    policies = [
        {"name": "no wipes", "rule": "block", "condition": {"tool": "wipe"}},
        {
            "name": "fuse",
            "rule": "circuit_breaker",
            "condition": {"tool": "wipe"},
            "trips": {"violations": 4, "within_seconds": 600},
            "then": "quarantine",
        },
    ]
    with one.http(admin=True) as admin, one.http() as here, two.http() as there:
        for policy in policies:
            assert admin.post("/v1/policies", json=policy).status_code in (200, 201)
        codes = [code(http, "wipe") for http in (here, there, here, there, here, there)]
        assert codes == ["policy_block"] * 4 + ["quarantined"] * 2
        [stop] = admin.get("/v1/brake").json()["stops"]
        assert (stop["by"], stop["name"]) == ("policy:fuse", "billing")
        for policy in policies:
            admin.delete(f"/v1/policies/{policy['name']}")


def test_who_waits_does_not_hold_up_the_end_of_a_server(pair: tuple[Server, Server]) -> None:
    one, _ = pair
    third = Server(one.store, free_port(), admin_key=one.admin_key, agent_key=one.agent_key)
    third.start()
    with third.http(admin=True) as http:
        revision = http.get("/v1/brake").json()["revision"]
        waiting = threading.Thread(
            target=lambda: http.get("/v1/brake", params={"since": revision, "wait": 9})
        )
        waiting.start()
        time.sleep(0.3)
        began = time.perf_counter()
        assert third.stop() == 0
        assert time.perf_counter() - began < 5.0
        waiting.join()
