"""The shell around a guarded stream: recorded, cut off by the brake, cancelled with its client."""

from __future__ import annotations

import time
from collections.abc import Iterator
from typing import Any

import openai as openai_sdk
import pytest
from openai import OpenAI

from tests.conftest import Server
from tests.doors.proxied import policy, proxied, records
from tests.servers.model import ScriptedModel, Turn, Wire

pytestmark = pytest.mark.servers  # takes its time

HI: list[Any] = [{"role": "user", "content": "Hi."}]
TOOLS: list[Any] = [
    {"type": "function", "function": {"name": name, "parameters": {"type": "object"}}}
    for name in ("read_file", "wipe_disk")
]


@pytest.fixture(scope="module")
def door(model: ScriptedModel, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    with proxied(tmp_path_factory.mktemp("door"), model) as server:
        policy(
            server, name="wipe", rule="block", condition={"tool": "wipe_disk"}, message="Nothing is wiped."
        )
        policy(
            server,
            name="ibans",
            rule="redact",
            at="post_model_call",
            condition={},
            redact={"patterns": ["iban"]},
        )
        yield server


@pytest.fixture
def client(door: Server) -> OpenAI:
    return OpenAI(base_url=f"{door.url}/openai/v1", api_key=door.agent_key, max_retries=0)


def outcome(door: Server) -> dict[str, Any]:
    body: dict[str, Any] = records(door, kind="outcome", operation="model_call")[0]["body"]
    return body


def said(client: OpenAI, **more: Any) -> str:
    chunks = client.chat.completions.create(model="scripted-1", messages=HI, stream=True, **more)
    return "".join(chunk.choices[0].delta.content or "" for chunk in chunks if chunk.choices)


def test_a_stream_is_recorded_before_the_client_sees_its_end(
    model: ScriptedModel, door: Server, client: OpenAI
) -> None:
    model.say(Turn(text="Good day to you.", usage=(30, 4)))
    assert said(client, stream_options={"include_usage": True}) == "Good day to you."
    result = outcome(door)["result"]
    assert result["texts"] == ["Good day to you."]
    assert result["usage"]["input_tokens"] == 30
    assert 0 < result["time_to_first_token_seconds"] <= result["latency_seconds"]


def test_a_stream_shows_no_blocked_tool_call_and_its_run_goes_on(
    model: ScriptedModel, door: Server, client: OpenAI
) -> None:
    model.say(Turn(text="I will.", tool_calls=[("wipe_disk", {"path": "planted"}), ("read_file", {"a": 1})]))
    with client.chat.completions.stream(model="scripted-1", messages=HI, tools=TOOLS) as stream:
        final = stream.get_final_completion().choices[0].message
    assert [call.function.name for call in final.tool_calls or ()] == ["read_file"]
    assert "Nothing is wiped." in str(final.content)
    calls = outcome(door)["result"]["tool_calls"]
    assert [call.get("refused", "") for call in calls] == ["policy_block", ""]
    result = {"role": "tool", "tool_call_id": (final.tool_calls or ())[0].id, "content": "done"}
    messages = [*HI, final.model_dump(exclude_none=True, exclude={"parsed"}), result]
    client.chat.completions.create(model="scripted-1", messages=messages, tools=TOOLS)
    closed = records(door, kind="outcome", tool="read_file")[0]
    assert closed["body"]["result"] == "done"


def test_what_a_policy_takes_out_of_a_stream_is_not_recorded_either(
    model: ScriptedModel, door: Server, client: OpenAI
) -> None:
    model.say(Turn(text="Pay to DE89 3704 0044 0532 0130 00 now."))
    assert said(client) == "Pay to [redacted:iban] now."
    assert outcome(door)["result"]["texts"] == ["Pay to [redacted:iban] now."]


def test_a_client_that_goes_away_stops_the_provider_at_once(
    model: ScriptedModel, door: Server, client: OpenAI
) -> None:
    model.say(Turn(text="x" * 2000, delay=0.02))
    stream = client.chat.completions.create(model="scripted-1", messages=HI, stream=True)
    next(iter(stream))
    stream.close()
    deadline = time.monotonic() + 5
    while time.monotonic() < deadline and not model.requests[-1].cancelled:
        time.sleep(0.05)
    assert model.requests[-1].cancelled
    assert outcome(door)["error"] == "cancelled: the client went away"


def test_the_brake_ends_a_stream_that_flows(model: ScriptedModel, door: Server, client: OpenAI) -> None:
    model.say(Turn(text="x" * 2000, delay=0.02))
    stream = client.chat.completions.create(model="scripted-1", messages=HI, stream=True)
    next(iter(stream))
    with door.http(admin=True) as admin:
        assert admin.put("/v1/brake/agent/billing", json={"reason": "enough"}).is_success
    try:
        with pytest.raises(openai_sdk.APIError):
            for _ in stream:
                pass
    finally:
        with door.http(admin=True) as admin:
            admin.delete("/v1/brake/agent/billing")
    assert outcome(door)["status"] == "failed"


@pytest.mark.parametrize("wire", [Wire(cut_after=3), Wire(without_end=True), Wire(error_after=2)])
def test_a_stream_that_breaks_off_ends_as_an_error(
    model: ScriptedModel, door: Server, client: OpenAI, wire: Wire
) -> None:
    model.say(Turn(text="Never to be finished.", wire=wire))
    with pytest.raises(openai_sdk.APIError):
        said(client)
    assert outcome(door)["status"] == "failed"
