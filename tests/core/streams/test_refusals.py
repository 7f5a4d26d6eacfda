"""A refused tool call: not one byte of it leaves, and the vendors' own clients read what is left."""

from __future__ import annotations

import json
from collections.abc import Iterator
from typing import Any

import httpx2
import pytest
from anthropic import Anthropic
from openai import OpenAI

from clearance.core.dialects.answer import Dialect, ToolCall
from clearance.core.dialects.ruling import Allowed, AllowedWith, Refused, Ruling
from clearance.core.model.judged import ResultRules
from clearance.core.streams import Rewritten
from tests.core.streams.driving import drive, split
from tests.servers.model_wire import Turn, Wire, events

SENTENCE = "Clearance refused this."
SECRET_CALL = ("drop_all_tables", {"database": "zq-payroll-prod", "cascade": [True, {"why": "Übergröße ✂"}]})
MILD = ("get_weather", {"city": "Bern"})
TURNS = {
    "alone": Turn(tool_calls=[SECRET_CALL]),
    "after text": Turn(text="Let me see.", tool_calls=[SECRET_CALL], piece=1),
    "first of two": Turn(text="Hm.", tool_calls=[SECRET_CALL, MILD], piece=2),
    "last of two": Turn(tool_calls=[MILD, SECRET_CALL], reasoning="Thinking.", piece=3),
    "between": Turn(tool_calls=[MILD, SECRET_CALL, ("other", {})], interleave=True),
    "twice": Turn(tool_calls=[SECRET_CALL, SECRET_CALL]),
    "in two choices": Turn(text="So.", tool_calls=[SECRET_CALL, MILD], choices=2),
    "odd line ends": Turn(
        text="So.", tool_calls=[SECRET_CALL], wire=Wire(crlf=True, comments=True, extra=True)
    ),
}


def refuse_the_dangerous(call: ToolCall) -> Ruling:
    return Refused(SENTENCE) if call.name == SECRET_CALL[0] else Allowed()


def shingles() -> Iterator[bytes]:
    """Every stretch of four characters of what must not be seen, and of nothing else."""
    text = SECRET_CALL[0] + "\0" + json.dumps(SECRET_CALL[1], ensure_ascii=False)
    for at in range(len(text) - 3):
        yield text[at : at + 4].encode()


def decoded_texts(data: bytes) -> bytes:
    """Every string that any reader of the stream could put together: names, and values by kind joined."""
    joined: dict[str, str] = {}

    def walk(value: Any, name: str) -> None:
        if isinstance(value, dict):
            for key, item in value.items():
                walk(item, key)
        elif isinstance(value, list):
            for item in value:
                walk(item, name)
        elif isinstance(value, str):
            joined[name] = joined.get(name, "") + value

    for line in data.decode().splitlines():
        if line.startswith("data: {"):
            walk(json.loads(line[6:]), "")
    return "\0".join(joined.values()).encode()


def allowed_to_show(turn: Turn, dialect: Dialect) -> bytes:
    """What of the stream is not the refused call."""
    calls = [call for call in turn.tool_calls if call[0] != SECRET_CALL[0]]
    harmless = Turn(
        text=turn.text + "\n\n" + SENTENCE, tool_calls=calls, reasoning=turn.reasoning, choices=turn.choices
    )
    data = b"".join(events(dialect, harmless))
    return data + decoded_texts(data) + b"response.output_text.done msg_clearance_"


@pytest.mark.parametrize("turn", TURNS.values(), ids=TURNS.keys())
@pytest.mark.parametrize("dialect", Dialect)
def test_not_one_byte_of_a_refused_call_leaves(dialect: Dialect, turn: Turn) -> None:
    frames = events(dialect, turn)
    data = b"".join(frames)
    harmless = allowed_to_show(turn, dialect)
    unseen = [part for part in shingles() if part not in harmless]
    assert len(unseen) > 40
    results = set()
    for chunks in (frames, [data], split(data, 1), split(data, 13)):
        seen = drive(dialect, chunks, rule=refuse_the_dangerous)
        assert seen.failed is None
        assert seen.guard.done
        results.add(seen.data)
        shown = seen.data + decoded_texts(seen.data)
        assert [part for part in unseen if part in shown] == []
        assert SENTENCE.encode() in seen.data
    assert len(results) == 1


@pytest.mark.parametrize("dialect", Dialect)
def test_nothing_of_a_call_leaves_before_it_is_decided(dialect: Dialect) -> None:
    turn = TURNS["after text"]
    harmless = allowed_to_show(turn, dialect)
    unseen = [part for part in shingles() if part not in harmless]
    seen = drive(dialect, events(dialect, turn), rule=refuse_the_dangerous, late=True)
    before = b"".join(seen.parts[:-1])
    assert b"Let me see."[:1] in before
    assert [part for part in unseen if part in before] == []


def read_by_the_vendor(dialect: Dialect, data: bytes) -> dict[str, Any]:
    """The final message as the vendor's accumulator makes it from the stream."""
    ask: Any = [{"role": "user", "content": "hi"}]
    http: Any = _client(data)
    match dialect:
        case Dialect.CHAT:
            with OpenAI(api_key="k", http_client=http).chat.completions.stream(
                model="m", messages=ask
            ) as chat:
                return chat.get_final_completion().to_dict()
        case Dialect.RESPONSES:
            with OpenAI(api_key="k", http_client=http).responses.stream(model="m", input="hi") as response:
                return response.get_final_response().to_dict()
        case Dialect.MESSAGES:
            client = Anthropic(api_key="k", http_client=http)
            with client.messages.stream(model="m", max_tokens=9, messages=ask) as message:
                return message.get_final_message().to_dict()


def _client(data: bytes) -> Any:
    """The vendors' clients bring their own httpx."""

    def handle(_: Any) -> Any:
        return httpx2.Response(200, headers={"content-type": "text/event-stream"}, content=data)

    return httpx2.Client(transport=httpx2.MockTransport(handle))


@pytest.mark.parametrize("turn", TURNS.values(), ids=TURNS.keys())
@pytest.mark.parametrize("dialect", Dialect)
def test_the_vendors_client_reads_the_refusal(dialect: Dialect, turn: Turn) -> None:
    data = drive(dialect, events(dialect, turn), rule=refuse_the_dangerous).data
    message = read_by_the_vendor(dialect, data)
    left = [name for name, _ in turn.tool_calls if name != SECRET_CALL[0]]
    told = [SENTENCE] * (len(turn.tool_calls) - len(left))
    match dialect:
        case Dialect.CHAT:
            assert len(message["choices"]) == turn.choices
            for choice in message["choices"]:
                calls = choice["message"].get("tool_calls") or []
                assert [call["function"]["name"] for call in calls] == left
                assert choice["message"]["content"] == "\n\n".join([turn.text] * bool(turn.text) + told)
                assert choice["finish_reason"] == ("tool_calls" if left else "stop")
        case Dialect.RESPONSES:
            assert [one["name"] for one in message["output"] if one["type"] == "function_call"] == left
            texts = [one["content"][0]["text"] for one in message["output"] if one["type"] == "message"]
            assert texts == [turn.text] * bool(turn.text) + told
        case Dialect.MESSAGES:
            assert [one["name"] for one in message["content"] if one["type"] == "tool_use"] == left
            texts = [one["text"] for one in message["content"] if one["type"] == "text"]
            assert texts == [turn.text] * bool(turn.text) + told
            assert message["stop_reason"] == ("tool_use" if left else "end_turn")


@pytest.mark.parametrize("turn", TURNS.values(), ids=TURNS.keys())
def test_responses_are_numbered_without_a_gap(turn: Turn) -> None:
    data = drive(Dialect.RESPONSES, events(Dialect.RESPONSES, turn), rule=refuse_the_dangerous).data
    numbers = [
        json.loads(line[6:])["sequence_number"] for line in data.decode().splitlines() if "data: " in line
    ]
    assert numbers == list(range(len(numbers)))


@pytest.mark.parametrize("turn", TURNS.values(), ids=TURNS.keys())
@pytest.mark.parametrize("dialect", Dialect)
def test_arguments_that_a_policy_changed_are_the_only_ones_seen(dialect: Dialect, turn: Turn) -> None:
    def rule(call: ToolCall) -> Ruling:
        return AllowedWith('{"database":"[redacted]"}') if call.name == SECRET_CALL[0] else Allowed()

    data = drive(dialect, events(dialect, turn), rule=rule).data
    shown = data + decoded_texts(data)
    assert b"zq-payroll" not in shown
    assert "Übergröße".encode() not in shown
    assert "[redacted]" in json.dumps(read_by_the_vendor(dialect, data))


@pytest.mark.parametrize("dialect", Dialect)
def test_an_answer_that_is_withheld_says_only_why(dialect: Dialect) -> None:
    turn = TURNS["first of two"]
    seen = drive(
        dialect, events(dialect, turn), rules=ResultRules(whole=True), judge=lambda _: Refused("Nope.")
    )
    assert seen.asked == []
    assert seen.guard.done
    shown = json.dumps(read_by_the_vendor(dialect, seen.data))
    assert "Nope." in shown
    assert "Hm." not in shown
    assert "get_weather" not in shown


@pytest.mark.parametrize("dialect", Dialect)
def test_texts_that_were_judged_are_shown_as_judged(dialect: Dialect) -> None:
    turn = Turn(text="The patient is called Meier.", tool_calls=[MILD], reasoning="Meier?")
    seen = drive(
        dialect,
        events(dialect, turn),
        rules=ResultRules(whole=True),
        judge=lambda texts: Rewritten(tuple(text.replace("Meier", "[name]") for text in texts)),
    )
    assert len(seen.texts) == len(seen.asked) == 1
    shown = json.dumps(read_by_the_vendor(dialect, seen.data))
    assert "The patient is called [name]." in shown
    assert b"Mei" not in seen.data + decoded_texts(seen.data)
