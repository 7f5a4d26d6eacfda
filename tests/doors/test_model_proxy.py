"""The model proxy before unmodified SDKs of OpenAI and Anthropic: what passes, and how it is recorded."""

from __future__ import annotations

import json
from collections.abc import Iterator
from typing import Any

import httpx
import pytest
from anthropic import Anthropic, AsyncAnthropic
from openai import AsyncOpenAI, AzureOpenAI, OpenAI
from pydantic import BaseModel

from tests.conftest import Server
from tests.doors.proxied import PROVIDER_KEY, proxied, records
from tests.servers.model import ScriptedModel, Turn, scripted_model

pytestmark = pytest.mark.servers  # takes its time

__all__ = ["scripted_model"]  # a fixture
PIXEL = "iVBORw0KGgoAAAANSUhEUgAAAAEAAAABCAYAAAAfFcSJAAAADUlEQVR4nGNgYGBgAAAABQABpfZFQAAAAABJRU5ErkJggg=="
WEATHER = {
    "type": "function",
    "function": {"name": "weather", "parameters": {"type": "object", "properties": {}}},
}


@pytest.fixture(scope="module")
def door(model: ScriptedModel, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    prices = {"scripted-*": {"input": 1000.0, "output": 2000.0}}
    with proxied(tmp_path_factory.mktemp("door"), model, prices=prices) as server:
        yield server


def openai(server: Server, **more: Any) -> OpenAI:
    return OpenAI(base_url=f"{server.url}/openai/v1", api_key=server.agent_key, max_retries=0, **more)


def anthropic(server: Server, **more: Any) -> Anthropic:
    return Anthropic(base_url=f"{server.url}/anthropic", api_key=server.agent_key, max_retries=0, **more)


def ask(text: str = "Say hello.") -> list[Any]:
    return [{"role": "user", "content": text}]


def test_the_openai_sdk_converses_when_only_address_and_key_are_changed(
    model: ScriptedModel, door: Server
) -> None:
    model.say(Turn(text="Good day."))
    answer = openai(door).chat.completions.create(model="scripted-1", messages=ask())
    assert answer.choices[0].message.content == "Good day."
    sent = model.requests[-1]
    assert sent.headers["authorization"] == f"Bearer {PROVIDER_KEY}"
    assert sent.body == {"messages": ask(), "model": "scripted-1"}


def test_the_responses_of_openai_pass_too(model: ScriptedModel, door: Server) -> None:
    model.say(Turn(text="Good day."))
    answer = openai(door).responses.create(model="scripted-1", input="Say hello.")
    assert answer.output_text == "Good day."
    assert model.requests[-1].path == "/v1/responses"


def test_the_anthropic_sdk_converses_when_only_address_and_key_are_changed(
    model: ScriptedModel, door: Server
) -> None:
    model.say(Turn(text="Good day."))
    answer = anthropic(door).messages.create(model="scripted-1", max_tokens=50, messages=ask())
    assert answer.content[0].type == "text" and answer.content[0].text == "Good day."
    sent = model.requests[-1]
    assert sent.headers["x-api-key"] == PROVIDER_KEY
    assert "authorization" not in sent.headers


async def test_the_asynchronous_sdks_do_as_well(model: ScriptedModel, door: Server) -> None:
    async with AsyncOpenAI(base_url=f"{door.url}/openai/v1", api_key=door.agent_key) as client:
        model.say(Turn(text="One."))
        answer = await client.chat.completions.create(model="scripted-1", messages=ask())
        assert answer.choices[0].message.content == "One."
    async with AsyncAnthropic(base_url=f"{door.url}/anthropic", api_key=door.agent_key) as other:
        model.say(Turn(text="Two."))
        message = await other.messages.create(model="scripted-1", max_tokens=50, messages=ask())
        assert message.content[0].type == "text" and message.content[0].text == "Two."


def test_azures_client_names_the_deployment_and_that_is_the_model(model: ScriptedModel, door: Server) -> None:
    client = AzureOpenAI(azure_endpoint=door.url, api_key=door.agent_key, api_version="2024-10-21")
    model.say(Turn(text="Azure."))
    answer = client.chat.completions.create(model="scripted-1", messages=ask())
    assert answer.choices[0].message.content == "Azure."
    other = AzureOpenAI(
        azure_endpoint=door.url,
        azure_deployment="scripted-2",
        api_key=door.agent_key,
        api_version="2024-10-21",
    )
    other.chat.completions.create(model="something-else", messages=ask())
    assert model.requests[-1].body["model"] == "scripted-2"


def test_structured_output_is_parsed_by_the_sdk(model: ScriptedModel, door: Server) -> None:
    class City(BaseModel):
        name: str

    model.say(Turn(text='{"name": "Paris"}'))
    answer = openai(door).chat.completions.parse(model="scripted-1", messages=ask(), response_format=City)
    assert answer.choices[0].message.parsed == City(name="Paris")
    assert model.requests[-1].body["response_format"]["json_schema"]["name"] == "City"


def test_an_allowed_tool_call_reaches_the_agent_and_its_result_the_model(
    model: ScriptedModel, door: Server
) -> None:
    client = openai(door)
    model.say(Turn(tool_calls=[("weather", {"city": "Paris"})]), Turn(text="Sunny."))
    first = client.chat.completions.create(model="scripted-1", messages=ask("Weather?"), tools=[WEATHER])  # type: ignore[list-item]
    call = first.choices[0].message.tool_calls[0]  # type: ignore[index]
    assert json.loads(call.function.arguments) == {"city": "Paris"}  # type: ignore[union-attr]
    messages = [
        *ask("Weather?"),
        first.choices[0].message.model_dump(exclude_none=True),
        {"role": "tool", "tool_call_id": call.id, "content": "21 degrees"},
    ]
    last = client.chat.completions.create(model="scripted-1", messages=messages, tools=[WEATHER])  # type: ignore[arg-type]
    assert last.choices[0].message.content == "Sunny."
    ended = records(door, kind="outcome", tool="weather")[0]
    assert ended["status"] == "succeeded"
    assert ended["body"]["result"] == "21 degrees"
    run = records(door, run_id=ended["run_id"])
    assert [record["kind"] for record in reversed(run)] == [
        "run_started",
        "intent",  # the first call of the model
        "intent",  # the tool call that it asked for
        "outcome",
        "outcome",
        "intent",  # the second call of the model
        "outcome",
    ]
    second = next(one for one in run if one["kind"] == "intent")
    assert second["body"]["arguments"]["already_recorded"] == 2
    assert [one["role"] for one in second["body"]["arguments"]["messages"]] == ["tool"]


def test_what_a_call_cost_is_recorded_with_what_was_said(model: ScriptedModel, door: Server) -> None:
    model.say(Turn(text="Dear.", usage=(1000, 500)))
    with_headers = openai(door).chat.completions.with_raw_response.create(
        model="scripted-1", messages=ask("What is this run about?")
    )
    action_id = with_headers.headers["clearance-action"]
    outcome = next(one for one in records(door, kind="outcome") if one["action_id"] == action_id)
    result = outcome["body"]["result"]
    assert result["usage"]["input_tokens"] == 1000 and result["usage"]["output_tokens"] == 500
    assert result["cost_usd"] == 2.0
    assert result["texts"] == ["Dear."]
    assert result["upstream"] == "openai"
    assert outcome["body"]["measured"]["cost_usd"] == 2.0
    started = records(door, run_id=outcome["run_id"], kind="run_started")[0]
    assert started["body"]["goal"] == "What is this run about?"


def test_embeddings_models_and_counts_pass(model: ScriptedModel, door: Server) -> None:
    assert openai(door).embeddings.create(model="scripted-1", input="a text").data[0].embedding
    assert {one.id for one in openai(door).models.list()} == {"scripted-1", "scripted-2"}
    assert openai(door).models.retrieve("scripted-1").id == "scripted-1"
    assert {one.id for one in anthropic(door).models.list()} == {"scripted-1", "scripted-2"}
    count = anthropic(door).messages.count_tokens(model="scripted-1", messages=ask())
    assert count.input_tokens > 0


def test_an_image_passes_byte_for_byte(model: ScriptedModel, door: Server) -> None:
    content = [
        {"type": "text", "text": "What is this?"},
        {"type": "image_url", "image_url": {"url": f"data:image/png;base64,{PIXEL}"}},
    ]
    openai(door).chat.completions.create(
        model="scripted-1",
        messages=[{"role": "user", "content": content}],  # type: ignore[list-item, misc]
    )
    assert model.requests[-1].body["messages"][0]["content"] == content


@pytest.mark.parametrize("path", ["/openai/v1/chat/completions", "/anthropic/v1/messages"])
def test_with_no_policy_the_bytes_of_a_request_and_its_answer_are_the_same(
    model: ScriptedModel, door: Server, path: str
) -> None:
    raw = (
        b'{ "messages":[{"role":"user","content":"\\u00e9 caf\xc3\xa9 10\\/2"}] ,\n'
        b'"max_tokens": 1e1, "big":123456789012345678901234567890, "model":"scripted-1"}'
    )
    direct = httpx.post(f"{model.url}{path.removeprefix('/openai').removeprefix('/anthropic')}", content=raw)
    ours = httpx.post(f"{door.url}{path}", content=raw, headers={"x-api-key": door.agent_key})
    assert ours.status_code == 400  # a maximum that is no integer
    raw = raw.replace(b"1e1", b"10")
    assert direct.status_code == 200
    ours = httpx.post(f"{door.url}{path}", content=raw, headers={"x-api-key": door.agent_key})
    assert ours.status_code == 200, ours.text
    assert model.requests[-1].raw == raw
    assert len(ours.content) >= len(direct.content) - 8


def test_a_run_named_by_path_or_header_holds_the_call(model: ScriptedModel, door: Server) -> None:
    with door.http() as http:
        run_id = http.post("/v1/runs", json={"goal": "by name"}).json()["run_id"]
    client = OpenAI(base_url=f"{door.url}/r/{run_id}/openai/v1", api_key=door.agent_key)
    client.chat.completions.create(model="scripted-1", messages=ask())
    openai(door).chat.completions.create(
        model="scripted-1", messages=ask("again"), extra_headers={"Clearance-Run": run_id}
    )
    intents = records(door, run_id=run_id, kind="intent")
    assert len(intents) == 2


def test_what_goes_on_from_an_answer_joins_its_run(model: ScriptedModel, door: Server) -> None:
    client = openai(door)
    first = client.responses.create(model="scripted-1", input="Begin.")
    client.responses.create(model="scripted-1", input="Go on.", previous_response_id=first.id)
    newest, before, *_ = records(door, kind="intent", tool="responses")
    assert newest["run_id"] == before["run_id"]


def test_conversations_that_only_begin_alike_are_two_runs(model: ScriptedModel, door: Server) -> None:
    client = anthropic(door)
    runs = set()
    for _ in range(2):
        client.messages.create(model="scripted-1", max_tokens=50, messages=ask("The same beginning."))
        runs.add(records(door, kind="intent", tool="messages")[0]["run_id"])
    assert len(runs) == 2


def test_a_conversation_joins_its_run_after_a_restart(model: ScriptedModel, door: Server) -> None:
    model.say(Turn(text="Before the restart."))
    client = anthropic(door)
    client.messages.create(model="scripted-1", max_tokens=50, messages=ask("Remember this."))
    before = records(door, kind="intent", tool="messages")[0]["run_id"]
    door.stop()
    door.start()
    messages = [
        *ask("Remember this."),
        {"role": "assistant", "content": "Before the restart."},
        {"role": "user", "content": "Do you?"},
    ]
    client.messages.create(model="scripted-1", max_tokens=50, messages=messages)
    assert records(door, kind="intent", tool="messages")[0]["run_id"] == before


def test_a_message_of_ten_megabytes_passes(model: ScriptedModel, door: Server) -> None:
    text = "word " * 2_000_000
    answer = openai(door).chat.completions.create(model="scripted-1", messages=ask(text))
    assert answer.choices[0].message.content == "Hello."
    assert model.requests[-1].body["messages"][0]["content"] == text
