"""Whole items of a Responses output as events: a refused call's message, a call with other arguments."""

from __future__ import annotations

from typing import Any

from clearance.core.dialects.responses import put_arguments, told

_STREAMED = {"function_call": "arguments", "custom_tool_call": "input"}
_EVENTS = {"function_call": "function_call_arguments", "custom_tool_call": "custom_tool_call_input"}


def streamed_member(item: dict[str, Any]) -> str | None:
    """The member that comes in deltas."""
    return _STREAMED.get(str(item.get("type")))


def with_arguments(item: dict[str, Any], arguments: str) -> dict[str, Any]:
    """The item with other arguments."""
    made = dict(item)
    put_arguments(made, arguments)
    return made


def told_events(text: str, at: int) -> list[dict[str, Any]]:
    """The events of the message that stands for a refused call."""
    item = told(text, at)
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
