"""Anthropic Messages: requests and whole answers, read and rewritten. Decides nothing."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Any

import msgspec

from clearance.core.dialects.answer import Answer, ToolCall, Usage
from clearance.core.dialects.reading import (
    counted,
    kind_of,
    listed,
    of_one_model,
    one_spelling,
    plainly_named,
    text_of,
    worded,
)
from clearance.core.dialects.request import ModelRequest, ProviderTool, ToolResult
from clearance.core.dialects.ruling import AllowedWith, Refused, Ruling
from clearance.core.dialects.slots import Slot, json_text

# Tools that the caller runs: its own, and those whose form only is the provider's. Every other type is taken
# for one that the provider runs, new ones too.
_CUSTOM = "custom"
_CALLERS_TOOLS = ("bash_", "text_editor_", "computer_", "memory_")
_READ = frozenset({"content", "type", "name", "input"})
_SPOKEN = frozenset({"text", "thinking", "redacted_thinking"})
# Runs of the provider's tools, which were cleared before the request was sent.
_OF_PROVIDER = frozenset({"server_tool_use", "mcp_tool_use", "mcp_tool_result", "container_upload"})


def read_request(body: dict[str, Any]) -> ModelRequest:
    """Raises RequestError."""
    messages, tools, servers = listed(body, "messages"), listed(body, "tools"), listed(body, "mcp_servers")
    of_one_model(body)
    plainly_named((body, *messages, *tools, *servers))
    provider = [
        *(_by_provider(kind_of(tool), tool) for tool in tools if not _is_callers(tool)),
        *(_by_provider("mcp", {"url": one.get("url"), "name": one.get("name")}) for one in servers),
    ]
    if body.get("container") is not None:
        provider.append(_by_provider("container", {"container": body["container"]}))
    return ModelRequest(
        model=worded(body, "model"),
        items=messages,
        offered=frozenset(worded(tool, "name") for tool in tools),
        provider_tools=tuple(provider),
        results=tuple(_results(messages)),
        most_output=counted(body, "max_tokens"),
        goal=next((text for one in messages if one.get("role") == "user" and (text := _said(one))), ""),
    )


def _is_callers(tool: dict[str, Any]) -> bool:
    kind = kind_of(tool, _CUSTOM)
    return kind == _CUSTOM or kind.startswith(_CALLERS_TOOLS)


def _by_provider(name: str, arguments: dict[str, Any]) -> ProviderTool:
    return ProviderTool(name=name, arguments=arguments)


def _said(message: dict[str, Any]) -> str:
    return text_of(message.get("content"))


def _results(messages: list[Any]) -> Iterator[ToolResult]:
    for at, message in enumerate(messages):
        content = message.get("content")
        for place, block in enumerate(content) if isinstance(content, list) else ():
            if type(block) is dict and block.get("type") == "tool_result":
                yield ToolResult(
                    call_id=worded(block, "tool_use_id"),
                    value=block.get("content"),
                    path=("messages", at, "content", place, "content"),
                    failed=block.get("is_error") is True,
                )


def read_answer(body: dict[str, Any]) -> Answer:
    """Raises RequestError for what is no answer."""
    content = listed(body, "content")
    one_spelling((body, *content), _READ)
    return Answer(
        id=worded(body, "id"),
        model=worded(body, "model"),
        texts=(text_of(content),),
        tool_calls=tuple(call_of(block) for block in content if is_call(block)),
        finish=(worded(body, "stop_reason"),),
        usage=_usage(body.get("usage")),
    )


def is_call(block: dict[str, Any]) -> bool:
    """Whether a block asks its caller for something."""
    kind = block.get("type")
    known = (
        kind in _SPOKEN or kind in _OF_PROVIDER or (isinstance(kind, str) and kind.endswith("_tool_result"))
    )
    return not known


def call_of(block: dict[str, Any]) -> ToolCall:
    """A block of a type that is not known here is taken for a call of that name."""
    if block.get("type") != "tool_use":
        return ToolCall(id=worded(block, "id"), name=str(block.get("type")), arguments=json_text(block))
    return ToolCall(
        id=worded(block, "id"), name=worded(block, "name"), arguments=json_text(block.get("input"))
    )


def _usage(usage: Any) -> Usage:
    """What was read from or written to the provider's cache is input too, and counted apart there."""
    if type(usage) is not dict:
        return Usage()
    plain = counted(usage, "input_tokens")
    read = counted(usage, "cache_read_input_tokens") or 0
    written = counted(usage, "cache_creation_input_tokens") or 0
    return Usage(
        input_tokens=None if plain is None else plain + read + written,
        output_tokens=counted(usage, "output_tokens"),
        cached_input_tokens=read,
    )


def rule(body: dict[str, Any], rulings: Sequence[Ruling]) -> None:
    """Carry out what was decided of each call, in the order of `read_answer`."""
    left, content, calls = iter(rulings), [], 0
    for block in body["content"]:
        if is_call(block):
            match next(left):
                case Refused(message=sentence):
                    content.append({"type": "text", "text": sentence})
                    continue
                case AllowedWith(arguments_json=arguments):
                    block["input"] = msgspec.json.decode(arguments)
            calls += 1
        content.append(block)
    body["content"] = content
    if not calls and body.get("stop_reason") == "tool_use":
        body["stop_reason"] = "end_turn"


def slots(body: dict[str, Any]) -> list[Slot]:
    """Every text of an answer that a person or the agent reads."""
    found: list[Slot] = []
    for block in body["content"]:
        for name in ("text", "thinking"):
            if isinstance(block.get(name), str):
                found.append((block, name))
    return found
