"""What a scraper is told by a real server."""

from __future__ import annotations

import re

import pytest
from prometheus_client.parser import text_string_to_metric_families

from tests.conftest import Server

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


def test_nothing_that_was_sent_is_in_the_page(server: Server) -> None:
    with server.http() as http:
        http.post(
            "/v1/actions", json={"action": "frobnicate_17", "resource": "sandbox.zyx", "goal": "goal_42"}
        )
    with server.http(admin=True) as http:
        page = http.get("/metrics").text
    assert not re.search("frobnicate|zyx|goal_42|billing", page)
