"""Past the model proxy in a stream: calls cut, doubled, misplaced, and after the end."""

from __future__ import annotations

import json
from typing import Any

import pytest

from tests.acceptance.bypass.scene import (
    ARGUMENTS,
    ASKING,
    CALL,
    CHAT,
    FUNCTION,
    MESSAGES,
    PLANTED,
    RESPONSES,
    USE,
    Scene,
)
from tests.servers.model import Turn

pytestmark = [pytest.mark.acceptance, pytest.mark.servers]
SSE = {"content-type": "text/event-stream"}


def events(*values: Any, end: bytes = b"data: [DONE]\n\n") -> bytes:
    lines = (
        b"data: " + (value if isinstance(value, bytes) else json.dumps(value).encode()) for value in values
    )
    return b"".join(line + b"\n\n" for line in lines) + end


def delta(part: dict[str, Any], **choice: Any) -> dict[str, Any]:
    return {"id": "c", "choices": [{"index": 0, "delta": part, "finish_reason": None, **choice}]}


FINISH = delta({}, finish_reason="tool_calls")
PIECE = {"index": 0, "id": "a", "type": "function", "function": FUNCTION}
PIECE_JSON = json.dumps(PIECE).encode()
WHOLE_DELTA = json.dumps(delta({"tool_calls": [PIECE]})).encode()
HIDDEN_STREAMS: dict[str, bytes] = {
    "plain": events(delta({"tool_calls": [PIECE]}), FINISH),
    "the old form": events(delta({"function_call": FUNCTION}), FINISH),
    "no finish": events(delta({"tool_calls": [PIECE]})),
    "no end": events(delta({"tool_calls": [PIECE]}), FINISH, end=b""),
    "after the end": events(FINISH) + events(delta({"tool_calls": [PIECE]})),
    "after the finish": events(FINISH, delta({"tool_calls": [PIECE]})),
    "another case": events(delta({"Tool_Calls": [PIECE]}), FINISH),
    "a long s": events(delta({"tool_call\u017f": [PIECE]}), FINISH),
    "a message in place of a delta": events(
        {"choices": [{"index": 0, "message": {"tool_calls": [CALL]}, "finish_reason": "stop"}]}
    ),
    "calls beside the delta": events(delta({}, tool_calls=[PIECE]), FINISH),
    "a member twice": events(
        b'{"choices":[{"index":0,"delta":{"tool_calls":[%b],"tool_calls":[]}}]}' % PIECE_JSON
    ),
    "choices twice": events(
        b'{"choices":[{"index":0,"delta":{"tool_calls":[%b]}}],"choices":[]}' % PIECE_JSON
    ),
    "choices twice, by an escape": events(
        b'{"choices":[{"index":0,"delta":{"tool_calls":[%b]}}],"choic\\u0065s":[]}' % PIECE_JSON
    ),
    "two lines of data": b'data: {"choices":[{"index":0,"delta":\ndata: {"tool_calls":[%b]}}]}\n\n'
    % PIECE_JSON,
    "carriage returns only": events(delta({"tool_calls": [PIECE]}), FINISH).replace(b"\n", b"\r"),
    "a mark of byte order": b"\xef\xbb\xbf" + events(delta({"tool_calls": [PIECE]}), FINISH),
    "a mark within": events(FINISH, end=b"") + b"\xef\xbb\xbf" + events(delta({"tool_calls": [PIECE]})),
    "a comment": events(delta({"content": "a"}), FINISH, end=b": %b\n\n" % b"x")
    + events(delta({"tool_calls": [PIECE]})),
    "a named event": b"event: tool\n" + events(delta({"tool_calls": [PIECE]}), FINISH),
    "a field in another case": b"Data: " + WHOLE_DELTA + b"\n\n",
    "a space before a field": b" data: " + WHOLE_DELTA + b"\n\n",
    "no space after the colon": b"data:" + WHOLE_DELTA + b"\n\n",
    "a line separator": b"data: {}\xe2\x80\xa8data: " + WHOLE_DELTA + b"\n\n",
    "a vertical tab": b"data: {}\x0bdata: " + WHOLE_DELTA + b"\n\n",
    "a zero": b"data: " + WHOLE_DELTA + b"\0\n\n",
    "an error with a call": events({"error": {"message": "x"}, **delta({"tool_calls": [PIECE]})}),
    "no json": events(b'{"choices":[{"index":0,"delta":{"tool_calls":[' + PIECE_JSON),
    "a list": events([delta({"tool_calls": [PIECE]})]),
    "an index that is none": events(delta({"tool_calls": [{**PIECE, "index": "0"}]}), FINISH),
    "no index": events(delta({"tool_calls": [{k: v for k, v in PIECE.items() if k != "index"}]}), FINISH),
    "a name that changes": events(
        delta({"tool_calls": [{"index": 0, "id": "a", "function": {"name": "read_file", "arguments": ""}}]}),
        delta({"tool_calls": [PIECE]}),
        FINISH,
    ),
}


def test_no_call_hides_in_a_stream_of_chat(scene: Scene) -> None:
    for name, answer in HIDDEN_STREAMS.items():
        scene.model.say(Turn(raw=answer, headers=SSE))
        got = scene.post(CHAT, {**ASKING[CHAT], "stream": True})
        if name != "an error with a call":
            assert PLANTED not in got.text, (name, got.text)


def named(*values: dict[str, Any]) -> bytes:
    return b"".join(
        b"event: %b\ndata: %b\n\n" % (value["type"].encode(), json.dumps(value).encode()) for value in values
    )


ITEM = {"type": "function_call", "id": "f", "call_id": "a", **FUNCTION}
WHOLE = {"id": "r", "object": "response", "status": "completed", "output": [ITEM]}
HIDDEN_ITEMS: dict[str, bytes] = {
    "only at the end": named({"type": "response.completed", "response": WHOLE}),
    "only when it is done": named({"type": "response.output_item.done", "output_index": 0, "item": ITEM}),
    "only when it is added": named({"type": "response.output_item.added", "output_index": 0, "item": ITEM}),
    "arguments without an item": named(
        {"type": "response.function_call_arguments.done", "output_index": 0, "item_id": "f", **FUNCTION}
    ),
    "at the beginning": named({"type": "response.created", "response": WHOLE}),
    "incomplete": named({"type": "response.incomplete", "response": {**WHOLE, "status": "incomplete"}}),
    "failed": named({"type": "response.failed", "response": {**WHOLE, "status": "failed"}}),
    "another name than type": named({"type": "response.completed", "response": WHOLE}).replace(
        b"event: response.completed", b"event: response.in_progress"
    ),
    "an unknown event": named({"type": "response.telepathy", "item": ITEM}),
    "a custom tool": named(
        {"type": "response.custom_tool_call_input.delta", "output_index": 0, "item_id": "f", "delta": PLANTED}
    ),
    "another case": named({"type": "response.completed", "response": {"Output": [ITEM]}}),
    "twice": b'event: response.completed\ndata: {"type":"response.completed","response":%b,"response":{}}\n\n'
    % json.dumps(WHOLE).encode(),
}


def test_no_call_hides_in_a_stream_of_responses(scene: Scene) -> None:
    for name, answer in HIDDEN_ITEMS.items():
        scene.model.say(Turn(raw=answer, headers=SSE))
        got = scene.post(RESPONSES, {**ASKING[RESPONSES], "stream": True})
        assert PLANTED not in got.text, (name, got.text)


START = {"type": "message_start", "message": {"id": "m", "content": [], "usage": {}}}
BLOCK = {"type": "content_block_start", "index": 0}
INPUT = {"type": "input_json_delta", "partial_json": ARGUMENTS}
STOP = {"type": "content_block_stop", "index": 0}
HIDDEN_BLOCKS: dict[str, bytes] = {
    "whole at the start": named(START, {**BLOCK, "content_block": USE}, STOP, {"type": "message_stop"}),
    "in the message": named({"type": "message_start", "message": {"id": "m", "content": [USE]}}),
    "in a block of text": named(
        START,
        {**BLOCK, "content_block": {"type": "text", "text": ""}},
        {"type": "content_block_delta", "index": 0, "delta": INPUT},
    ),
    "without a block": named(START, {"type": "content_block_delta", "index": 0, "delta": INPUT}),
    "never stopped": named(
        START,
        {**BLOCK, "content_block": {**USE, "input": {}}},
        {"type": "content_block_delta", "index": 0, "delta": INPUT},
        {"type": "message_stop"},
    ),
    "an unknown block": named(START, {**BLOCK, "content_block": {**USE, "type": "telepathy"}}, STOP),
    "another case": named(START, {**BLOCK, "Content_Block": USE}, STOP),
    "another case of a block": named(
        START,
        {**BLOCK, "content_block": {"type": "text", "text": "", "Type": "tool_use", "Input": PLANTED}},
        STOP,
    ),
    "an unknown event": named(START, {"type": "tool_use", "content_block": USE}),
    "after the end": named(START, {"type": "message_stop"}, {**BLOCK, "content_block": USE}, STOP),
    "twice": b'event: content_block_start\ndata: {"type":"content_block_start","index":0,"content_block":%b,'
    b'"content_block":{"type":"text","text":""}}\n\n' % json.dumps(USE).encode(),
}


def test_no_call_hides_in_a_stream_of_messages(scene: Scene) -> None:
    for name, answer in HIDDEN_BLOCKS.items():
        scene.model.say(Turn(raw=answer, headers=SSE))
        got = scene.post(MESSAGES, {**ASKING[MESSAGES], "stream": True})
        assert PLANTED not in got.text, (name, got.text)
