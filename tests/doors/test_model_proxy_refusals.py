"""What the model proxy refuses, and how the SDKs of OpenAI and Anthropic tell it to their programs."""

from __future__ import annotations

import json
from collections.abc import Iterator
from typing import Any

import anthropic as anthropic_sdk
import httpx
import openai as openai_sdk
import pytest
from anthropic import Anthropic
from openai import OpenAI

from clearance.core.model import Role
from tests.conftest import Server
from tests.doors.approvers import agent_key_of, http_of, token_of
from tests.doors.proxied import PROVIDER_KEY, policy, proxied, records
from tests.servers.model import ScriptedModel, Turn

pytestmark = pytest.mark.servers  # takes its time

NAMES = ("read_file", "wipe_disk", "pay", "note", "look_up")
TOOLS: list[Any] = [
    {"type": "function", "function": {"name": name, "parameters": {"type": "object"}}} for name in NAMES
]
RESPONSES_TOOLS: list[Any] = [
    {"type": "function", "name": name, "parameters": {"type": "object"}, "strict": False} for name in NAMES
]
MESSAGES_TOOLS: list[Any] = [{"name": name, "input_schema": {"type": "object"}} for name in NAMES]
BUDGET = {
    "fact": "output_tokens",
    "match": {"operation": "model_call"},
    "of": "agent",
    "seconds": 3600,
    "exceeds": 100,
}
HI: list[Any] = [{"role": "user", "content": "Hi."}]
POLICIES: list[dict[str, Any]] = [
    {
        "name": "models",
        "rule": "block",
        "at": "pre_model_call",
        "condition": {"none": [{"resource": "model:scripted-*"}]},
        "message": "Only scripted models.",
    },
    {"name": "wipe", "rule": "block", "condition": {"tool": "wipe_disk"}, "message": "Nothing is wiped."},
    {"name": "pay", "rule": "require_approval", "condition": {"tool": "pay"}},
    {
        "name": "notes",
        "rule": "redact",
        "condition": {"tool": "note"},
        "redact": {"patterns": ["email"]},
    },
    {
        "name": "no_search",
        "rule": "block",
        "condition": {"tool": "web_search*"},
        "message": "No searching.",
    },
    {
        "name": "ask_first",
        "rule": "require_approval",
        "at": "pre_model_call",
        "condition": {"resource": "model:scripted-2"},
    },
    {
        "name": "results",
        "rule": "redact",
        "at": "post_tool_call",
        "condition": {"tool": "read_file"},
        "redact": {"patterns": ["email"]},
    },
    {
        "name": "hidden",
        "rule": "block",
        "at": "post_tool_call",
        "condition": {"tool": "look_up", "argument": {"result": {"matches": "TOP SECRET"}}},
        "message": "That file stays closed.",
    },
    {
        "name": "answers",
        "rule": "redact",
        "at": "post_model_call",
        "redact": {"patterns": ["iban"]},
    },
]


@pytest.fixture(scope="module")
def door(model: ScriptedModel, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    with proxied(tmp_path_factory.mktemp("door"), model) as server:
        for one in POLICIES:
            policy(server, **one)
        yield server


@pytest.fixture
def client(door: Server) -> OpenAI:
    return OpenAI(base_url=f"{door.url}/openai/v1", api_key=door.agent_key, max_retries=2)


@pytest.fixture
def claude(door: Server) -> Anthropic:
    return Anthropic(base_url=f"{door.url}/anthropic", api_key=door.agent_key, max_retries=2)


def post(door: Server, path: str, body: Any, **headers: str) -> httpx.Response:
    content = body if isinstance(body, bytes) else json.dumps(body).encode()
    sent = {"authorization": f"Bearer {door.agent_key}"} | {
        name.replace("_", "-"): value for name, value in headers.items()
    }
    return httpx.post(f"{door.url}{path}", content=content, headers=sent, timeout=20)


# The call itself


def test_a_model_that_no_policy_allows_is_refused_as_openais_sdk_expects(
    model: ScriptedModel, client: OpenAI
) -> None:
    before = len(model.requests)
    with pytest.raises(openai_sdk.PermissionDeniedError) as refused:
        client.chat.completions.create(model="gpt-9", messages=HI)
    assert refused.value.code == "policy_block"
    assert "Only scripted models." in refused.value.message
    assert len(model.requests) == before


def test_a_model_that_no_policy_allows_is_refused_as_anthropics_sdk_expects(
    model: ScriptedModel, claude: Anthropic
) -> None:
    before = len(model.requests)
    with pytest.raises(anthropic_sdk.PermissionDeniedError) as refused:
        claude.messages.create(model="claude-9", max_tokens=9, messages=HI)
    assert refused.value.body["error"]["type"] == "permission_error"  # type: ignore[index]
    assert "Only scripted models." in str(refused.value)
    assert len(model.requests) == before


def test_models_that_may_not_be_called_are_not_listed(door: Server, client: OpenAI) -> None:
    policy(
        door,
        name="one_less",
        rule="block",
        at="pre_model_call",
        condition={"resource": "model:scripted-1"},
    )
    try:
        assert {one.id for one in client.models.list()} == {"scripted-2"}
        with pytest.raises(openai_sdk.NotFoundError):
            client.models.retrieve("scripted-1")
    finally:
        with door.http(admin=True) as admin:
            admin.delete("/v1/policies/one_less")


def test_no_key_or_two_keys_are_refused_in_the_providers_form(door: Server) -> None:
    with pytest.raises(openai_sdk.AuthenticationError):
        OpenAI(base_url=f"{door.url}/openai/v1", api_key="clr_nobody", max_retries=0).models.list()
    with pytest.raises(anthropic_sdk.AuthenticationError):
        Anthropic(base_url=f"{door.url}/anthropic", api_key="clr_nobody", max_retries=0).models.list()
    both = post(door, "/openai/v1/embeddings", {"model": "scripted-1", "input": "a"}, x_api_key="clr_other")
    assert both.status_code == 401


@pytest.mark.parametrize(
    ("path", "status"),
    [
        ("/openai/v1/completions", 404),
        ("/openai/v1/files", 404),
        ("/openai/v1/batches", 404),
        ("/openai/v1/realtime", 404),
        ("/openai/v1/responses/resp_1/cancel", 404),
        ("/openai/v1/chat/completions/", 404),
        ("/openai/v1//chat/completions", 404),
        ("/openai/V1/chat/completions", 404),
        ("/openai/v1/models", 405),
        ("/anthropic/v1/complete", 404),
        ("/anthropic/v1/messages/batches", 404),
    ],
)
def test_an_endpoint_that_is_not_read_does_not_pass(
    model: ScriptedModel, door: Server, path: str, status: int
) -> None:
    before = len(model.requests)
    answer = post(door, path, {"model": "scripted-1"})
    assert answer.status_code == status, answer.text
    assert answer.json()["error"]["message"]
    assert len(model.requests) == before


@pytest.mark.parametrize(
    ("body", "code"),
    [
        (b'{"model":"scripted-1","model":"gpt-9","messages":[]}', "duplicate_member"),
        (b'{"model":"scripted-1","mod\\u0065l":"gpt-9","messages":[]}', "duplicate_member"),
        (b'{"model":"scripted-1","Model":"gpt-9","messages":[]}', "unknown_field"),
        (b'{"model":"scripted-1","messages":[{"role":"user","Content":"x"}]}', "unknown_field"),
        (b'{"model":"scripted-1","messages":"hello"}', "wrong_type"),
        (b'{"model":["scripted-1"],"messages":[]}', "wrong_type"),
        (b'{"messages":[]}', "missing_field"),
        (b'{"model":"scripted-1","messages":[', "malformed_json"),
        (b'{"model":"scripted-1","messages":[{"role":"user","content":"\xff"}]}', "not_utf8"),
        (b'{"model":"scripted-1","x":' + b"[" * 5000 + b"]" * 5000 + b"}", "too_deep"),
        (b'["scripted-1"]', "wrong_type"),
    ],
)
def test_a_body_that_can_be_read_in_two_ways_or_not_at_all_is_refused(
    model: ScriptedModel, door: Server, body: bytes, code: str
) -> None:
    before = len(model.requests)
    answer = post(door, "/openai/v1/chat/completions", body)
    assert (answer.status_code, answer.json()["error"]["code"]) == (400, code)
    assert len(model.requests) == before


def test_what_identifies_the_client_or_smuggles_never_reaches_the_provider(
    model: ScriptedModel, door: Server
) -> None:
    headers = {
        "cookie": "clearance_session=cls_x",
        "clearance_run": "",
        "x_forwarded_for": "10.0.0.1",
        "openai_organization": "org-other",
        "x_api_key": door.agent_key,
        "x_http_method_override": "DELETE",
        "anthropic_beta": "tools-2024-04-04",
        "user_agent": "tests/1",
    }
    answer = post(
        door, "/anthropic/v1/messages", {"model": "scripted-1", "max_tokens": 5, "messages": HI}, **headers
    )
    assert answer.status_code == 200, answer.text
    sent = model.requests[-1].headers
    assert set(sent) <= {
        "host", "content-length", "content-type", "accept", "accept-encoding", "user-agent",
        "anthropic-beta", "anthropic-version", "x-api-key",
    }  # fmt: skip
    assert sent["x-api-key"] == PROVIDER_KEY and sent["user-agent"] == "tests/1"
    assert door.agent_key not in str(sent)


def test_the_providers_key_is_never_shown(model: ScriptedModel, door: Server, client: OpenAI) -> None:
    error = {"error": {"message": f"Incorrect API key provided: {PROVIDER_KEY}", "type": "x"}}
    for status in (401, 400):
        model.say(Turn(status=status, error=error))
        with pytest.raises(openai_sdk.APIStatusError) as told:
            client.with_options(max_retries=0).chat.completions.create(model="scripted-1", messages=HI)
        assert told.value.status_code == 502
        assert PROVIDER_KEY not in told.value.response.text


def test_a_providers_error_reaches_the_client_as_it_is(model: ScriptedModel, client: OpenAI) -> None:
    model.say(Turn(status=400, error={"error": {"message": "too long", "type": "x", "code": "y"}}))
    with pytest.raises(openai_sdk.BadRequestError) as told:
        client.chat.completions.create(model="scripted-1", messages=HI)
    assert told.value.code == "y"


def test_a_held_call_goes_through_once_after_a_yes(
    model: ScriptedModel, door: Server, client: OpenAI
) -> None:
    messages: list[Any] = [{"role": "user", "content": "Something that has to be asked."}]
    with pytest.raises(openai_sdk.PermissionDeniedError) as told:
        client.chat.completions.create(model="scripted-2", messages=messages)
    assert told.value.code == "approval_required"
    hold_id = told.value.response.headers["clearance-hold"]
    assert hold_id in told.value.message
    approve(door, hold_id, "carol")
    answer = client.chat.completions.create(model="scripted-2", messages=messages)
    assert answer.choices[0].message.content == "Hello."
    with pytest.raises(openai_sdk.PermissionDeniedError):
        client.chat.completions.create(model="scripted-2", messages=messages)


def approve(door: Server, hold_id: str, name: str) -> None:
    with http_of(door, token_of(door, name, Role.APPROVER)) as person:
        shown = person.get(f"/v1/holds/{hold_id}").json()["shown_hash"]
        assert person.post(f"/v1/holds/{hold_id}/approve", json={"shown": shown}).status_code == 200


# The tool calls that a model asks for


def test_a_blocked_tool_call_is_taken_out_of_a_chat(model: ScriptedModel, client: OpenAI) -> None:
    model.say(Turn(text="I will.", tool_calls=[("wipe_disk", {"path": "/planted/secret/place"})]))
    raw = client.chat.completions.with_raw_response.create(model="scripted-1", messages=HI, tools=TOOLS)
    message = raw.parse().choices[0]
    assert message.message.tool_calls is None
    assert message.finish_reason == "stop"
    assert "I will." in str(message.message.content) and "Nothing is wiped." in str(message.message.content)
    assert "planted" not in raw.http_response.text


def test_only_the_blocked_one_of_two_tool_calls_is_taken_out(model: ScriptedModel, client: OpenAI) -> None:
    model.say(Turn(tool_calls=[("wipe_disk", {}), ("read_file", {"path": "a"})]))
    choice = client.chat.completions.create(model="scripted-1", messages=HI, tools=TOOLS).choices[0]
    assert [call.function.name for call in choice.message.tool_calls or ()] == ["read_file"]  # type: ignore[union-attr]
    assert choice.finish_reason == "tool_calls"


def test_every_choice_is_looked_at(model: ScriptedModel, client: OpenAI) -> None:
    model.say(Turn(tool_calls=[("wipe_disk", {"path": "planted"})], choices=3))
    raw = client.chat.completions.with_raw_response.create(model="scripted-1", messages=HI, tools=TOOLS, n=3)
    assert "planted" not in raw.http_response.text
    assert len(raw.parse().choices) == 3


def test_a_blocked_tool_call_is_taken_out_of_a_response(model: ScriptedModel, client: OpenAI) -> None:
    model.say(Turn(tool_calls=[("wipe_disk", {"path": "planted"})]))
    raw = client.responses.with_raw_response.create(model="scripted-1", input="Hi.", tools=RESPONSES_TOOLS)
    answer = raw.parse()
    assert "Nothing is wiped." in answer.output_text
    assert all(item.type != "function_call" for item in answer.output)
    assert "planted" not in raw.http_response.text


def test_a_blocked_tool_call_is_taken_out_of_a_message(model: ScriptedModel, claude: Anthropic) -> None:
    model.say(Turn(tool_calls=[("wipe_disk", {"path": "planted"})]))
    raw = claude.messages.with_raw_response.create(
        model="scripted-1", max_tokens=50, messages=HI, tools=MESSAGES_TOOLS
    )
    answer = raw.parse()
    assert answer.stop_reason == "end_turn"
    assert "Nothing is wiped." in "".join(one.text for one in answer.content if one.type == "text")
    assert "planted" not in raw.http_response.text


@pytest.mark.parametrize(
    ("name", "arguments", "code"),
    [
        ("wipe_disc", "{}", "tool_not_offered"),
        ("read_file", '{"a":1,"a":2}', "duplicate_member"),
        ("read_file", '["a"]', "wrong_type"),
        ("read_file", '{"a":', "malformed_json"),
    ],
)
def test_a_tool_call_that_cannot_be_told_is_refused_and_recorded(
    model: ScriptedModel, door: Server, client: OpenAI, name: str, arguments: str, code: str
) -> None:
    model.say(Turn(tool_calls=[(name, arguments)]))
    choice = client.chat.completions.create(model="scripted-1", messages=HI, tools=TOOLS).choices[0]
    assert choice.message.tool_calls is None
    assert code in str(choice.message.content)
    result = records(door, kind="outcome", operation="model_call")[0]["body"]["result"]
    assert result["tool_calls"][0]["refused"] == code


def test_a_tool_is_judged_by_the_name_that_our_mcp_door_knows(model: ScriptedModel, client: OpenAI) -> None:
    tools: list[Any] = [{"type": "function", "function": {"name": "mcp__clearance__wipe_disk"}}]
    model.say(Turn(tool_calls=[("mcp__clearance__wipe_disk", {})]))
    choice = client.chat.completions.create(model="scripted-1", messages=HI, tools=tools).choices[0]
    assert choice.message.tool_calls is None


def test_a_policy_takes_values_out_of_a_tool_calls_arguments(model: ScriptedModel, client: OpenAI) -> None:
    model.say(Turn(tool_calls=[("note", {"text": "ask ann@example.com"})]))
    choice = client.chat.completions.create(model="scripted-1", messages=HI, tools=TOOLS).choices[0]
    call = (choice.message.tool_calls or ())[0]
    assert json.loads(call.function.arguments) == {"text": "ask [redacted:email]"}  # type: ignore[union-attr]
    assert choice.finish_reason == "tool_calls"


def test_a_held_tool_call_passes_once_somebody_said_yes(
    model: ScriptedModel, door: Server, client: OpenAI
) -> None:
    pay = Turn(tool_calls=[("pay", {"amount": 5})])
    model.say(pay)
    first = client.chat.completions.create(model="scripted-1", messages=HI, tools=TOOLS).choices[0]
    assert first.message.tool_calls is None
    hold_id = records(door, kind="hold", tool="pay")[0]["action_id"]
    with door.http(admin=True) as admin:
        holds = admin.get("/v1/holds").json()["holds"]
    hold = next(one for one in holds if one["action_id"] == hold_id)
    approve(door, hold["hold_id"], "dave")
    model.say(pay)
    messages = [*HI, {"role": "assistant", "content": first.message.content}, *HI]
    again = client.chat.completions.create(model="scripted-1", messages=messages, tools=TOOLS)
    assert [one.function.name for one in again.choices[0].message.tool_calls or ()] == ["pay"]  # type: ignore[union-attr]


# What providers run themselves


@pytest.mark.parametrize(
    ("path", "body"),
    [
        ("/openai/v1/responses", {"input": "a", "tools": [{"type": "web_search"}]}),
        ("/openai/v1/chat/completions", {"messages": HI, "web_search_options": {}}),
        (
            "/anthropic/v1/messages",
            {
                "max_tokens": 5,
                "messages": HI,
                "tools": [{"type": "web_search_20250305", "name": "web_search"}],
            },
        ),
    ],
)
def test_a_tool_that_the_provider_runs_is_cleared_before_anything_is_sent(
    model: ScriptedModel, door: Server, path: str, body: dict[str, Any]
) -> None:
    before = len(model.requests)
    answer = post(door, path, {"model": "scripted-1", **body})
    assert answer.status_code == 403, answer.text
    assert "No searching." in answer.text
    assert len(model.requests) == before


def test_what_the_provider_may_run_is_recorded(model: ScriptedModel, door: Server, client: OpenAI) -> None:
    tools: list[Any] = [{"type": "mcp", "server_label": "docs", "server_url": "https://docs.example/mcp"}]
    client.responses.create(model="scripted-1", input="a", tools=tools)
    intent = records(door, kind="intent", tool="mcp")[0]
    assert intent["body"]["arguments"]["server_url"] == "https://docs.example/mcp"
    assert records(door, kind="outcome", tool="mcp")[0]["status"] == "succeeded"


def test_an_answer_that_would_be_fetched_later_is_not_begun(client: OpenAI) -> None:
    with pytest.raises(openai_sdk.BadRequestError) as told:
        client.responses.create(model="scripted-1", input="a", background=True)
    assert told.value.code == "not_offered"


def test_nobody_goes_on_from_another_agents_answer(door: Server, client: OpenAI) -> None:
    mine = client.responses.create(model="scripted-1", input="a")
    other = OpenAI(base_url=f"{door.url}/openai/v1", api_key=agent_key_of(door, "other"), max_retries=0)
    with pytest.raises(openai_sdk.NotFoundError):
        other.responses.create(model="scripted-1", input="b", previous_response_id=mine.id)


# What comes back


def test_a_result_reaches_the_model_only_as_it_was_judged(
    model: ScriptedModel, door: Server, client: OpenAI
) -> None:
    model.say(Turn(tool_calls=[("read_file", {"path": "a"})]))
    first = client.chat.completions.create(model="scripted-1", messages=HI, tools=TOOLS).choices[0].message
    call_id = (first.tool_calls or ())[0].id
    result = {"role": "tool", "tool_call_id": call_id, "content": "from ann@example.com"}
    messages: list[Any] = [*HI, first.model_dump(exclude_none=True), result]
    for _ in range(2):  # a conversation repeats what was said
        client.chat.completions.create(model="scripted-1", messages=messages, tools=TOOLS)
        told = [one for one in model.requests[-1].body["messages"] if one["role"] == "tool"]
        assert [one["content"] for one in told] == ["from [redacted:email]"]
        assert b"ann@example.com" not in model.requests[-1].raw
        messages += [{"role": "assistant", "content": "Hello."}, *HI]
        client.chat.completions.create(model="scripted-1", messages=messages, tools=TOOLS)
        assert b"ann@example.com" not in model.requests[-1].raw
    assert records(door, kind="outcome", tool="read_file")[0]["body"]["redacted"]


def test_a_result_that_is_withheld_is_replaced_by_the_reason(model: ScriptedModel, claude: Anthropic) -> None:
    model.say(Turn(tool_calls=[("look_up", {"path": "a"})]))
    first = claude.messages.create(model="scripted-1", max_tokens=50, messages=HI, tools=MESSAGES_TOOLS)
    use = next(one for one in first.content if one.type == "tool_use")
    result = {"type": "tool_result", "tool_use_id": use.id, "content": "TOP SECRET: 42"}
    messages: list[Any] = [
        *HI,
        {"role": "assistant", "content": first.content},
        {"role": "user", "content": [result]},
    ]
    claude.messages.create(model="scripted-1", max_tokens=50, messages=messages, tools=MESSAGES_TOOLS)
    assert b"TOP SECRET" not in model.requests[-1].raw
    assert b"That file stays closed." in model.requests[-1].raw


def test_a_policy_takes_values_out_of_an_answer(model: ScriptedModel, client: OpenAI) -> None:
    model.say(Turn(text="Pay to DE89 3704 0044 0532 0130 00 now."))
    answer = client.chat.completions.create(model="scripted-1", messages=HI)
    assert answer.choices[0].message.content == "Pay to [redacted:iban] now."


@pytest.mark.parametrize("cut", [0, 3])
def test_an_answer_that_breaks_off_is_a_clear_error(
    model: ScriptedModel, door: Server, client: OpenAI, cut: int
) -> None:
    from tests.servers.model import Wire

    model.say(Turn(text="A long answer.", wire=Wire(cut_after=cut)))
    with pytest.raises(openai_sdk.APIStatusError) as told:
        client.with_options(max_retries=0).chat.completions.create(model="scripted-1", messages=HI)
    assert (told.value.status_code, told.value.body["code"]) == (502, "upstream_truncated")  # type: ignore[index]
    assert records(door, kind="outcome", operation="model_call")[0]["status"] == "failed"


def test_a_client_that_goes_away_stops_the_provider(model: ScriptedModel, door: Server) -> None:
    model.say(Turn(text="Late.", wait=3.0))
    body = {"model": "scripted-1", "messages": HI}
    with pytest.raises(httpx.ReadTimeout):
        httpx.post(
            f"{door.url}/openai/v1/chat/completions",
            json=body,
            headers={"authorization": f"Bearer {door.agent_key}"},
            timeout=0.5,
        )
    for _ in range(50):
        outcome = records(door, kind="outcome", operation="model_call")[0]
        if "went away" in outcome["body"].get("error", ""):
            break
    assert "cancelled: the client went away" in outcome["body"]["error"]


@pytest.mark.parametrize("stream", [False, True])
def test_a_value_that_is_kept_from_the_model_is_put_back_into_its_answer(
    model: ScriptedModel, door: Server, client: OpenAI, stream: bool
) -> None:
    def echo(asked: Any) -> Turn:
        text = asked.body["messages"][0]["content"]
        return Turn(text=f"You said: {text}", tool_calls=[("read_file", {"to": text})])

    policy(
        door,
        name="keep",
        rule="redact",
        at="pre_model_call",
        condition={},
        redact={"patterns": ["email"], "restore": True},
    )
    model.say(echo)
    messages: list[Any] = [{"role": "user", "content": "ann@example.com and bob@example.com"}]
    try:
        with client.chat.completions.stream(model="scripted-1", messages=messages, tools=TOOLS) as events:
            message: Any = events.get_final_completion().choices[0].message
        if not stream:
            whole = client.chat.completions.create(model="scripted-1", messages=messages, tools=TOOLS)
            message = whole.choices[0].message
    finally:
        model.say(lambda _: Turn(text="Hello."))
        with door.http(admin=True) as admin:
            admin.delete("/v1/policies/keep")
    assert message.content == "You said: ann@example.com and bob@example.com"
    assert json.loads(message.tool_calls[0].function.arguments) == {
        "to": "ann@example.com and bob@example.com"
    }
    assert b"example.com" not in model.requests[-1].raw
    outcome = records(door, kind="outcome", operation="model_call")[0]["body"]
    assert "example.com" not in json.dumps(outcome)


def test_a_budget_holds_back_what_a_call_may_cost_and_settles_what_it_did(
    model: ScriptedModel, door: Server
) -> None:
    key = agent_key_of(door, "thrifty")
    policy(
        door,
        name="budget",
        rule="block",
        at="pre_model_call",
        condition={
            "agent": "thrifty",
            "sum_within": BUDGET,
        },
        message="The budget is spent.",
    )
    client = OpenAI(base_url=f"{door.url}/openai/v1", api_key=key, max_retries=0)
    for _ in range(3):  # each holds back 60 and takes 10
        model.say(Turn(text="A.", usage=(5, 10)))
        client.chat.completions.create(model="scripted-1", messages=HI, max_tokens=60)
    with pytest.raises(openai_sdk.PermissionDeniedError) as refused:
        client.chat.completions.create(model="scripted-1", messages=HI, max_tokens=71)
    assert "The budget is spent." in refused.value.message
    client.chat.completions.create(model="scripted-1", messages=HI, max_tokens=70)
