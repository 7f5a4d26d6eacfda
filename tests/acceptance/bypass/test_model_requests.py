"""Past the model proxy in a request: models, tools and runs in disguise."""

from __future__ import annotations

import json
from typing import Any

import pytest

from tests.acceptance.bypass.scene import (
    ASKING,
    CALL,
    CHAT,
    HI,
    MESSAGES,
    PLANTED,
    RESPONSES,
    Scene,
)
from tests.servers.model import Turn

pytestmark = [pytest.mark.acceptance, pytest.mark.servers]


def raw(before: str, *, path: str = CHAT) -> bytes:
    """A request whose last members are these."""
    whole = json.dumps(ASKING[path])
    return (whole[:-1] + before + "}").encode()


@pytest.mark.parametrize("path", ASKING)
@pytest.mark.parametrize(
    "more",
    [
        ',"model":"gpt-9"',
        ',"mod\\u0065l":"gpt-9"',
        ',"tools":[]',
        ',"messages":[],"messages":[]',
        ',"metadata":{"a":{"b":[{"c":1,"c":2}]}}',
        ',"Model":"gpt-9"',
        ',"MODEL":"gpt-9"',
        ',"mode\u017f":"x","\u212aey":"x"',
        ',"m\u00f6del":"gpt-9"',
        ',"\uff4dodel":"gpt-9"',
        ',"mo\u200bdel":"gpt-9"',
        ',"model ":"gpt-9"',
        ',"model\\u0000":"gpt-9"',
        ',"models":["gpt-9"]',
        ',"fallbacks":["gpt-9"]',
        ',"x":NaN',
        ',"x":Infinity',
        ',"x":-Infinity',
        ',"x":01',
        ',"x":0x1',
        ',"x":+1',
        ',"x":.5',
        ',"x":1e999999',
        ',"x":"\\ud800"',
        ',"x":"\\udc00\\ud800"',
        ',"x":"\\x41"',
        ",\"x\":'a'",
        ',"x":"\t"',
        ',/* a */ "x":1',
        ',// a\n"x":1',
        ',"x":1,',
        ',"x":' + "[" * 3000 + "]" * 3000,
        ',"x":' + '{"a":' * 3000 + "1" + "}" * 3000,
    ],
)
def test_json_that_two_readers_read_differently_reaches_no_model(scene: Scene, path: str, more: str) -> None:
    before = len(scene.model.requests)
    answer = scene.post(path, raw(more, path=path))
    assert answer.status_code == 400, (answer.status_code, answer.text[:300])
    assert answer.json()["error"]["message"]
    assert len(scene.model.requests) == before


@pytest.mark.parametrize("path", ASKING)
@pytest.mark.parametrize(
    "body",
    [
        b"\xef\xbb\xbf" + raw(""),
        raw("").decode().encode("utf-16"),
        raw("").decode().encode("utf-16-le"),
        raw("").decode().encode("utf-32"),
        raw("") + b"\x00",
        raw("") + raw(""),
        raw("") + b"\n{}",
        b"[" + raw("") + b"]",
        b"",
        b"null",
        b"model=scripted-1",
        b")]}'\n" + raw(""),
        raw(',"x":"\udcff"'.encode("utf-8", "surrogateescape").decode("latin-1")).replace(
            b"\xc3\xbf", b"\xff"
        ),
        raw(',"x":"?"').replace(b"?", b"\xc0\xaf"),
        raw(',"x":"?"').replace(b"?", b"\xed\xa0\x80"),
    ],
)
def test_what_is_not_one_object_of_utf_8_reaches_no_model(scene: Scene, path: str, body: bytes) -> None:
    before = len(scene.model.requests)
    assert scene.post(path, body).status_code == 400
    assert len(scene.model.requests) == before


@pytest.mark.parametrize(
    "name",
    [
        "gpt-9",
        "Scripted-1",
        "SCRIPTED-1",
        " scripted-1",
        "\uff53cripted-1",
        "s\u0441ripted-1",
        "openai/gpt-9",
    ],
)
def test_a_model_by_another_spelling_is_another_model(scene: Scene, name: str) -> None:
    before = len(scene.model.requests)
    for path, body in ASKING.items():
        answer = scene.post(path, {**body, "model": name})
        assert answer.status_code in (400, 403, 404), (path, answer.text)
    assert len(scene.model.requests) == before


def test_a_model_named_in_other_places_changes_nothing(scene: Scene) -> None:
    body = {**ASKING[CHAT], "metadata": {"model": "gpt-9"}}
    assert scene.post(f"{CHAT}?model=gpt-9&api-version=1", body, x_model="gpt-9").status_code == 200
    sent = scene.model.requests[-1]
    assert (sent.body["model"], sent.query) == ("scripted-1", "")
    before = len(scene.model.requests)
    assert scene.post("/openai/deployments/gpt-9/chat/completions", ASKING[CHAT]).status_code == 403
    assert len(scene.model.requests) == before


@pytest.mark.parametrize("stream", ["true", 1, "yes", [], {}, 0, None, False, "false"])
@pytest.mark.parametrize("path", ASKING)
def test_a_stream_that_is_asked_for_in_a_strange_way_is_guarded_like_any(
    scene: Scene, path: str, stream: Any
) -> None:
    scene.model.say(Turn(text="I will.", tool_calls=[("wipe_disk", {"path": PLANTED})]))
    answer = scene.post(path, {**ASKING[path], "stream": stream})
    assert PLANTED not in answer.text
    assert answer.status_code == 200 and "Nothing is wiped." in answer.text


@pytest.mark.parametrize(
    ("path", "more"),
    [
        (RESPONSES, {"tools": [{"type": "web_search"}]}),
        (RESPONSES, {"tools": [{"type": "web_search_preview_2025_03_11"}]}),
        (RESPONSES, {"tools": [{"type": "Web_Search"}]}),
        (RESPONSES, {"tools": [{"type": "web-search"}]}),
        (RESPONSES, {"tools": [{"type": "namespace", "name": "a", "tools": [{"type": "web_search"}]}]}),
        (CHAT, {"tools": [{"type": "web_search"}]}),
        (CHAT, {"web_search_options": {}}),
        (CHAT, {"plugins": [{"id": "web_search"}]}),
        (MESSAGES, {"tools": [{"type": "web_search_20250305", "name": "web_search"}]}),
        (MESSAGES, {"tools": [{"type": "web_search_20250305", "name": "read_file"}]}),
        (MESSAGES, {"tools": [{"type": "WEB_SEARCH_20250305", "name": "x"}]}),
    ],
)
def test_a_tool_of_the_providers_in_any_disguise_is_cleared_first(
    scene: Scene, path: str, more: dict[str, Any]
) -> None:
    before = len(scene.model.requests)
    answer = scene.post(path, {**ASKING[path], **more})
    assert answer.status_code == 403, answer.text
    assert len(scene.model.requests) == before


@pytest.mark.parametrize(
    ("path", "more", "tool"),
    [
        (
            RESPONSES,
            {"tools": [{"type": "mcp", "server_label": "a", "server_url": "https://a.example"}]},
            "mcp",
        ),
        (RESPONSES, {"tools": [{"type": "code_interpreter", "container": "cntr_1"}]}, "code_interpreter"),
        (RESPONSES, {"tools": [{"type": "file_search", "vector_store_ids": ["vs_1"]}]}, "file_search"),
        (RESPONSES, {"tools": [{"type": "made_up_tomorrow"}]}, "made_up_tomorrow"),
        (RESPONSES, {"conversation": "conv_of_another"}, "stored_conversation"),
        (RESPONSES, {"prompt": {"id": "pmpt_1"}}, "stored_prompt"),
        (MESSAGES, {"mcp_servers": [{"type": "url", "url": "https://a.example", "name": "a"}]}, "mcp"),
        (MESSAGES, {"container": "cntr_1"}, "container"),
        (MESSAGES, {"tools": [{"type": "code_execution_20250825", "name": "a"}]}, "code_execution_20250825"),
        (MESSAGES, {"tools": [{"type": "custom_made_up", "name": "a"}]}, "custom_made_up"),
        (MESSAGES, {"tools": [{"type": "mcp_toolset", "mcp_server_name": "a"}]}, "mcp_toolset"),
        (CHAT, {"tools": [{"type": "made_up_tomorrow"}]}, "made_up_tomorrow"),
    ],
)
def test_what_the_provider_would_run_is_an_action_that_a_policy_stops(
    scene: Scene, path: str, more: dict[str, Any], tool: str
) -> None:
    with scene.server.http(admin=True) as admin:
        rule = {"name": "one", "rule": "block", "condition": {"tool": tool}}
        assert admin.post("/v1/policies", json=rule).status_code == 201
        before = len(scene.model.requests)
        try:
            assert scene.post(path, {**ASKING[path], **more}).status_code == 403
        finally:
            admin.delete("/v1/policies/one")
    assert len(scene.model.requests) == before


@pytest.mark.parametrize("kind", [["function"], {"a": 1}, 1, True, ""])
@pytest.mark.parametrize("path", ASKING)
def test_a_tool_whose_type_is_no_word_reaches_no_model(scene: Scene, path: str, kind: Any) -> None:
    before = len(scene.model.requests)
    answer = scene.post(path, {**ASKING[path], "tools": [{"type": kind, "name": "read_file"}]})
    assert answer.status_code == 400, answer.text
    assert len(scene.model.requests) == before


def test_another_agents_run_hold_and_answers_are_nobodys(scene: Scene) -> None:
    with scene.server.http() as http:
        mine = http.post("/v1/runs", json={}).json()["run_id"]
    body = ASKING[RESPONSES]
    answer_id = scene.post(RESPONSES, body).json()["id"]
    before = len(scene.model.requests)
    for path, more, headers in (
        (f"/r/{mine}{CHAT}", ASKING[CHAT], {}),
        (CHAT, ASKING[CHAT], {"clearance_run": mine}),
        (CHAT, {**ASKING[CHAT], "metadata": {"clearance_run": mine}}, {}),
        (RESPONSES, {**body, "previous_response_id": answer_id}, {}),
    ):
        answer = scene.post(path, more, scene.other, **headers)
        assert answer.status_code in (403, 404), answer.text
    assert scene.post(CHAT, ASKING[CHAT], clearance_run=mine).status_code == 200
    assert len(scene.model.requests) == before + 1


def test_nobody_goes_on_from_an_answer_that_it_only_says_it_was_given(scene: Scene) -> None:
    """An agent tells outcomes of its own actions; what it tells is not what a provider answered."""
    answer_id = scene.post(RESPONSES, ASKING[RESPONSES]).json()["id"]
    with scene.server.http() as plain:
        forger = {"authorization": f"Bearer {scene.other}"}
        told = {"action": "responses", "operation": "model_call", "resource": "model:scripted-1"}
        cleared = plain.post("/v1/actions", json=told, headers=forger).json()
        assert cleared["effect"] == "allow", cleared
        outcome = {"status": "succeeded", "result": {"id": answer_id}}
        path = f"/v1/actions/{cleared['action_id']}/outcome"
        assert plain.post(path, json=outcome, headers=forger).status_code == 200
    before = len(scene.model.requests)
    answer = scene.post(RESPONSES, {**ASKING[RESPONSES], "previous_response_id": answer_id}, scene.other)
    assert answer.status_code == 404, answer.text
    assert len(scene.model.requests) == before


def test_a_result_that_names_no_call_is_not_taken_while_policies_look_at_results(scene: Scene) -> None:
    old = {"role": "assistant", "content": None, "function_call": {"name": "read_file", "arguments": "{}"}}
    result = {"role": "function", "name": "read_file", "content": "ann@example.com"}
    body = {**ASKING[CHAT], "messages": [*HI, old, result]}
    assert scene.post(CHAT, body).status_code == 200
    rule = {"name": "emails", "rule": "redact", "at": "post_tool_call", "redact": {"patterns": ["email"]}}
    with scene.server.http(admin=True) as admin:
        assert admin.post("/v1/policies", json=rule).status_code == 201
        try:
            before = len(scene.model.requests)
            assert scene.post(CHAT, body).json()["error"]["code"] == "not_offered"
            assert len(scene.model.requests) == before
        finally:
            admin.delete("/v1/policies/emails")


def test_a_result_of_a_call_that_was_refused_closes_nothing(scene: Scene) -> None:
    scene.model.say(Turn(tool_calls=[("wipe_disk", {})]))
    scene.post(CHAT, ASKING[CHAT])
    call_id = scene.records(kind="outcome", operation="model_call")[0]["body"]["result"]["tool_calls"][0][
        "id"
    ]
    before = [one["action_id"] for one in scene.records(kind="outcome", tool="wipe_disk")]
    said = {"role": "assistant", "content": None, "tool_calls": [{**CALL, "id": call_id}]}
    result = {"role": "tool", "tool_call_id": call_id, "content": "wiped"}
    scene.post(CHAT, {**ASKING[CHAT], "messages": [*HI, said, result]})
    assert [one["action_id"] for one in scene.records(kind="outcome", tool="wipe_disk")] == before
