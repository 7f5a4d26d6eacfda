"""What a scraper is told by a real server."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

import pytest
from openai import APIStatusError, OpenAI
from prometheus_client.parser import text_string_to_metric_families

from tests.conftest import Server
from tests.doors.proxied import proxied
from tests.servers.model import ScriptedModel, Turn, scripted_model

__all__ = ["scripted_model"]  # a fixture

pytestmark = pytest.mark.servers


def scrape(server: Server) -> dict[tuple[str, tuple[tuple[str, str], ...]], float]:
    with server.http(admin=True) as http:
        answer = http.get("/metrics")
    assert answer.status_code == 200, answer.text
    assert answer.headers["content-type"].startswith("text/plain")
    return {
        (sample.name, tuple(sorted(sample.labels.items()))): sample.value
        for family in text_string_to_metric_families(answer.text)
        for sample in family.samples
    }


def test_decisions_are_counted_by_door_effect_and_reason(server: Server) -> None:
    allowed = (
        "clearance_decisions_total",
        (("door", "http"), ("effect", "allow"), ("reason", "no_policy_matched")),
    )
    blocked = (
        "clearance_decisions_total",
        (("door", "http"), ("effect", "deny"), ("reason", "policy_block")),
    )
    before = scrape(server)
    with server.http() as http:
        http.post("/v1/actions", json={"action": "read", "resource": "sandbox.x"})
        http.post("/v1/actions", json={"action": "delete", "resource": "production.x"})
    after = scrape(server)
    assert after[allowed] == before.get(allowed, 0) + 1
    assert after[blocked] == before.get(blocked, 0) + 1
    assert after["clearance_decision_seconds_count", (("door", "http"),)] >= 2
    assert after["clearance_in_flight", ()] == before["clearance_in_flight", ()] + 1
    assert after["clearance_commits", ()] > before["clearance_commits", ()]


def value_of(found: dict[tuple[str, tuple[tuple[str, str], ...]], float], name: str, **labels: str) -> float:
    return found.get((name, tuple(sorted(labels.items()))), 0.0)


def test_tokens_dollars_answers_and_resting_providers_are_told(
    tmp_path: Path, scripted_model: ScriptedModel
) -> None:
    prices = {"scripted-*": {"input": 1_000_000.0, "output": 0.0}}
    with proxied(tmp_path, scripted_model, prices=prices) as server:
        client = OpenAI(base_url=f"{server.url}/openai/v1", api_key=server.agent_key, max_retries=0)
        ask: Any = {"model": "scripted-1", "messages": [{"role": "user", "content": "Say hello."}]}
        client.chat.completions.create(**ask)
        list(client.chat.completions.create(**ask, stream=True, stream_options={"include_usage": True}))
        found = scrape(server)
        upstream = {"upstream": "openai"}
        assert value_of(found, "clearance_tokens_total", kind="input", **upstream) == 24
        assert value_of(found, "clearance_tokens_total", kind="output", **upstream) == 14
        assert value_of(found, "clearance_cost_usd_total", **upstream) == 24
        answered = {"door": "model_proxy", "status": "200", **upstream}
        assert value_of(found, "clearance_upstream_seconds_count", **answered) == 2
        assert found["clearance_upstream_resting", (("upstream", "openai"),)] == 0
        assert found["clearance_open", (("door", "model_proxy"),)] == 0
        scripted_model.say(lambda _: Turn(status=503))
        for _ in range(3):
            with pytest.raises(APIStatusError):
                client.chat.completions.create(**ask)
        found = scrape(server)
        assert value_of(found, "clearance_upstream_seconds_count", **{**answered, "status": "503"}) >= 5
        assert found["clearance_upstream_resting", (("upstream", "openai"),)] == 1


def test_nothing_that_was_sent_is_in_the_page(server: Server) -> None:
    with server.http() as http:
        http.post(
            "/v1/actions", json={"action": "frobnicate_17", "resource": "sandbox.zyx", "goal": "goal_42"}
        )
    with server.http(admin=True) as http:
        page = http.get("/metrics").text
    assert not re.search("frobnicate|zyx|goal_42|billing", page)
