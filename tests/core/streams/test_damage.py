"""Streams that are broken, cut, too large or of an unknown kind: a clear error, and nothing that was held."""

from __future__ import annotations

import json
from typing import Any

import anthropic
import openai
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from clearance.core.dialects.answer import Dialect
from clearance.core.dialects.ruling import Refused
from clearance.core.model.judged import ResultRules
from clearance.core.streams import Fail
from tests.core.streams.driving import Seen, drive, split
from tests.core.streams.test_refusals import (
    SECRET_CALL,
    SENTENCE,
    decoded_texts,
    read_by_the_vendor,
    refuse_the_dangerous,
)
from tests.examples import examples
from tests.servers.model_wire import Turn, Wire, events

TURN = Turn(text="Some words first.", tool_calls=[SECRET_CALL])


def code_of(seen: Seen) -> str:
    assert isinstance(seen.failed, Fail)
    return seen.failed.code


def changed(frames: list[bytes], at: int, change: Any) -> list[bytes]:
    """The event at that place with its value changed."""
    head, _, rest = frames[at].partition(b"data: ")
    value = json.loads(rest)
    change(value)
    return [*frames[:at], head + b"data: " + json.dumps(value).encode() + b"\n\n", *frames[at + 1 :]]


@pytest.mark.parametrize("dialect", Dialect)
def test_a_stream_that_is_cut_ends_in_the_providers_own_error(dialect: Dialect) -> None:
    for cut in range(1, len(events(dialect, TURN)) - 1, 3):
        frames = events(dialect, Turn(text=TURN.text, tool_calls=TURN.tool_calls, wire=Wire(cut_after=cut)))
        seen = drive(dialect, frames)
        assert code_of(seen) == "upstream_truncated"
        assert not seen.guard.done
        with pytest.raises((openai.APIError, anthropic.APIError)) as raised:
            read_by_the_vendor(dialect, seen.data)
        assert "before it was whole" in str(raised.value)


@pytest.mark.parametrize("dialect", Dialect)
@pytest.mark.parametrize("name", [b'"type"', b'"typ\\u0065"'])
def test_an_event_that_names_a_member_twice_ends_the_stream(dialect: Dialect, name: bytes) -> None:
    frames = events(dialect, TURN)
    twice = frames[1].replace(b"data: {", b'data: {"type":"a",' + name + b':"b",', 1)
    seen = drive(dialect, [frames[0], twice, *frames[2:]])
    assert code_of(seen) == "malformed_stream"
    assert twice not in seen.data


@pytest.mark.parametrize("dialect", Dialect)
def test_a_stream_without_its_terminal_event_is_truncated(dialect: Dialect) -> None:
    turn = Turn(text="Hello.", wire=Wire(without_end=True))
    assert code_of(drive(dialect, events(dialect, turn))) == "upstream_truncated"


@pytest.mark.parametrize("dialect", Dialect)
def test_an_error_of_the_upstream_passes_and_what_was_held_does_not(dialect: Dialect) -> None:
    frames = events(dialect, TURN)
    at = len(frames) - 6
    turn = Turn(text=TURN.text, tool_calls=TURN.tool_calls, wire=Wire(error_after=at))
    seen = drive(dialect, events(dialect, turn))
    assert code_of(seen) == "upstream_error"
    assert b"scripted failure" in seen.data
    assert b"drop_all" not in seen.data + decoded_texts(seen.data)
    if dialect is Dialect.RESPONSES:
        return  # OpenAI's client hands the documented form on as an event
    with pytest.raises((openai.APIError, anthropic.APIError), match="scripted failure"):
        read_by_the_vendor(dialect, seen.data)


@pytest.mark.parametrize("dialect", Dialect)
def test_an_event_of_an_unknown_kind_ends_the_stream(dialect: Dialect) -> None:
    seen = drive(dialect, events(dialect, Turn(text="Hello.", wire=Wire(unknown_event=3))))
    assert code_of(seen) == "unknown_event"
    assert b"unknown secret text" not in seen.data


@pytest.mark.parametrize("dialect", Dialect)
@pytest.mark.parametrize(
    "frame",
    [
        b"data: {not json}\n\n",
        b"data: [1]\n\n",
        b'data: {"a": "\xff"}\n\n',
        b": \xff\nid: 1\n\n",
        b"data: {}\ndata: {}\n\n",
        b"DATA: {}\n\n",
        b'{"choices": []}\n\n',
        b"event: ping\n\n",
        b'event: ping\nevent: ping\ndata: {"type": "ping"}\n\n',
        b"data: " + b"[" * 100_000 + b"\n\n",
    ],
)
def test_what_is_no_event_ends_the_stream(dialect: Dialect, frame: bytes) -> None:
    frames = events(dialect, TURN)
    seen = drive(dialect, [*frames[:4], frame, *frames[4:]])
    assert code_of(seen) == "malformed_stream"
    assert seen.asked == []


@pytest.mark.parametrize("dialect", Dialect)
def test_an_event_after_the_end_is_not_passed(dialect: Dialect) -> None:
    frames = events(dialect, Turn(text="Hello."))
    seen = drive(dialect, [*frames, frames[2]])
    assert code_of(seen) == "malformed_stream"


@pytest.mark.parametrize("dialect", Dialect)
def test_an_event_that_never_ends_is_given_up(dialect: Dialect) -> None:
    chunks = [events(dialect, TURN)[0], b'data: {"x": "', *[b"y" * 2**20] * 17]
    assert code_of(drive(dialect, chunks)) == "too_much_held"


@pytest.mark.parametrize("dialect", Dialect)
def test_arguments_that_never_end_are_given_up(dialect: Dialect) -> None:
    frames = events(dialect, Turn(tool_calls=[("f", {"a": "x" * 18_000_000})], piece=500_000))
    seen = drive(dialect, frames)
    assert code_of(seen) == "too_much_held"
    assert b"xxxx" not in seen.data


def chat(**delta: Any) -> bytes:
    choice = {"index": 0, "delta": delta, "finish_reason": None}
    head = {"id": "c", "object": "chat.completion.chunk", "created": 1, "model": "m"}
    return b"data: " + json.dumps({**head, "choices": [choice]}).encode() + b"\n\n"


def part(index: int, **fields: Any) -> dict[str, Any]:
    return {"index": index, "type": "function", **fields}


FIRST = part(0, id="a", function={"name": "f", "arguments": "{}"})


@pytest.mark.parametrize(
    "frames",
    [
        [chat(tool_calls=[part(2, id="a", function={"name": "f"})])],
        [chat(tool_calls=[FIRST]), chat(tool_calls=[part(0, id="b", function={})])],
        [chat(tool_calls=[FIRST]), chat(tool_calls=[part(0, function={"name": "g"})])],
        [
            chat(tool_calls=[FIRST]),
            chat(tool_calls=[{"index": 0, "type": "custom", "custom": {"input": "x"}}]),
        ],
        [chat(Tool_Calls=[FIRST])],
        [chat(tool_calls=[{"index": 0, "Function": {"name": "f"}}])],
        [chat(tool_calls=[{"index": 0, "function": {"name": "f", "Arguments": "{}"}}])],
        [chat(tool_calls=[FIRST]), b"data: [DONE]\n\n"],
        [chat(tool_calls={"index": 0})],
        [b'data: {"choices": [{"index": 0, "message": {"content": "all at once"}}]}\n\n'],
        [b'data: {"choices": [{"index": -1, "delta": {}}]}\n\n'],
        [b'data: {"choices": [{"delta": {"content": "no index"}}]}\n\n'],
        [b'data: {"Choices": [{"index": 0, "delta": {"content": "x"}}]}\n\n'],
        [b'event: content\ndata: {"choices": []}\n\n'],
    ],
)
def test_chat_calls_that_do_not_add_up_end_the_stream(frames: list[bytes]) -> None:
    seen = drive(Dialect.CHAT, frames)
    assert code_of(seen) in ("malformed_stream", "unknown_event")
    assert seen.asked == []


def test_the_old_form_of_a_call_is_guarded_too() -> None:
    finish = chat().replace(b'"finish_reason": null', b'"finish_reason": "function_call"')
    frames = [
        chat(role="assistant", content=None, function_call={"name": "drop_all_tables", "arguments": ""}),
        chat(function_call={"arguments": '{"x":'}),
        chat(function_call={"arguments": "1}"}),
        finish,
        b"data: [DONE]\n\n",
    ]
    assert drive(Dialect.CHAT, frames).data == b"".join(frames)
    seen = drive(Dialect.CHAT, frames, rule=lambda _: Refused(SENTENCE))
    assert b"drop_all" not in seen.data
    assert b"function_call" not in seen.data
    message = read_by_the_vendor(Dialect.CHAT, seen.data)["choices"][0]
    assert message["message"]["content"] == SENTENCE
    assert message["finish_reason"] == "stop"


def test_two_calls_of_one_id_end_the_stream() -> None:
    frames = [
        chat(tool_calls=[FIRST, part(1, id="a", function={"name": "g", "arguments": "{}"})]),
        b'data: {"choices":[{"index":0,"delta":{},"finish_reason":"tool_calls"}]}\n\n',
    ]
    assert code_of(drive(Dialect.CHAT, frames)) == "malformed_stream"


def responses_with(change: Any, at: int) -> Seen:
    frames = events(Dialect.RESPONSES, Turn(text="Words.", tool_calls=[("f", {"a": 1})], piece=50))
    return drive(Dialect.RESPONSES, changed(frames, at, change))


def test_what_the_end_repeats_has_to_be_what_was_streamed() -> None:
    frames = events(Dialect.RESPONSES, Turn(text="Words.", tool_calls=[("f", {"a": 1})], piece=50))
    last = len(frames) - 1

    def other_text(value: Any) -> None:
        value["response"]["output"][0]["content"][0]["text"] = "Other words."

    def other_call(value: Any) -> None:
        value["response"]["output"][1]["arguments"] = '{"a": 2}'

    def one_more_call(value: Any) -> None:
        value["response"]["output"].append({"type": "function_call", "name": "g", "arguments": "", "id": "x"})

    def other_arguments(value: Any) -> None:
        value["item"]["arguments"] = '{"a": 2}'

    def other_name(value: Any) -> None:
        value["item"]["name"] = "g"

    for change, at in [
        (other_text, last),
        (other_call, last),
        (one_more_call, last),
        (other_arguments, last - 1),
        (other_name, last - 1),
    ]:
        assert code_of(responses_with(change, at)) == "malformed_stream", change.__name__


def test_an_unknown_item_is_taken_for_a_call() -> None:
    item = {"type": "teleport_call", "id": "t1", "status": "completed", "where": "moon-base-7"}
    frames = events(Dialect.RESPONSES, Turn(text="x", tool_calls=[("f", "{}")], piece=50))
    added, done = len(frames) - 5, len(frames) - 2
    for at in (added, done):
        frames = changed(frames, at, lambda value: value.update(item=item))
    frames = changed(frames, len(frames) - 1, lambda value: value["response"]["output"].__setitem__(1, item))
    del frames[added + 1 : done]
    assert drive(Dialect.RESPONSES, frames).data == b"".join(frames)
    seen = drive(Dialect.RESPONSES, frames, rule=lambda _: Refused(SENTENCE))
    assert [call.name for call in seen.asked] == ["teleport_call"]
    assert b"moon-base" not in seen.data


@settings(max_examples=examples(400), deadline=None)
@given(data=st.data(), dialect=st.sampled_from(Dialect))
def test_no_damage_raises_or_shows_what_is_refused(data: st.DataObject, dialect: Dialect) -> None:
    """Bytes changed, left out, doubled, moved: whatever happens, no stretch of the refused call is seen."""
    raw = bytearray(b"".join(events(dialect, TURN)))
    for _ in range(data.draw(st.integers(1, 4))):
        at = data.draw(st.integers(0, len(raw) - 1))
        match data.draw(st.sampled_from(["set", "drop", "cut", "double", "swap"])):
            case "set":
                raw[at] = data.draw(st.sampled_from(list(b'"{}[]:,\\\n\r dx0\xff\x00')))
            case "drop":
                del raw[at]
            case "cut":
                del raw[at : at + data.draw(st.integers(1, 300))]
            case "double":
                end = at + data.draw(st.integers(1, 300))
                raw[end:end] = raw[at:end]
            case "swap":
                raw[at : at + 40] = raw[at : at + 40][::-1]
        if not raw:
            return
    size = data.draw(st.sampled_from([1, 17, 300, 100_000]))
    rules = data.draw(st.sampled_from([ResultRules(), ResultRules(patterns=("secret", "email"))]))
    seen = drive(dialect, split(bytes(raw), size), rules=rules, rule=refuse_the_dangerous)
    if not any(call.name != SECRET_CALL[0] for call in seen.asked):
        shown = seen.data + decoded_texts(seen.data)
        assert b"payroll" not in shown
        assert b"drop_all" not in shown
