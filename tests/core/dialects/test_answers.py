"""Whole answers in each wire format: read, and rewritten as it was decided."""

from __future__ import annotations

import copy
import json
from typing import Any

import pytest

from clearance.core.dialects import chat, messages, responses
from clearance.core.dialects.answer import Dialect
from clearance.core.dialects.errors import error_body, error_event
from clearance.core.dialects.ruling import Allowed, AllowedWith, Refused
from clearance.core.dialects.wire import FORMS
from clearance.errors import RequestError
from tests.servers.model_wire import Turn, body

BOTH = Turn(text="I will.", tool_calls=[("first", {"a": "planted"}), ("second", {"b": 2})])
EVERY = pytest.mark.parametrize("dialect", list(Dialect))


@EVERY
def test_an_answer_tells_its_texts_calls_and_usage(dialect: Dialect) -> None:
    answer = FORMS[dialect].read_answer(body(dialect, BOTH))
    assert answer.texts == ("I will.",)
    assert [(call.name, json.loads(call.arguments)) for call in answer.tool_calls] == [
        ("first", {"a": "planted"}),
        ("second", {"b": 2}),
    ]
    assert all(call.id for call in answer.tool_calls)
    assert (answer.usage.input_tokens, answer.usage.output_tokens) == (12, 7)


@EVERY
def test_a_refused_call_is_replaced_by_the_sentence(dialect: Dialect) -> None:
    form, made = FORMS[dialect], body(dialect, BOTH)
    form.rule(made, [Refused("Not that."), Allowed()])
    answer = form.read_answer(made)
    assert [call.name for call in answer.tool_calls] == ["second"]
    assert "Not that." in answer.texts[0]
    assert "planted" not in json.dumps(made)


@EVERY
def test_without_any_call_left_the_answer_ends_as_one_in_words(dialect: Dialect) -> None:
    form, made = FORMS[dialect], body(dialect, BOTH)
    form.rule(made, [Refused("Not that."), Refused("Nor that.")])
    answer = form.read_answer(made)
    assert answer.tool_calls == ()
    ends = {Dialect.CHAT: "stop", Dialect.RESPONSES: "completed", Dialect.MESSAGES: "end_turn"}
    assert answer.finish == (ends[dialect],)


@EVERY
def test_arguments_are_replaced_where_a_policy_changed_them(dialect: Dialect) -> None:
    form, made = FORMS[dialect], body(dialect, BOTH)
    form.rule(made, [AllowedWith('{"a":"[redacted]"}'), Allowed()])
    first, second = form.read_answer(made).tool_calls
    assert json.loads(first.arguments) == {"a": "[redacted]"}
    assert json.loads(second.arguments) == {"b": 2}


@EVERY
def test_what_is_allowed_is_left_alone(dialect: Dialect) -> None:
    made = body(dialect, BOTH)
    before = copy.deepcopy(made)
    FORMS[dialect].rule(made, [Allowed(), Allowed()])
    assert made == before


def test_every_choice_of_a_chat_is_read_and_ruled() -> None:
    made = json.loads(json.dumps(body(Dialect.CHAT, Turn(tool_calls=[("first", {})], choices=3))))
    calls = chat.read_answer(made).tool_calls
    assert [call.choice for call in calls] == [0, 1, 2]
    chat.rule(made, [Refused("No."), Allowed(), Refused("No.")])
    assert [choice["finish_reason"] for choice in made["choices"]] == ["stop", "tool_calls", "stop"]


def test_a_call_of_the_old_form_is_one_too() -> None:
    message = {"role": "assistant", "content": None, "function_call": {"name": "f", "arguments": '{"x":1}'}}
    made: dict[str, Any] = {"choices": [{"message": message, "finish_reason": "function_call"}]}
    assert [call.name for call in chat.read_answer(made).tool_calls] == ["f"]
    chat.rule(made, [Refused("No.")])
    assert made["choices"][0]["message"] == {"role": "assistant", "content": "No.", "function_call": None}
    assert made["choices"][0]["finish_reason"] == "stop"


def test_a_call_with_free_text_is_judged_by_its_text() -> None:
    item = {"type": "custom_tool_call", "call_id": "c", "name": "shell", "input": "rm -rf /"}
    made: dict[str, Any] = {"output": [item], "status": "completed"}
    (call,) = responses.read_answer(made).tool_calls
    assert (call.name, json.loads(call.arguments)) == ("shell", {"input": "rm -rf /"})
    responses.rule(made, [AllowedWith('{"input":"ls"}')])
    assert made["output"][0]["input"] == "ls"


@pytest.mark.parametrize(
    ("read", "answer", "name"),
    [
        (
            responses.read_answer,
            {"output": [{"type": "local_shell_call", "action": {"command": ["ls"]}}]},
            "local_shell",
        ),
        (responses.read_answer, {"output": [{"type": "teleport_call", "to": "mars"}]}, "teleport_call"),
        (messages.read_answer, {"content": [{"type": "teleport", "to": "mars"}]}, "teleport"),
    ],
)
def test_what_no_list_calls_harmless_is_taken_for_a_call(
    read: Any, answer: dict[str, Any], name: str
) -> None:
    assert [call.name for call in read(answer).tool_calls] == [name]


@EVERY
@pytest.mark.parametrize(
    "nonsense",
    [
        {"choices": 1, "output": 1, "content": 1},
        {"id": 7},
        {"usage": {"input_tokens": "x", "prompt_tokens": -1}},
    ],
)
def test_what_is_no_answer_is_refused(dialect: Dialect, nonsense: dict[str, Any]) -> None:
    with pytest.raises(RequestError):
        FORMS[dialect].read_answer({**body(dialect, Turn(text="a")), **nonsense})


def test_errors_have_each_providers_own_form() -> None:
    told = json.loads(error_body(Dialect.CHAT, 403, code="policy_block", message="No."))
    assert told["error"] == {
        "message": "No.",
        "type": "permission_error",
        "param": None,
        "code": "policy_block",
    }
    told = json.loads(error_body(Dialect.MESSAGES, 403, code="policy_block", message="No."))
    assert (told["type"], told["error"]["type"], told["error"]["code"]) == (
        "error",
        "permission_error",
        "policy_block",
    )
    assert error_event(Dialect.MESSAGES, 502, code="c", message="m").startswith(b"event: error\ndata: {")
    assert error_event(Dialect.CHAT, 502, code="c", message="m").startswith(b'data: {"error":')
