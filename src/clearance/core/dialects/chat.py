"""OpenAI Chat Completions: requests and whole answers, read and rewritten. Decides nothing."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Any

from clearance.core.dialects.answer import Answer, ToolCall
from clearance.core.dialects.reading import (
    counted,
    kind_of,
    listed,
    of_one_model,
    one_spelling,
    openai_usage,
    plainly_named,
    text_of,
    worded,
)
from clearance.core.dialects.request import ModelRequest, ProviderTool, ToolResult
from clearance.core.dialects.ruling import AllowedWith, Refused, Ruling
from clearance.core.dialects.slots import Slot, json_text, of_strings
from clearance.errors import RequestError

_CALLERS_TOOLS = frozenset({"function", "custom"})
_READ = frozenset({"choices", "message", "content", "tool_calls", "function_call"})
_READ_OF_CALL = frozenset({"type", "name", "arguments", "input", *_CALLERS_TOOLS})


def read_request(body: dict[str, Any]) -> ModelRequest:
    """Raises RequestError."""
    messages, tools, functions = listed(body, "messages"), listed(body, "tools"), listed(body, "functions")
    of_one_model(body)
    plainly_named((body, *messages, *tools, *functions))
    for message in messages:
        plainly_named(call for call in message.get("tool_calls") or () if type(call) is dict)
    inner = [_inner(tool) for tool in tools if kind_of(tool) in _CALLERS_TOOLS]
    plainly_named(inner)
    run_by_provider = [
        ProviderTool(name=kind_of(tool), arguments=tool)
        for tool in tools
        if kind_of(tool) not in _CALLERS_TOOLS
    ]
    if body.get("web_search_options") is not None:
        options = {"options": body["web_search_options"]}
        run_by_provider.append(ProviderTool(name="web_search", arguments=options))
    run_by_provider += [
        ProviderTool(name=str(one.get("id")), arguments=one) for one in listed(body, "plugins")
    ]
    return ModelRequest(
        model=worded(body, "model"),
        items=messages,
        offered=frozenset(worded(one, "name") for one in (*inner, *functions)),
        provider_tools=tuple(run_by_provider),
        results=tuple(_results(messages)),
        most_output=counted(body, "max_completion_tokens", "max_tokens"),
        choices=counted(body, "n") or 1,
        has_nameless_results=any(message.get("role") == "function" for message in messages),
        goal=next((text_of(one.get("content")) for one in messages if one.get("role") == "user"), ""),
    )


def _inner(tool: dict[str, Any]) -> dict[str, Any]:
    inner = tool.get(tool["type"])
    if type(inner) is not dict:
        raise RequestError("Each of `tools` needs its definition.", reason="wrong_type")
    return inner


def _results(messages: list[Any]) -> Iterator[ToolResult]:
    for at, message in enumerate(messages):
        if message.get("role") == "tool" and isinstance(call_id := message.get("tool_call_id"), str):
            yield ToolResult(call_id=call_id, value=message.get("content"), path=("messages", at, "content"))


def read_answer(body: dict[str, Any]) -> Answer:
    """Raises RequestError for what is no answer."""
    choices = listed(body, "choices")
    messages = [_message(choice) for choice in choices]
    one_spelling((body, *choices, *messages), _READ)
    calls = [_call(call, at) for at, message in enumerate(messages) for call in _calls_of(message)]
    return Answer(
        id=worded(body, "id"),
        model=worded(body, "model"),
        texts=tuple(text_of(message.get("content")) for message in messages),
        refusals=tuple(worded(message, "refusal") for message in messages if message.get("refusal")),
        tool_calls=tuple(calls),
        finish=tuple(worded(choice, "finish_reason") for choice in choices),
        usage=openai_usage(body.get("usage"), given="prompt_tokens", made="completion_tokens"),
    )


def _message(choice: dict[str, Any]) -> dict[str, Any]:
    message = choice.get("message")
    if type(message) is not dict:
        raise RequestError("A choice has no message.", reason="wrong_type")
    return message


def _calls_of(message: dict[str, Any]) -> list[dict[str, Any]]:
    """Every call of a message, the one of the old form last."""
    calls = listed(message, "tool_calls")
    legacy = message.get("function_call")
    return calls if legacy is None else [*calls, {"type": "function", "function": legacy}]


def _call(call: dict[str, Any], choice: int) -> ToolCall:
    kind = worded(call, "type") or "function"
    inner = call.get(kind)
    one_spelling((call,), _READ_OF_CALL)
    if type(inner) is not dict:
        return ToolCall(id=worded(call, "id"), name="", arguments="", choice=choice)
    one_spelling((inner,), _READ_OF_CALL)
    is_custom = kind == "custom"
    arguments = json_text({"input": inner.get("input")}) if is_custom else worded(inner, "arguments")
    return ToolCall(id=worded(call, "id"), name=worded(inner, "name"), arguments=arguments, choice=choice)


def rule(body: dict[str, Any], rulings: Sequence[Ruling]) -> None:
    """Carry out what was decided of each call, in the order of `read_answer`."""
    left = iter(rulings)
    for choice in body["choices"]:
        message = choice["message"]
        kept, told = [], []
        for call in _calls_of(message):
            match next(left):
                case Refused(message=sentence):
                    told.append(sentence)
                    continue
                case AllowedWith(arguments_json=arguments):
                    _put_arguments(call, arguments)
            kept.append(call)
        if told:
            _take_out(choice, message, kept, told)


def _put_arguments(call: dict[str, Any], arguments: str) -> None:
    kind = call.get("type") or "function"
    if kind == "custom":
        call["custom"]["input"] = of_strings(arguments, "input")
    else:
        call[kind]["arguments"] = arguments


def _take_out(choice: dict[str, Any], message: dict[str, Any], kept: list[Any], told: list[str]) -> None:
    calls = [call for call in kept if call.get("function") is not message.get("function_call")]
    if message.get("function_call") is not None and len(calls) == len(kept):
        message["function_call"] = None
    if calls:
        message["tool_calls"] = calls
    else:
        message.pop("tool_calls", None)
    content, sentence = message.get("content"), "\n\n".join(told)
    if isinstance(content, list):
        message["content"] = [*content, {"type": "text", "text": sentence}]
    else:
        message["content"] = f"{content}\n\n{sentence}" if content else sentence
    if not kept:
        choice["finish_reason"] = "stop"


def slots(body: dict[str, Any]) -> list[Slot]:
    """Every text of an answer that a person or the agent reads. Raises RequestError for speech."""
    found: list[Slot] = []
    for choice in body["choices"]:
        message = choice["message"]
        for name in ("content", "refusal", "reasoning_content", "reasoning"):
            if isinstance(message.get(name), str):
                found.append((message, name))
        for part in message["content"] if isinstance(message.get("content"), list) else ():
            if type(part) is dict and isinstance(part.get("text"), str):
                found.append((part, "text"))
        if type(audio := message.get("audio")) is dict:
            found += _heard(audio)
    return found


def _heard(audio: dict[str, Any]) -> list[Slot]:
    if audio.get("data"):
        raise RequestError(
            "Speech cannot be judged while a policy looks at what is said.", reason="wrong_type"
        )
    return [(audio, "transcript")] if isinstance(audio.get("transcript"), str) else []
