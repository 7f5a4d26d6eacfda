"""The scripted model itself: the vendors' own clients understand it."""

from __future__ import annotations

import anthropic
import openai
import pytest
from pydantic import BaseModel

from tests.servers.model import ScriptedModel, Turn, Wire, scripted_model

__all__ = ["scripted_model"]

WEATHER = Turn(text="Ich prüfe das 🌦.", tool_calls=[("weather", {"city": "Zürich"})], reasoning="hm, hm")
ASK = [{"role": "user", "content": "hi"}]


class City(BaseModel):
    name: str


def openai_client(model: ScriptedModel) -> openai.OpenAI:
    return openai.OpenAI(base_url=f"{model.url}/v1", api_key="k", max_retries=0)


def anthropic_client(model: ScriptedModel) -> anthropic.Anthropic:
    return anthropic.Anthropic(base_url=model.url, api_key="k", max_retries=0)


@pytest.mark.parametrize("wire", [Wire(), Wire(chunk=1), Wire(chunk=7, crlf=True, comments=True, extra=True)])
def test_openais_client_reads_chat_streams_with_tools(scripted_model: ScriptedModel, wire: Wire) -> None:
    client = openai_client(scripted_model)
    turn = Turn(text=WEATHER.text, tool_calls=[("weather", {"city": "Zürich"}), ("b", "{}")], wire=wire)
    scripted_model.say(turn, turn)
    whole = client.chat.completions.create(model="m", messages=ASK)  # type: ignore[arg-type]
    with client.chat.completions.stream(model="m", messages=ASK) as stream:  # type: ignore[arg-type]
        streamed = stream.get_final_completion()
    assert streamed.choices[0].message.content == whole.choices[0].message.content == WEATHER.text
    calls = streamed.choices[0].message.tool_calls
    assert calls is not None
    assert [call.function.arguments for call in calls] == ['{"city": "Zürich"}', "{}"]
    assert [asked.path for asked in scripted_model.requests] == ["/v1/chat/completions"] * 2


@pytest.mark.parametrize("wire", [Wire(), Wire(chunk=1), Wire(chunk=7, crlf=True, comments=True, extra=True)])
def test_openais_client_reads_responses_streams_with_tools(scripted_model: ScriptedModel, wire: Wire) -> None:
    client = openai_client(scripted_model)
    scripted_model.say(WEATHER, Turn(text=WEATHER.text, tool_calls=WEATHER.tool_calls, wire=wire))
    whole = client.responses.create(model="m", input="hi")
    with client.responses.stream(model="m", input="hi") as stream:
        streamed = stream.get_final_response()
    assert streamed.output_text == whole.output_text == WEATHER.text
    assert streamed.output[-1].type == "function_call"
    assert streamed.output[-1].arguments == '{"city": "Zürich"}'


@pytest.mark.parametrize("wire", [Wire(), Wire(chunk=1), Wire(chunk=7, crlf=True, comments=True, extra=True)])
def test_anthropics_client_reads_streams_with_tools(scripted_model: ScriptedModel, wire: Wire) -> None:
    client = anthropic_client(scripted_model)
    turn = Turn(text=WEATHER.text, tool_calls=WEATHER.tool_calls, reasoning="hm", wire=wire)
    scripted_model.say(turn, turn)
    whole = client.messages.create(model="m", max_tokens=9, messages=ASK)  # type: ignore[arg-type]
    with client.messages.stream(model="m", max_tokens=9, messages=ASK) as stream:  # type: ignore[arg-type]
        streamed = stream.get_final_message()
    assert [block.model_dump(exclude={"id"}) for block in streamed.content] == [
        block.model_dump(exclude={"id"}) for block in whole.content
    ]
    assert streamed.stop_reason == "tool_use"


async def test_the_asynchronous_clients_read_it_too(scripted_model: ScriptedModel) -> None:
    scripted_model.say(*[Turn(text="Grüezi")] * 3)
    async with openai.AsyncOpenAI(base_url=f"{scripted_model.url}/v1", api_key="k") as client:
        async with client.chat.completions.stream(model="m", messages=ASK) as stream:  # type: ignore[arg-type]
            completion = await stream.get_final_completion()
        async with client.responses.stream(model="m", input="hi") as events:
            response = await events.get_final_response()
    async with anthropic.AsyncAnthropic(base_url=scripted_model.url, api_key="k") as other:
        made = other.messages.stream(model="m", max_tokens=9, messages=ASK)  # type: ignore[arg-type]
        async with made as messages:
            message = await messages.get_final_text()
    assert completion.choices[0].message.content == response.output_text == message == "Grüezi"


def test_structured_output_embeddings_models_and_azure(scripted_model: ScriptedModel) -> None:
    client = openai_client(scripted_model)
    scripted_model.say(*[Turn(text='{"name":"Bern"}')] * 2)
    parsed = client.chat.completions.parse(model="m", messages=ASK, response_format=City)  # type: ignore[arg-type]
    assert parsed.choices[0].message.parsed == City(name="Bern")
    assert client.responses.parse(model="m", input="hi", text_format=City).output_parsed == City(name="Bern")
    assert len(client.embeddings.create(model="e", input=["a", "b"], encoding_format="float").data) == 2
    assert [model.id for model in client.models.list()] == ["scripted-1", "scripted-2"]
    assert next(iter(anthropic_client(scripted_model).models.list())).id == "scripted-1"
    azure = openai.AzureOpenAI(azure_endpoint=scripted_model.url, api_key="k", api_version="2024-10-21")
    answer = azure.chat.completions.create(model="dep", messages=ASK)  # type: ignore[arg-type]
    assert answer.choices[0].message.content == "Hello."
    assert scripted_model.requests[-1].path == "/openai/deployments/dep/chat/completions"


def test_errors_come_as_the_provider_sends_them(scripted_model: ScriptedModel) -> None:
    scripted_model.say(*[Turn(status=429)] * 2)
    with pytest.raises(openai.RateLimitError):
        openai_client(scripted_model).responses.create(model="m", input="hi")
    with pytest.raises(anthropic.RateLimitError):
        anthropic_client(scripted_model).messages.create(model="m", max_tokens=1, messages=ASK)  # type: ignore[arg-type]
    scripted_model.say(*[Turn(text="long enough", wire=Wire(error_after=3))] * 2)
    client = openai_client(scripted_model)
    with pytest.raises(openai.APIError, match="scripted failure"):
        list(client.chat.completions.create(model="m", messages=ASK, stream=True))  # type: ignore[arg-type]
    with pytest.raises(anthropic.APIStatusError, match="scripted failure"):
        made = anthropic_client(scripted_model).messages.create(
            model="m",
            max_tokens=1,
            messages=ASK,
            stream=True,  # type: ignore[arg-type]
        )
        list(made)


def test_a_dropped_connection_is_one_to_the_client(scripted_model: ScriptedModel) -> None:
    scripted_model.say(Turn(text="long enough to be cut", wire=Wire(cut_after=3)))
    stream = openai_client(scripted_model).chat.completions.create(model="m", messages=ASK, stream=True)  # type: ignore[call-overload]
    with pytest.raises(openai.APIConnectionError):
        list(stream)
