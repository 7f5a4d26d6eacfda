"""Streams through the model proxy, end to end, in all three wire formats, read by the vendors' SDKs."""

from __future__ import annotations

import json
import re
import time
from collections.abc import Iterator
from typing import Any

import httpx
import pytest
from anthropic import Anthropic
from openai import OpenAI

from clearance.core.dialects.answer import Dialect
from tests.conftest import Server
from tests.doors.proxied import policy, proxied
from tests.servers.model import ScriptedModel, Turn, Wire

pytestmark = pytest.mark.servers  # takes its time

HI: list[Any] = [{"role": "user", "content": "Hi."}]
NAMES = ("read_file", "wipe_disk")
SCHEMA = {"type": "object"}
TOOLS: dict[Dialect, list[Any]] = {
    Dialect.CHAT: [{"type": "function", "function": {"name": name, "parameters": SCHEMA}} for name in NAMES],
    Dialect.RESPONSES: [{"type": "function", "name": name, "parameters": SCHEMA} for name in NAMES],
    Dialect.MESSAGES: [{"name": name, "input_schema": SCHEMA} for name in NAMES],
}
PATHS = {
    Dialect.CHAT: "/openai/v1/chat/completions",
    Dialect.RESPONSES: "/openai/v1/responses",
    Dialect.MESSAGES: "/anthropic/v1/messages",
}
WIRES = [Wire(), Wire(chunk=1), Wire(chunk=7, crlf=True, comments=True, extra=True)]


@pytest.fixture(scope="module")
def door(model: ScriptedModel, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    with proxied(tmp_path_factory.mktemp("door"), model) as server:
        condition = {"tool": "wipe_disk"}
        policy(server, name="wipe", rule="block", condition=condition, message="Nothing is wiped.")
        yield server


def asked(dialect: Dialect, **more: Any) -> dict[str, Any]:
    body = {"model": "scripted-1", "tools": TOOLS[dialect], **more}
    match dialect:
        case Dialect.CHAT:
            return {**body, "messages": HI}
        case Dialect.RESPONSES:
            return {**body, "input": "Hi."}
        case Dialect.MESSAGES:
            return {**body, "messages": HI, "max_tokens": 99}


def streamed(door: Server, dialect: Dialect) -> dict[str, Any]:
    """The final message, as the SDK of the vendor makes it from the stream."""
    match dialect:
        case Dialect.MESSAGES:
            claude = Anthropic(base_url=f"{door.url}/anthropic", api_key=door.agent_key, max_retries=0)
            with claude.messages.stream(**asked(dialect)) as message:
                return message.get_final_message().to_dict()
    client = OpenAI(base_url=f"{door.url}/openai/v1", api_key=door.agent_key, max_retries=0)
    if dialect is Dialect.CHAT:
        with client.chat.completions.stream(**asked(dialect)) as chat:
            return chat.get_final_completion().to_dict()
    with client.responses.stream(**asked(dialect)) as response:
        return response.get_final_response().to_dict()


def whole(door: Server, dialect: Dialect) -> dict[str, Any]:
    headers = {"authorization": f"Bearer {door.agent_key}", "anthropic-version": "2023-06-01"}
    answer = httpx.post(f"{door.url}{PATHS[dialect]}", headers=headers, json=asked(dialect), timeout=30)
    assert answer.status_code == 200, answer.text
    made: dict[str, Any] = answer.json()
    return made


def said_and_asked(dialect: Dialect, message: dict[str, Any]) -> tuple[str, list[Any], str]:
    """Texts, calls and how it ended, whatever the form."""
    match dialect:
        case Dialect.CHAT:
            choice = message["choices"][0]
            calls = choice["message"].get("tool_calls") or []
            named = [(call["function"]["name"], call["function"]["arguments"]) for call in calls]
            return choice["message"]["content"], named, choice["finish_reason"]
        case Dialect.RESPONSES:
            items = message["output"]
            texts = [part["text"] for item in items for part in item.get("content", ())]
            named = [(item["name"], item["arguments"]) for item in items if item["type"] == "function_call"]
            return "\n\n".join(texts), named, message["status"]
        case Dialect.MESSAGES:
            blocks = message["content"]
            texts = [block["text"] for block in blocks if block["type"] == "text"]
            named = [(block["name"], block["input"]) for block in blocks if block["type"] == "tool_use"]
            return "\n\n".join(texts), named, message["stop_reason"]


@pytest.mark.parametrize("wire", WIRES, ids=["plain", "bytewise", "odd"])
@pytest.mark.parametrize("dialect", Dialect)
def test_a_stream_ends_in_the_same_message_as_the_whole_answer(
    model: ScriptedModel, door: Server, dialect: Dialect, wire: Wire
) -> None:
    for calls in (
        [("wipe_disk", {"path": "/zq"}), ("read_file", {"a": "ü"})],
        [("wipe_disk", {"path": "/zq"})],
        [("read_file", {"a": 1})],
    ):
        model.say(
            Turn(text="Let me see 🌦.", tool_calls=calls, wire=wire),
            Turn(text="Let me see 🌦.", tool_calls=calls),
        )
        flowed = said_and_asked(dialect, streamed(door, dialect))
        assert flowed == said_and_asked(dialect, whole(door, dialect))
        assert ("Nothing is wiped." in flowed[0]) is (calls[0][0] == "wipe_disk")
        assert [name for name, _ in flowed[1]] == [name for name, _ in calls if name != "wipe_disk"]


@pytest.mark.parametrize("wire", WIRES, ids=["plain", "bytewise", "odd"])
@pytest.mark.parametrize("dialect", Dialect)
def test_the_bytes_of_an_allowed_stream_are_the_providers(
    model: ScriptedModel, door: Server, dialect: Dialect, wire: Wire
) -> None:
    turn = Turn(text="Zürich 🌦", reasoning="hm", tool_calls=[("read_file", {"a": 1})], wire=wire)
    model.say(turn, turn)
    body = asked(dialect, stream=True)
    headers = {"authorization": f"Bearer {door.agent_key}", "anthropic-version": "2023-06-01"}
    path = PATHS[dialect]
    direct = httpx.post(f"{model.url}{path.partition('/openai')[2] or '/v1/messages'}", json=body)
    proxied = httpx.post(f"{door.url}{path}", headers=headers, json=body)
    number = rb"(?<=_|-)\d+"
    assert _unnumbered(proxied.content, number) == _unnumbered(direct.content, number)
    assert len(proxied.content) > 500


def _unnumbered(data: bytes, pattern: bytes) -> bytes:
    """The scripted model numbers its answers."""
    return re.sub(pattern, b"N", data)


@pytest.mark.parametrize("dialect", Dialect)
def test_text_is_seen_long_before_the_answer_ends(
    model: ScriptedModel, door: Server, dialect: Dialect
) -> None:
    model.say(Turn(text="one two three four five six", delay=0.15))
    headers = {"authorization": f"Bearer {door.agent_key}", "anthropic-version": "2023-06-01"}
    body = asked(dialect, stream=True)
    began = time.monotonic()
    first = 0.0
    with httpx.stream("POST", f"{door.url}{PATHS[dialect]}", headers=headers, json=body) as answer:
        for chunk in answer.iter_bytes():
            if b'"one ' in chunk and not first:
                first = time.monotonic() - began
    ended = time.monotonic() - began
    assert 0 < first < ended - 0.6


@pytest.mark.parametrize("dialect", Dialect)
def test_ten_megabytes_flow_through(model: ScriptedModel, door: Server, dialect: Dialect) -> None:
    text = "Lorem ipsum dolor. " * 250_000
    model.say(Turn(text=text, piece=40_000))
    flowed, _, _ = said_and_asked(dialect, streamed(door, dialect))
    assert flowed == text


def test_a_client_that_reads_slowly_gets_every_byte(model: ScriptedModel, door: Server) -> None:
    text = "Lorem ipsum dolor. " * 250_000
    model.say(Turn(text=text, piece=2_000))
    headers = {"authorization": f"Bearer {door.agent_key}"}
    said: list[str] = []
    body = asked(Dialect.CHAT, stream=True)
    with httpx.stream("POST", f"{door.url}{PATHS[Dialect.CHAT]}", headers=headers, json=body) as answer:
        for at, line in enumerate(answer.iter_lines()):
            if at in (10, 1_000, 2_000):
                time.sleep(0.3)
            if line.startswith("data: {"):
                said += [one["delta"].get("content") or "" for one in json.loads(line[6:])["choices"]]
    assert "".join(said) == text
