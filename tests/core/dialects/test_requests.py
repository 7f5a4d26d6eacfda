"""Requests in each wire format, as a door has to know them."""

from __future__ import annotations

from typing import Any

import pytest

from clearance.core.dialects import chat, messages, responses
from clearance.core.dialects.request import put_at
from clearance.errors import RequestError

HI: list[Any] = [{"role": "user", "content": "Hi."}]


def test_a_chat_tells_model_goal_tools_and_bound() -> None:
    request = chat.read_request(
        {
            "model": "m",
            "n": 2,
            "max_tokens": 10,
            "max_completion_tokens": 30,
            "messages": [{"role": "system", "content": "Be brief."}, *HI],
            "tools": [
                {"type": "function", "function": {"name": "a"}},
                {"type": "custom", "custom": {"name": "b"}},
            ],
            "functions": [{"name": "c"}],
        }
    )
    assert (request.model, request.goal, request.most_output, request.choices) == ("m", "Hi.", 30, 2)
    assert request.offered == {"a", "b", "c"}
    assert request.provider_tools == ()


@pytest.mark.parametrize(
    ("read", "body", "names"),
    [
        (chat.read_request, {"tools": [{"type": "telepathy"}]}, ["telepathy"]),
        (chat.read_request, {"web_search_options": {}}, ["web_search"]),
        (chat.read_request, {"plugins": [{"id": "web"}]}, ["web"]),
        (responses.read_request, {"tools": [{"type": "code_interpreter"}]}, ["code_interpreter"]),
        (responses.read_request, {"prompt": {"id": "p"}}, ["stored_prompt"]),
        (responses.read_request, {"conversation": "c"}, ["stored_conversation"]),
        (
            responses.read_request,
            {"tools": [{"type": "namespace", "name": "n", "tools": [{"type": "mcp"}]}]},
            ["mcp"],
        ),
        (
            messages.read_request,
            {"tools": [{"type": "web_fetch_20250910", "name": "web_fetch"}]},
            ["web_fetch_20250910"],
        ),
        (
            messages.read_request,
            {"mcp_servers": [{"url": "https://a.example", "authorization_token": "x"}]},
            ["mcp"],
        ),
        (messages.read_request, {"container": "c_1"}, ["container"]),
    ],
)
def test_what_the_provider_would_run_is_named(read: Any, body: dict[str, Any], names: list[str]) -> None:
    assert [tool.name for tool in read({"model": "m", **body}).provider_tools] == names


@pytest.mark.parametrize("kind", ["bash_20250124", "text_editor_20250728", "computer_20250124", "custom"])
def test_tools_that_only_take_their_form_from_anthropic_are_the_callers(kind: str) -> None:
    request = messages.read_request({"model": "m", "tools": [{"type": kind, "name": "t"}]})
    assert request.provider_tools == ()
    assert request.offered == {"t"}


def test_the_results_of_tools_are_found_where_each_format_keeps_them() -> None:
    in_chat = chat.read_request(
        {"messages": [*HI, {"role": "tool", "tool_call_id": "c1", "content": "r"}]}
    ).results
    block = {"type": "tool_result", "tool_use_id": "c2", "content": "r", "is_error": True}
    in_message = messages.read_request({"messages": [{"role": "user", "content": [block]}]}).results
    item = {"type": "function_call_output", "call_id": "c3", "output": "r"}
    in_input = responses.read_request({"input": [*HI, item]}).results
    assert [(one.call_id, one.path, one.failed) for one in (*in_chat, *in_message, *in_input)] == [
        ("c1", ("messages", 1, "content"), False),
        ("c2", ("messages", 0, "content", 0, "content"), True),
        ("c3", ("input", 1, "output"), False),
    ]


def test_a_value_is_put_without_touching_what_was_there() -> None:
    body = {"messages": [{"content": "a"}, {"content": "b"}]}
    made = put_at(body, ("messages", 1, "content"), "c")
    assert made == {"messages": [{"content": "a"}, {"content": "c"}]}
    assert body["messages"][1] == {"content": "b"}
    assert made["messages"][0] is body["messages"][0]


@pytest.mark.parametrize("read", [chat.read_request, messages.read_request, responses.read_request])
@pytest.mark.parametrize(
    ("body", "code"),
    [
        ({"model": 1}, "wrong_type"),
        ({"model": "m", "models": ["m", "n"]}, "not_offered"),
        ({"model": "m", "fallbacks": ["n"]}, "not_offered"),
        ({"model": "m", "tools": {}}, "wrong_type"),
        ({"model": "m", "tools": ["a"]}, "wrong_type"),
        ({"model": "m", "toolS": []}, "unknown_field"),
        ({"model": "m", "toolſ": []}, "unknown_field"),
        ({"model": "m", "tools": [{"type": "custom", "Name": "a"}]}, "unknown_field"),
    ],
)
def test_what_could_be_read_as_something_else_is_refused(read: Any, body: dict[str, Any], code: str) -> None:
    with pytest.raises(RequestError) as refused:
        read(body)
    assert refused.value.reason in (code, "wrong_type")


@pytest.mark.parametrize(
    "body", [{"background": True}, {"input": [{"type": "item_reference", "id": "msg_1"}]}]
)
def test_what_is_kept_at_the_provider_unseen_is_not_offered(body: dict[str, Any]) -> None:
    with pytest.raises(RequestError) as refused:
        responses.read_request({"model": "m", **body})
    assert refused.value.reason == "not_offered"
