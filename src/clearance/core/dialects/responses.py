"""OpenAI Responses: requests and whole answers, read and rewritten. Decides nothing."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Any

import msgspec

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

# Tools that the caller runs, and the name under which each is offered; None: by its own. Every other type is
# taken for one that the provider runs, new ones too.
_CALLERS_TOOLS: dict[str, str | None] = {
    "function": None,
    "custom": None,
    "local_shell": "local_shell",
    "shell": "shell",
    "apply_patch": "apply_patch",
    "computer_use_preview": "computer",
    "computer": "computer",
}
# Where an item that the caller has to act on keeps what it asks for. An item of any other type that is not
# in `_HARMLESS` is taken for a call of that name.
_ASKED: dict[str, str] = {
    "function_call": "arguments",
    "custom_tool_call": "input",
    "local_shell_call": "action",
    "shell_call": "action",
    "computer_call": "action",
    "apply_patch_call": "operation",
}
_READ = frozenset({"output", "type", "name", *_ASKED.values()})
_HARMLESS = frozenset(
    {
        "message",
        "reasoning",
        "compaction",
        # Runs of the provider's tools, which were cleared before the request was sent.
        "web_search_call",
        "file_search_call",
        "code_interpreter_call",
        "image_generation_call",
        "mcp_call",
        "mcp_list_tools",
    }
)


def read_request(body: dict[str, Any]) -> ModelRequest:
    """Raises RequestError."""
    tools = [*_flat(listed(body, "tools"))]
    text = body.get("input")
    items = [{"role": "user", "content": text}] if isinstance(text, str) else listed(body, "input")
    of_one_model(body)
    plainly_named((body, *items, *tools))
    _nothing_kept(body, items)
    provider = [
        ProviderTool(name=kind_of(tool), arguments=tool)
        for tool in tools
        if kind_of(tool) not in _CALLERS_TOOLS
    ]
    for name in ("prompt", "conversation"):  # kept at the provider: what they hold was never seen here
        if body.get(name) is not None:
            provider.append(ProviderTool(name=f"stored_{name}", arguments={name: body[name]}))
    return ModelRequest(
        model=worded(body, "model"),
        items=items,
        items_in="input",
        offered=frozenset(_offered(tools)),
        provider_tools=tuple(provider),
        results=() if isinstance(text, str) else tuple(_results(items)),
        most_output=counted(body, "max_output_tokens"),
        goal=next((text_of(one.get("content")) for one in items if one.get("role") == "user"), ""),
        previous=worded(body, "previous_response_id"),
    )


def _nothing_kept(body: dict[str, Any], items: list[Any]) -> None:
    """Raises RequestError for an answer that is fetched past this door, and for what was kept unseen."""
    if body.get("background"):
        message = "`background` is not offered: an answer that is fetched later would pass nobody. Stream it."
        raise RequestError(message, reason="not_offered")
    if any(item.get("type") == "item_reference" for item in items):
        message = "`item_reference` is not offered: what it names was never seen here. Send the item itself."
        raise RequestError(message, reason="not_offered")


def _flat(tools: list[Any]) -> Iterator[dict[str, Any]]:
    """Every tool, those within a namespace too."""
    for tool in tools:
        if tool.get("type") == "namespace":
            yield from listed(tool, "tools")
        else:
            yield tool


def _offered(tools: list[Any]) -> Iterator[str]:
    for tool in tools:
        kind = kind_of(tool)
        if kind in _CALLERS_TOOLS:
            yield _CALLERS_TOOLS[kind] or worded(tool, "name")
        elif kind == "mcp":
            yield "mcp_approval_request"


def _results(items: list[Any]) -> Iterator[ToolResult]:
    for at, item in enumerate(items):
        kind = item.get("type")
        if isinstance(kind, str) and kind.endswith("_call_output"):
            yield ToolResult(
                call_id=worded(item, "call_id") or worded(item, "id"),
                value=item.get("output"),
                path=("input", at, "output"),
                failed=item.get("status") in ("failed", "incomplete"),
            )


def read_answer(body: dict[str, Any]) -> Answer:
    """Raises RequestError for what is no answer."""
    output = listed(body, "output")
    one_spelling((body, *output), _READ)
    messages = [item for item in output if item.get("type") == "message"]
    return Answer(
        id=worded(body, "id"),
        model=worded(body, "model"),
        texts=("".join(text_of(item.get("content")) for item in messages),),
        refusals=tuple(_refusals(messages)),
        tool_calls=tuple(call_of(item) for item in output if is_call(item)),
        finish=(worded(body, "status"),),
        usage=openai_usage(body.get("usage"), given="input_tokens", made="output_tokens"),
    )


def _refusals(messages: list[Any]) -> Iterator[str]:
    for message in messages:
        for part in listed(message, "content"):
            if part.get("type") == "refusal":
                yield worded(part, "refusal")


def is_call(item: dict[str, Any]) -> bool:
    """Whether an item asks its caller for something."""
    return item.get("type") not in _HARMLESS


def call_of(item: dict[str, Any]) -> ToolCall:
    """What an item asks for."""
    kind, call_id = str(item.get("type")), worded(item, "call_id") or worded(item, "id")
    match kind:
        case "function_call":
            return ToolCall(id=call_id, name=worded(item, "name"), arguments=worded(item, "arguments"))
        case "custom_tool_call":
            arguments = json_text({"input": item.get("input")})
            return ToolCall(id=call_id, name=worded(item, "name"), arguments=arguments)
        case "computer_call" if "actions" in item:
            return ToolCall(id=call_id, name="computer", arguments=json_text({"actions": item["actions"]}))
        case _ if kind in _ASKED:
            return ToolCall(
                id=call_id, name=kind.removesuffix("_call"), arguments=json_text(item.get(_ASKED[kind]))
            )
        case _:
            return ToolCall(id=call_id, name=kind, arguments=json_text(item))


def rule(body: dict[str, Any], rulings: Sequence[Ruling]) -> None:
    """Carry out what was decided of each call, in the order of `read_answer`."""
    left, output = iter(rulings), []
    for at, item in enumerate(body["output"]):
        if is_call(item):
            match next(left):
                case Refused(message=sentence):
                    output.append(told(sentence, at))
                    continue
                case AllowedWith(arguments_json=arguments):
                    put_arguments(item, arguments)
        output.append(item)
    body["output"] = output


def put_arguments(item: dict[str, Any], arguments: str) -> None:
    """Set what an item asks with."""
    match item.get("type"):
        case "function_call":
            item["arguments"] = arguments
        case "custom_tool_call":
            item["input"] = of_strings(arguments, "input")
        case "computer_call" if "actions" in item:
            item["actions"] = of_strings(arguments, "actions")
        case str(kind) if kind in _ASKED:
            item[_ASKED[kind]] = msgspec.json.decode(arguments)
        case _:
            item |= msgspec.json.decode(arguments)


def told(sentence: str, at: int) -> dict[str, Any]:
    """The message that stands for a refused call."""
    return {
        "type": "message",
        "id": f"msg_clearance_{at}",
        "role": "assistant",
        "status": "completed",
        "content": [{"type": "output_text", "text": sentence, "annotations": []}],
    }


def slots(body: dict[str, Any]) -> list[Slot]:
    """Every text of an answer that a person or the agent reads."""
    found: list[Slot] = []
    for item in body["output"]:
        for name in ("content", "summary"):
            parts = item.get(name)
            for part in parts if isinstance(parts, list) else ():
                for text in ("text", "refusal"):
                    if type(part) is dict and isinstance(part.get(text), str):
                        found.append((part, text))
    return found
