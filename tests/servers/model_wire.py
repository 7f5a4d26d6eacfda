"""What a model provider sends for one turn, byte for byte in its own form: bodies and event streams."""

from __future__ import annotations

import json
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from typing import Any

from clearance.core.dialects.answer import Dialect

CREATED = 1_763_700_000
Arguments = str | dict[str, Any]


@dataclass(frozen=True, kw_only=True)
class Wire:
    """What goes wrong, or only otherwise, on the way. All counts are of events from the first."""

    chunk: int = 0  # bytes written at a time; 0: an event at a time; 1 splits UTF-8 characters and frames
    crlf: bool = False
    comments: bool = False  # a comment before every event, as keep-alives are
    extra: bool = False  # unknown fields in every event
    unknown_event: int | None = None  # before this event comes one that no client knows
    error_after: int | None = None  # then the provider's error event, and the end
    cut_after: int | None = None  # then half of the next event, and the connection is dropped
    without_end: bool = False  # no terminal event; the body ends in order


@dataclass(frozen=True, kw_only=True)
class Turn:
    """One answer of the model. `tool_calls` are (name, arguments); every choice says the same."""

    text: str = ""
    tool_calls: Sequence[tuple[str, Arguments]] = ()
    refusal: str = ""
    reasoning: str = ""
    choices: int = 1
    usage: tuple[int, int] = (12, 7)
    piece: int = 4  # characters in a delta
    interleave: bool = False  # chat: the deltas of all tool calls in turns
    delay: float = 0.0  # seconds between events
    wait: float = 0.0  # seconds before the answer begins
    status: int = 200
    error: dict[str, Any] | None = None
    headers: dict[str, str] = field(default_factory=dict)
    wire: Wire = Wire()
    raw: bytes | None = None  # these bytes in place of an answer, of the content type that `headers` say


def arguments_text(arguments: Arguments) -> str:
    return arguments if isinstance(arguments, str) else json.dumps(arguments, ensure_ascii=False)


def pieces(text: str, size: int) -> list[str]:
    return [text[at : at + size] for at in range(0, len(text), size)]


def dumped(value: Any) -> bytes:
    return json.dumps(value, ensure_ascii=False, separators=(",", ":")).encode()


def body(dialect: Dialect, turn: Turn, model: str = "scripted-1", *, serial: int = 1) -> dict[str, Any]:
    """The answer in one piece."""
    match dialect:
        case Dialect.CHAT:
            return _chat_body(turn, model, serial)
        case Dialect.RESPONSES:
            return _response(turn, model, serial, "completed", _items(turn, serial))
        case Dialect.MESSAGES:
            return _message(turn, model, serial)


def error_body(dialect: Dialect, turn: Turn) -> dict[str, Any]:
    """What comes with a status that is no success."""
    if turn.error is not None:
        return turn.error
    if dialect is Dialect.MESSAGES:
        return {"type": "error", "error": {"type": "api_error", "message": f"scripted {turn.status}"}}
    error = {"message": f"scripted {turn.status}", "type": "server_error", "param": None, "code": None}
    return {"error": error}


def events(
    dialect: Dialect, turn: Turn, model: str = "scripted-1", *, serial: int = 1, usage: bool = True
) -> list[bytes]:
    """The answer as a stream, one event an element. `usage` is chat's `stream_options.include_usage`."""
    match dialect:
        case Dialect.CHAT:
            made = [(None, value) for value in _chat_events(turn, model, serial, usage=usage)]
        case Dialect.RESPONSES:
            numbered = enumerate(_response_events(turn, model, serial))
            made = [(value["type"], {**value, "sequence_number": at}) for at, value in numbered]
        case Dialect.MESSAGES:
            made = [(value["type"], value) for value in _message_events(turn, model, serial)]
    frames = [_frame(name, value, turn.wire) for name, value in made]
    if dialect is Dialect.CHAT:
        frames.append(_ended(b"data: [DONE]", turn.wire))
    return _damaged(dialect, frames, turn.wire)


def _frame(name: str | None, value: dict[str, Any], wire: Wire) -> bytes:
    if wire.extra:
        value = {**value, "x_new_field": {"deep": [1, 2]}, "obfuscation": "Zk3"}
    line = b"data: " + dumped(value)
    return _ended(line if name is None else b"event: " + name.encode() + b"\n" + line, wire)


def _ended(lines: bytes, wire: Wire) -> bytes:
    frame = (b": keep-alive\n\n" if wire.comments else b"") + lines + b"\n\n"
    return frame.replace(b"\n", b"\r\n") if wire.crlf else frame


def _damaged(dialect: Dialect, frames: list[bytes], wire: Wire) -> list[bytes]:
    if wire.unknown_event is not None:
        news = {"type": "response.telepathy.delta", "delta": "unknown secret text", "sequence_number": 999}
        frames.insert(wire.unknown_event, _frame("response.telepathy.delta", news, Wire(crlf=wire.crlf)))
    if wire.without_end:
        frames = frames[:-1]
    if wire.error_after is not None:
        frames = [*frames[: wire.error_after], _ended(_error_event(dialect), wire)]
    if wire.cut_after is not None:
        rest = frames[wire.cut_after]
        frames = [*frames[: wire.cut_after], rest[: len(rest) // 2]]
    return frames


def _error_event(dialect: Dialect) -> bytes:
    message = "scripted failure in the stream"
    match dialect:
        case Dialect.CHAT:
            error = {"message": message, "type": "server_error", "param": None, "code": None}
            return b"data: " + dumped({"error": error})
        case Dialect.RESPONSES:
            value: dict[str, Any] = {"type": "error", "code": "server_error", "message": message}
            return b"event: error\ndata: " + dumped({**value, "param": None, "sequence_number": 99})
        case Dialect.MESSAGES:
            value = {"type": "error", "error": {"type": "overloaded_error", "message": message}}
            return b"event: error\ndata: " + dumped(value)


# Chat Completions


def _chat_usage(turn: Turn) -> dict[str, Any]:
    given, made = turn.usage
    details = {"prompt_tokens_details": {"cached_tokens": 0, "audio_tokens": 0}}
    return {"prompt_tokens": given, "completion_tokens": made, "total_tokens": given + made, **details}


def _chat_body(turn: Turn, model: str, serial: int) -> dict[str, Any]:
    message: dict[str, Any] = {"role": "assistant", "content": turn.text or None}
    message["refusal"] = turn.refusal or None
    if turn.reasoning:
        message["reasoning_content"] = turn.reasoning
    if turn.tool_calls:
        message["tool_calls"] = [
            {
                "id": f"call_{serial}_{at}",
                "type": "function",
                "function": {"name": name, "arguments": arguments_text(arguments)},
            }
            for at, (name, arguments) in enumerate(turn.tool_calls)
        ]
    finish = "tool_calls" if turn.tool_calls else "stop"
    choices = [
        {"index": at, "message": message, "logprobs": None, "finish_reason": finish}
        for at in range(turn.choices)
    ]
    head = {"id": f"chatcmpl-{serial}", "object": "chat.completion", "created": CREATED, "model": model}
    return {**head, "choices": choices, "usage": _chat_usage(turn), "system_fingerprint": "fp_44709d6fcb"}


def _chat_events(turn: Turn, model: str, serial: int, *, usage: bool) -> Iterator[dict[str, Any]]:
    head = {
        "id": f"chatcmpl-{serial}",
        "object": "chat.completion.chunk",
        "created": CREATED,
        "model": model,
        "service_tier": "default",
        "system_fingerprint": "fp_44709d6fcb",
    }
    tail: dict[str, Any] = {"usage": None} if usage else {}
    for delta in _chat_deltas(turn, serial):
        for at in range(turn.choices):
            choice = {"index": at, "delta": delta, "logprobs": None, "finish_reason": None}
            yield {**head, "choices": [choice], **tail}
    finish = "tool_calls" if turn.tool_calls else "stop"
    for at in range(turn.choices):
        choice = {"index": at, "delta": {}, "logprobs": None, "finish_reason": finish}
        yield {**head, "choices": [choice], **tail}
    if usage:
        yield {**head, "choices": [], "usage": _chat_usage(turn)}


def _chat_deltas(turn: Turn, serial: int) -> Iterator[dict[str, Any]]:
    opening: dict[str, Any] = {"role": "assistant", "content": None if turn.tool_calls else ""}
    yield {**opening, "refusal": None}
    for name, text in (
        ("reasoning_content", turn.reasoning),
        ("content", turn.text),
        ("refusal", turn.refusal),
    ):
        for piece in pieces(text, turn.piece):
            yield {name: piece}
    calls = [_chat_call(turn, serial, at) for at in range(len(turn.tool_calls))]
    if not turn.interleave:
        for call in calls:
            yield from call
        return
    while calls:
        for call in list(calls):
            if (delta := next(call, None)) is None:
                calls.remove(call)
            else:
                yield delta


def _chat_call(turn: Turn, serial: int, at: int) -> Iterator[dict[str, Any]]:
    name, arguments = turn.tool_calls[at]
    opening = {"index": at, "id": f"call_{serial}_{at}", "type": "function"}
    yield {"tool_calls": [{**opening, "function": {"name": name, "arguments": ""}}]}
    for piece in pieces(arguments_text(arguments), turn.piece):
        yield {"tool_calls": [{"index": at, "function": {"arguments": piece}}]}


# Responses


def _items(turn: Turn, serial: int) -> list[dict[str, Any]]:
    items: list[dict[str, Any]] = []
    if turn.reasoning:
        summary = [{"type": "summary_text", "text": turn.reasoning}]
        items.append({"id": f"rs_{serial}", "type": "reasoning", "summary": summary})
    parts: list[dict[str, Any]] = []
    if turn.text:
        parts.append({"type": "output_text", "annotations": [], "logprobs": [], "text": turn.text})
    if turn.refusal:
        parts.append({"type": "refusal", "refusal": turn.refusal})
    if parts or not turn.tool_calls:
        head = {"id": f"msg_{serial}", "type": "message", "status": "completed"}
        items.append({**head, "content": parts, "role": "assistant"})
    for at, (name, arguments) in enumerate(turn.tool_calls):
        head = {"id": f"fc_{serial}_{at}", "type": "function_call", "status": "completed"}
        call = {"arguments": arguments_text(arguments), "call_id": f"call_{serial}_{at}", "name": name}
        items.append({**head, **call})
    return items


def _response(
    turn: Turn, model: str, serial: int, status: str, items: list[dict[str, Any]]
) -> dict[str, Any]:
    given, made = turn.usage
    usage = {
        "input_tokens": given,
        "input_tokens_details": {"cached_tokens": 0},
        "output_tokens": made,
        "output_tokens_details": {"reasoning_tokens": 0},
        "total_tokens": given + made,
    }
    return {
        "id": f"resp_{serial}",
        "object": "response",
        "created_at": CREATED,
        "status": status,
        "error": None,
        "incomplete_details": None,
        "instructions": None,
        "max_output_tokens": None,
        "model": model,
        "output": items,
        "parallel_tool_calls": True,
        "previous_response_id": None,
        "reasoning": {"effort": None, "summary": None},
        "store": True,
        "temperature": 1.0,
        "text": {"format": {"type": "text"}},
        "tool_choice": "auto",
        "tools": [],
        "top_p": 1.0,
        "truncation": "disabled",
        "usage": usage if status == "completed" else None,
        "user": None,
        "metadata": {},
    }


def _response_events(turn: Turn, model: str, serial: int) -> Iterator[dict[str, Any]]:
    for kind in ("created", "in_progress"):
        yield {"type": f"response.{kind}", "response": _response(turn, model, serial, "in_progress", [])}
    items = _items(turn, serial)
    for at, item in enumerate(items):
        match item["type"]:
            case "reasoning":
                yield from _reasoning_events(turn, item, at)
            case "message":
                yield from _message_item_events(turn, item, at)
            case _:
                yield from _call_events(turn, item, at)
    yield {"type": "response.completed", "response": _response(turn, model, serial, "completed", items)}


def _reasoning_events(turn: Turn, item: dict[str, Any], at: int) -> Iterator[dict[str, Any]]:
    yield {"type": "response.output_item.added", "output_index": at, "item": {**item, "summary": []}}
    where = {"item_id": item["id"], "output_index": at, "summary_index": 0}
    part = item["summary"][0]
    yield {"type": "response.reasoning_summary_part.added", **where, "part": {**part, "text": ""}}
    for piece in pieces(part["text"], turn.piece):
        yield {"type": "response.reasoning_summary_text.delta", **where, "delta": piece}
    yield {"type": "response.reasoning_summary_text.done", **where, "text": part["text"]}
    yield {"type": "response.reasoning_summary_part.done", **where, "part": part}
    yield {"type": "response.output_item.done", "output_index": at, "item": item}


def _message_item_events(turn: Turn, item: dict[str, Any], at: int) -> Iterator[dict[str, Any]]:
    opened = {**item, "status": "in_progress", "content": []}
    yield {"type": "response.output_item.added", "output_index": at, "item": opened}
    for number, part in enumerate(item["content"]):
        where = {"item_id": item["id"], "output_index": at, "content_index": number}
        name = "text" if part["type"] == "output_text" else "refusal"
        kind = "output_text" if name == "text" else "refusal"
        extra: dict[str, Any] = {"logprobs": []} if name == "text" else {}
        yield {"type": "response.content_part.added", **where, "part": {**part, name: ""}}
        for piece in pieces(part[name], turn.piece):
            yield {"type": f"response.{kind}.delta", **where, "delta": piece, **extra}
        yield {"type": f"response.{kind}.done", **where, name: part[name], **extra}
        yield {"type": "response.content_part.done", **where, "part": part}
    yield {"type": "response.output_item.done", "output_index": at, "item": item}


def _call_events(turn: Turn, item: dict[str, Any], at: int) -> Iterator[dict[str, Any]]:
    opened = {**item, "status": "in_progress", "arguments": ""}
    yield {"type": "response.output_item.added", "output_index": at, "item": opened}
    where = {"item_id": item["id"], "output_index": at}
    for piece in pieces(item["arguments"], turn.piece):
        yield {"type": "response.function_call_arguments.delta", **where, "delta": piece}
    whole = {"arguments": item["arguments"], "name": item["name"]}
    yield {"type": "response.function_call_arguments.done", **where, **whole}
    yield {"type": "response.output_item.done", "output_index": at, "item": item}


# Messages


def _blocks(turn: Turn, serial: int) -> list[dict[str, Any]]:
    blocks: list[dict[str, Any]] = []
    if turn.reasoning:
        blocks.append({"type": "thinking", "thinking": turn.reasoning, "signature": "EqQBCgIYAhIM"})
    if turn.text or turn.refusal:
        blocks.append({"type": "text", "text": turn.text or turn.refusal})
    for at, (name, arguments) in enumerate(turn.tool_calls):
        value = json.loads(arguments_text(arguments))
        blocks.append({"type": "tool_use", "id": f"toolu_{serial}_{at}", "name": name, "input": value})
    return blocks


def _stop(turn: Turn) -> str:
    return "refusal" if turn.refusal else "tool_use" if turn.tool_calls else "end_turn"


def _message(turn: Turn, model: str, serial: int) -> dict[str, Any]:
    given, made = turn.usage
    return {
        "id": f"msg_{serial}",
        "type": "message",
        "role": "assistant",
        "model": model,
        "content": _blocks(turn, serial),
        "stop_reason": _stop(turn),
        "stop_sequence": None,
        "usage": {
            "input_tokens": given,
            "cache_creation_input_tokens": 0,
            "cache_read_input_tokens": 0,
            "output_tokens": made,
        },
    }


def _message_events(turn: Turn, model: str, serial: int) -> Iterator[dict[str, Any]]:
    whole = _message(turn, model, serial)
    start = {**whole, "content": [], "stop_reason": None, "usage": {**whole["usage"], "output_tokens": 1}}
    yield {"type": "message_start", "message": start}
    calls = [arguments_text(arguments) for _, arguments in turn.tool_calls]
    for at, block in enumerate(whole["content"]):
        yield {"type": "content_block_start", "index": at, "content_block": _opened(block)}
        if at == 0:
            yield {"type": "ping"}
        text = calls.pop(0) if block["type"] == "tool_use" else ""
        for delta in _block_deltas(block, text, turn.piece):
            yield {"type": "content_block_delta", "index": at, "delta": delta}
        yield {"type": "content_block_stop", "index": at}
    delta = {"stop_reason": whole["stop_reason"], "stop_sequence": None}
    yield {"type": "message_delta", "delta": delta, "usage": {"output_tokens": turn.usage[1]}}
    yield {"type": "message_stop"}


def _opened(block: dict[str, Any]) -> dict[str, Any]:
    match block["type"]:
        case "thinking":
            return {**block, "thinking": "", "signature": ""}
        case "text":
            return {**block, "text": ""}
        case _:
            return {**block, "input": {}}


def _block_deltas(block: dict[str, Any], arguments: str, size: int) -> Iterator[dict[str, Any]]:
    match block["type"]:
        case "thinking":
            for piece in pieces(block["thinking"], size):
                yield {"type": "thinking_delta", "thinking": piece}
            yield {"type": "signature_delta", "signature": block["signature"]}
        case "text":
            for piece in pieces(block["text"], size):
                yield {"type": "text_delta", "text": piece}
        case _:
            yield {"type": "input_json_delta", "partial_json": ""}
            for piece in pieces(arguments, size):
                yield {"type": "input_json_delta", "partial_json": piece}
