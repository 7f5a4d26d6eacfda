"""A conversation as a chain of hashes: one for every message, over all that was said up to it.

What clients change when they send a conversation again does not count: marks for caches, reasoning that is
left out, a text as a string or in parts.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterable, Sequence
from typing import Any

import msgspec

from clearance.core.dialects.answer import Answer, Dialect, ToolCall
from clearance.core.dialects.reading import text_of

_ENCODER = msgspec.json.Encoder(order="deterministic")
_UNSPOKEN = frozenset({"reasoning", "thinking", "redacted_thinking"})
_SIZE = 16  # bytes: a key of a memory, no proof


class Chain:
    """The hashes so far. Feeding it costs what the text is long, however much went before."""

    def __init__(self, dialect: Dialect) -> None:
        self._hash = hashlib.blake2b(dialect.value.encode(), digest_size=_SIZE)
        self.marks: list[str] = []

    def add(self, items: Iterable[Any]) -> None:
        """Messages, or items, that come next."""
        for item in items:
            if said := _said(item):
                self._hash.update(len(said).to_bytes(8, "big") + said)
            self.marks.append(self._hash.copy().hexdigest())

    def after(self, items: Iterable[Any]) -> str:
        """The hash that the chain would have with these added; it is not changed."""
        ahead = self._hash.copy()
        for item in items:
            if said := _said(item):
                ahead.update(len(said).to_bytes(8, "big") + said)
        return ahead.hexdigest()


def first_answer(items: Sequence[Any]) -> int:
    """Where the model first spoke; the length where it did not: a conversation that begins here."""
    for at, item in enumerate(items):
        kind = item.get("type")
        if item.get("role") == "assistant" or (isinstance(kind, str) and kind.endswith("_call")):
            return at
    return len(items)


def spoken(dialect: Dialect, answer: Answer) -> list[list[Any]]:
    """An answer as the items by which a client goes on: one alternative for each choice."""
    choices = max(len(answer.texts), 1 + max((call.choice for call in answer.tool_calls), default=-1))
    return [_items(dialect, answer, choice) for choice in range(choices)]


def _items(dialect: Dialect, answer: Answer, choice: int) -> list[Any]:
    text = answer.texts[choice] if choice < len(answer.texts) else ""
    calls = [call for call in answer.tool_calls if call.choice == choice]
    match dialect:
        case Dialect.CHAT:
            asked_for = [{"id": one.id, "function": _chat(one)} for one in calls]
            return [{"role": "assistant", "content": text, "tool_calls": asked_for}]
        case Dialect.MESSAGES:
            blocks = [_block(one) for one in calls]
            return [{"role": "assistant", "content": [{"type": "text", "text": text}, *blocks]}]
        case Dialect.RESPONSES:
            said = [{"role": "assistant", "content": text}] if text else []
            return [*said, *(_item(one) for one in calls)]


def _chat(call: ToolCall) -> dict[str, Any]:
    return {"name": call.name, "arguments": call.arguments}


def _block(call: ToolCall) -> dict[str, Any]:
    return {
        "type": "tool_use",
        "id": call.id,
        "name": call.name,
        "input": msgspec.json.decode(call.arguments or "{}"),
    }


def _item(call: ToolCall) -> dict[str, Any]:
    return {
        "type": "function_call",
        "call_id": call.id,
        "name": call.name,
        "arguments": call.arguments,
    }


def _said(item: Any) -> bytes:
    """What counts of one message, as bytes; empty for what does not count at all."""
    if type(item) is not dict:
        return _ENCODER.encode(item)
    if item.get("type") in _UNSPOKEN:
        return b""
    content, role = item.get("content"), item.get("role")
    if type(content) is str and len(item) == 2 and type(role) is str and role != "assistant":
        return _ENCODER.encode([role or None, content, []])
    parts = [_part(part) for part in content] if isinstance(content, list) else []
    said: list[Any] = [
        role or item.get("type"),
        text_of(content),
        [part for part in parts if part],
    ]
    if role == "assistant":
        said += [_calls(item)]
    elif "role" not in item or len(item) > 2:
        said += [{name: value for name, value in item.items() if name not in _NOT_COUNTED}]
    return _ENCODER.encode(said)


_NOT_COUNTED = frozenset({"role", "content", "cache_control", "id", "status"})


def _part(part: Any) -> Any:
    """What a part of a message is beside text; None for text and what does not count."""
    if type(part) is not dict:
        return part
    if part.get("type") in _UNSPOKEN or isinstance(part.get("text"), str):
        return None
    return {name: value for name, value in part.items() if name != "cache_control"}


def _calls(item: dict[str, Any]) -> list[Any]:
    calls = item.get("tool_calls")
    found = [
        (call.get("id"), call.get(call.get("type") or "function"))
        for call in (calls if isinstance(calls, list) else ())
        if type(call) is dict
    ]
    return [*found, item["function_call"]] if item.get("function_call") else found
