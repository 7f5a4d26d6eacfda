"""Bad input: a clear error with a stable code, no payload in it, and nothing stored."""

from __future__ import annotations

from collections.abc import Iterator

import httpx
import pytest
import yaml

from tests.conftest import Server

pytestmark = pytest.mark.servers  # takes its time

JSON = {"content-type": "application/json"}
DEEP = 10_000
BODIES: dict[str, tuple[bytes, int, str]] = {
    "nothing": (b"", 400, "malformed_json"),
    "half an object": (b'{"action": "read"', 400, "malformed_json"),
    "not json": (b"hello", 400, "malformed_json"),
    "two values": (b'{"action":"read"}{"action":"read"}', 400, "malformed_json"),
    "bad utf-8": (b'{"action":"\xff\xfe"}', 400, "not_utf8"),
    "an array": (b"[]", 400, "wrong_type"),
    "null": (b"null", 400, "wrong_type"),
    "a missing action": (b"{}", 400, "missing_field"),
    "an unknown field": (b'{"action":"read","actoin":1}', 400, "unknown_field"),
    "a number for a name": (b'{"action":7}', 400, "wrong_type"),
    "an empty name": (b'{"action":""}', 400, "wrong_type"),
    "a blank name": (b'{"action":"  "}', 400, "empty_action"),
    "a list as arguments": (b'{"action":"read","arguments":[1]}', 400, "wrong_type"),
    "an invented verb": (b'{"action":"x","operation":"SECRETVALUE"}', 400, "wrong_value"),
    "a number out of range": (b'{"action":"x","facts":{"n":1e999}}', 400, "wrong_value"),
    "a run id with a newline": (b'{"action":"x","run_id":"a\\nb"}', 400, "wrong_type"),
    "a run that is not": (b'{"action":"x","run_id":"run_none"}', 404, "not_found"),
    "a deep object": (
        b'{"action":"x","arguments":' + b'{"a":' * DEEP + b"1" + b"}" * DEEP + b"}",
        400,
        "too_deep",
    ),
    "a deep array": (b'{"action":"x","arguments":{"a":' + b"[" * DEEP + b"]" * DEEP + b"}}", 400, "too_deep"),
    "a huge body": (b'{"action":"x","goal":"' + b"a" * (5 << 20) + b'"}', 413, "body_too_large"),
}


@pytest.fixture(scope="module")
def agent(server: Server) -> Iterator[httpx.Client]:
    with server.http() as http:
        yield http


@pytest.mark.parametrize("name", BODIES)
def test_a_bad_action_is_refused_with_its_code_and_nothing_is_stored(agent: httpx.Client, name: str) -> None:
    body, status, code = BODIES[name]
    before = agent.get("/v1/records?limit=1").json()
    answer = agent.post("/v1/actions", content=body, headers=JSON)
    assert (answer.status_code, answer.json()["error"]["code"]) == (status, code)
    assert "SECRETVALUE" not in answer.text
    assert agent.get("/v1/records?limit=1").json() == before


def test_every_code_the_door_gives_is_in_the_published_list() -> None:
    from pathlib import Path

    listed = yaml.safe_load((Path(__file__).parents[2] / "spec/error_codes.yaml").read_text())
    assert {code for _, _, code in BODIES.values()} <= set(listed)


@pytest.mark.parametrize(
    "arguments",
    [
        {"text": "a\u0000b", "\u0000": 1},
        {"text": "\u202e\x1b[31m"},
        {"n": 2**70, "m": -(2**70), "f": 1e308},
        {"": {"": [None, True, [], {}]}},
        {"a": ["x" * 100_000]},
        {"deep": eval("[" * 60 + "]" * 60)},
    ],
)
def test_strange_but_valid_values_are_judged_and_stored(agent: httpx.Client, arguments: object) -> None:
    answer = agent.post("/v1/actions", json={"action": "get_it", "arguments": arguments})
    assert answer.status_code == 200
    records = agent.get(f"/v1/runs/{answer.json()['run_id']}/trace")
    assert records.status_code == 200
    assert len(records.json()["records"]) == 2


def test_a_value_nested_nine_hundred_deep_is_judged_or_refused_but_never_fails(agent: httpx.Client) -> None:
    body = b'{"action":"get_it","arguments":' + b'{"a":' * 900 + b"1" + b"}" * 900 + b"}"
    answer = agent.post("/v1/actions", content=body, headers=JSON)
    assert answer.status_code in (200, 400)


def test_unknown_paths_methods_and_queries_have_codes(agent: httpx.Client) -> None:
    for method, path, status, code in (
        ("GET", "/v2/none", 404, "no_such_path"),
        ("DELETE", "/v1/actions", 405, "method_not_allowed"),
        ("GET", "/v1/runs?limit=0", 400, "bad_query"),
        ("GET", "/v1/runs?limit=many", 400, "bad_query"),
        ("GET", "/v1/runs?colour=red", 400, "bad_query"),
        ("GET", "/v1/records?since=yesterday", 400, "bad_query"),
    ):
        answer = agent.request(method, path)
        assert (answer.status_code, answer.json()["error"]["code"]) == (status, code), path


@pytest.mark.parametrize("header", ["", "Basic YTpi", "Bearer", "Bearer clr__", "Bearer clr_x_y", "bearer x"])
def test_no_header_but_a_good_key_opens_the_door(server: Server, header: str) -> None:
    answer = httpx.post(
        f"{server.url}/v1/actions", json={"action": "read"}, headers={"Authorization": header}
    )
    assert (answer.status_code, answer.json()["error"]["code"]) == (401, "unauthenticated")
