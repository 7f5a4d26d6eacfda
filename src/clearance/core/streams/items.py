"""Items of a Responses output: which are calls, what they ask for, what stands for a refused one. Pure."""

from __future__ import annotations

from typing import Any

import msgspec

from clearance.core.dialects.answer import ToolCall
from clearance.core.streams.reading import text_in

_ENCODER = msgspec.json.Encoder()
# Items that ask the client for nothing: speech, and runs of the provider's tools, which were cleared before
# the request was sent. An item of any other type is taken for a call of that name.
SPEECH = frozenset({"message", "reasoning"})
_PASSING = SPEECH | {
    "code_interpreter_call",
    "compaction",
    "file_search_call",
    "image_generation_call",
    "mcp_call",
    "mcp_list_tools",
    "web_search_call",
}
_ASKED = {
    "local_shell_call": "action",
    "shell_call": "action",
    "computer_call": "action",
    "apply_patch_call": "operation",
}
_STREAMED = {"function_call": "arguments", "custom_tool_call": "input"}
_EVENTS = {"function_call": "function_call_arguments", "custom_tool_call": "custom_tool_call_input"}


def is_call(item: dict[str, Any]) -> bool:
    return item.get("type") not in _PASSING


def streamed_member(item: dict[str, Any]) -> str | None:
    """The member that comes in deltas."""
    return _STREAMED.get(text_in(item, "type"))


def call_of(item: dict[str, Any]) -> ToolCall:
    """What an item asks for."""
    kind, call_id = text_in(item, "type"), text_in(item, "call_id") or text_in(item, "id")
    match kind:
        case "function_call":
            return ToolCall(id=call_id, name=text_in(item, "name"), arguments=text_in(item, "arguments"))
        case "custom_tool_call":
            arguments = _json({"input": item.get("input")})
            return ToolCall(id=call_id, name=text_in(item, "name"), arguments=arguments)
        case "computer_call" if "actions" in item:
            return ToolCall(id=call_id, name="computer", arguments=_json({"actions": item["actions"]}))
        case _ if kind in _ASKED:
            return ToolCall(
                id=call_id, name=kind.removesuffix("_call"), arguments=_json(item.get(_ASKED[kind]))
            )
    plain = {name: part for name, part in item.items() if name != "status"}
    return ToolCall(id=call_id, name=kind, arguments=_json(plain))


def with_arguments(item: dict[str, Any], arguments: str) -> dict[str, Any]:
    """The item with other arguments."""
    match item.get("type"):
        case "function_call":
            return {**item, "arguments": arguments}
        case "custom_tool_call":
            return {**item, "input": msgspec.json.decode(arguments).get("input")}
        case "computer_call" if "actions" in item:
            return {**item, "actions": msgspec.json.decode(arguments).get("actions")}
        case str(kind) if kind in _ASKED:
            return {**item, _ASKED[kind]: msgspec.json.decode(arguments)}
    return {**item, **msgspec.json.decode(arguments)}


def said(text: str, at: int) -> dict[str, Any]:
    """A message that says this."""
    part = {"type": "output_text", "text": text, "annotations": []}
    head = {"type": "message", "id": f"msg_clearance_{at}", "role": "assistant", "status": "completed"}
    return {**head, "content": [part]}


def said_events(text: str, at: int) -> list[dict[str, Any]]:
    """The events of such a message."""
    item = said(text, at)
    part = item["content"][0]
    where = {"item_id": item["id"], "output_index": at, "content_index": 0}
    opened = {**item, "status": "in_progress", "content": []}
    return [
        {"type": "response.output_item.added", "output_index": at, "item": opened},
        {"type": "response.content_part.added", **where, "part": {**part, "text": ""}},
        {"type": "response.output_text.delta", **where, "delta": text, "logprobs": []},
        {"type": "response.output_text.done", **where, "text": text, "logprobs": []},
        {"type": "response.content_part.done", **where, "part": part},
        {"type": "response.output_item.done", "output_index": at, "item": item},
    ]


def call_events(item: dict[str, Any], at: int) -> list[dict[str, Any]]:
    """The events of a call, its arguments in one delta."""
    done = {"type": "response.output_item.done", "output_index": at, "item": item}
    added = {"type": "response.output_item.added", "output_index": at, "item": item}
    member = streamed_member(item)
    if member is None:
        return [added, done]
    name = f"response.{_EVENTS[item['type']]}"
    where = {"item_id": item.get("id"), "output_index": at}
    return [
        {**added, "item": {**item, "status": "in_progress", member: ""}},
        {"type": f"{name}.delta", **where, "delta": item[member]},
        {"type": f"{name}.done", **where, member: item[member], "name": item.get("name")},
        done,
    ]


def _json(value: Any) -> str:
    return _ENCODER.encode(value).decode()
