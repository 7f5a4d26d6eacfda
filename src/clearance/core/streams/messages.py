"""Anthropic Messages while they stream: block by block, each tool call whole when its block stops.

Where thinking is changed, its signature no longer fits: the provider refuses the block when it is sent back.
"""

from __future__ import annotations

from collections.abc import Hashable
from typing import Any

import msgspec

from clearance.core.dialects.answer import Answer, ToolCall, Usage
from clearance.core.dialects.messages import call_of, is_call
from clearance.core.streams.flow import Entry, Path
from clearance.core.streams.form import Call, Form
from clearance.core.streams.reading import (
    count_in,
    index_in,
    malformed,
    plainly_named,
    table_in,
    text_in,
    unknown_event,
)
from clearance.core.streams.scrub import Scrub

_EVENT = frozenset({"type", "index", "message", "content_block", "delta", "usage", "error"})
_BLOCK = frozenset({"type", "text", "thinking", "signature", "citations", "id", "name", "input", "content"})
_SPOKEN = {"text": "text", "thinking": "thinking"}
_PIECES = {"text_delta": "text", "thinking_delta": "thinking"}
_SEALED = frozenset({"signature_delta", "citations_delta", "compaction_delta"})


class _Block:
    """One content block that is open."""

    def __init__(self, kind: str, value: dict[str, Any]) -> None:
        self.kind = kind
        self.value = value
        self.is_call = is_call(value)
        self.entries: list[Entry] = []  # of a call: those that carry it
        self.arguments: list[str] = []

    def call(self) -> ToolCall:
        """Raises BrokenStreamError for what cannot be read."""
        text, given = "".join(self.arguments), self.value.get("input")
        if not text:
            return call_of({**self.value, "input": given or {}} if self.kind == "tool_use" else self.value)
        if given:
            raise malformed("A tool call has two sets of arguments.")
        if self.kind == "tool_use":
            return ToolCall(id=text_in(self.value, "id"), name=text_in(self.value, "name"), arguments=text)
        try:
            return call_of({**self.value, "input": msgspec.json.decode(text)})
        except ValueError:
            raise malformed("The input of a tool call is no JSON.") from None


class Messages(Form):
    """One answer of Anthropic Messages."""

    def __init__(self, scrub: Scrub, *, is_whole: bool) -> None:
        super().__init__(scrub, is_whole=is_whole)
        self._message: dict[str, Any] = {}
        self._usage: dict[str, Any] = {}
        self._open: dict[int, _Block] = {}
        self._count = 0
        self._wanted: list[ToolCall] = []
        self._stop = ""

    def read(self, entry: Entry) -> None:
        value = entry.value
        if value is None:
            raise malformed("An event of the stream is no JSON object.")
        plainly_named(value, _EVENT)
        kind = text_in(value, "type")
        if entry.event.name is not None and entry.event.name != kind:
            raise malformed("An event is named otherwise than its data.")
        if kind == "error":
            self.upstream_error = "The upstream ended the stream with an error."
        elif kind == "ping":
            self.clean_rest(entry)
        elif not self._message and kind != "message_start":
            raise malformed("The stream does not begin with its message.")
        else:
            self._event(entry, kind, value)

    def _event(self, entry: Entry, kind: str, value: dict[str, Any]) -> None:
        match kind:
            case "message_start":
                self._started(entry, table_in(value, "message"))
            case "content_block_start":
                self._block_started(entry, index_in(value, "index"), table_in(value, "content_block"))
            case "content_block_delta":
                self._delta(entry, index_in(value, "index"), table_in(value, "delta"))
            case "content_block_stop":
                self._block_stopped(entry, index_in(value, "index"))
            case "message_delta":
                self.clean_rest(entry)
                self._stop = text_in(table_in(value, "delta"), "stop_reason") or self._stop
                self._usage |= _told(table_in(value, "usage"))
                entry.last.append(self._stopped_otherwise)
            case "message_stop":
                if self._open:
                    raise malformed("The message stops within a content block.")
                self.is_over = True
            case _:
                raise unknown_event("an event")

    def _started(self, entry: Entry, message: dict[str, Any]) -> None:
        if self._message or not message or message.get("content"):
            raise malformed("The message does not begin empty, and once.")
        self.clean_rest(entry)
        self._message = message
        self._usage |= _told(table_in(message, "usage"))

    def _block_started(self, entry: Entry, index: int, value: dict[str, Any]) -> None:
        if index != self._count:
            raise malformed("The index of a content block jumps.")
        self._count += 1
        plainly_named(value, _BLOCK)
        block = self._open[index] = _Block(text_in(value, "type"), value)
        if block.is_call:
            self._carries(block, entry)
            return
        if (name := _SPOKEN.get(block.kind)) is None:
            self.clean_rest(entry)
            return
        self.clean_rest(entry, skip=frozenset({name}))
        self.text(entry, (block.kind, index), ("content_block", name), text_in(value, name))

    def _delta(self, entry: Entry, index: int, delta: dict[str, Any]) -> None:
        block = self._open.get(index)
        if block is None:
            raise malformed("A delta belongs to no content block.")
        kind = text_in(delta, "type")
        plainly_named(delta, _BLOCK | {"partial_json", "citation"})
        if block.is_call or kind == "input_json_delta":
            if kind != "input_json_delta" or block.kind in _SPOKEN:
                raise malformed("A delta does not fit its content block.")
            block.arguments.append(text_in(delta, "partial_json"))
            if block.is_call:
                self._carries(block, entry)
        elif (name := _PIECES.get(kind)) is not None:
            if name != _SPOKEN.get(block.kind):
                raise malformed("A delta does not fit its content block.")
            self.clean_rest(entry, skip=frozenset({name}))
            self.text(entry, (block.kind, index), ("delta", name), text_in(delta, name))
        elif kind in _SEALED:
            self.clean_rest(entry)
        else:
            raise unknown_event("a delta")

    def repeatable(self, value: dict[str, Any]) -> tuple[Hashable, Path] | None:
        delta = value.get("delta") or {}
        name = _PIECES.get(delta.get("type", "")) if value.get("type") == "content_block_delta" else None
        if name is None or not delta.get(name):
            return None
        return (self._open[value["index"]].kind, value["index"]), ("delta", name)

    def _carries(self, block: _Block, entry: Entry) -> None:
        block.entries.append(entry)
        entry.holds += 1

    def _block_stopped(self, entry: Entry, index: int) -> None:
        block = self._open.pop(index, None)
        if block is None:
            raise malformed("A content block stops that is not open.")
        self.finish((block.kind, index))
        if block.is_call:
            self._carries(block, entry)
            call = block.call()
            self._wanted.append(call)
            self.ask(call, lambda made: self._settle(block, index, made))

    # What was decided

    def _settle(self, block: _Block, index: int, made: Call) -> None:
        for entry in block.entries:
            entry.holds -= 1
        if made.refusal is not None:
            _replace(block.entries, _spoken(index, made.refusal))
        elif made.arguments is not None:
            _replace(block.entries, _rewritten(block, index, made.arguments))

    def _stopped_otherwise(self, entry: Entry) -> None:
        """Nothing is left to do for the client where every call was refused."""
        if not self.calls or any(one.refusal is None for one in self.calls) or entry.value is None:
            return
        delta = table_in(entry.value, "delta")
        if delta.get("stop_reason") == "tool_use":
            entry.edits.append(lambda _: delta.__setitem__("stop_reason", "end_turn"))

    # What the door reads

    def answer(self) -> Answer:
        texts = [flow.said for key, flow in self.flows.items() if isinstance(key, tuple) and key[0] == "text"]
        plain = count_in(self._usage, "input_tokens")
        read = count_in(self._usage, "cache_read_input_tokens") or 0
        added = count_in(self._usage, "cache_creation_input_tokens") or 0
        return Answer(
            id=text_in(self._message, "id"),
            model=text_in(self._message, "model"),
            texts=("".join(texts),),
            tool_calls=tuple(self._wanted),
            finish=(self._stop,),
            usage=Usage(
                input_tokens=None if plain is None else plain + read + added,
                output_tokens=count_in(self._usage, "output_tokens"),
                cached_input_tokens=read,
            ),
        )

    def withheld(self, message: str) -> list[dict[str, Any]]:
        delta = {"stop_reason": "end_turn", "stop_sequence": None}
        return [
            {"type": "message_start", "message": self._message},
            *_spoken(0, message),
            {"type": "message_delta", "delta": delta, "usage": self._usage},
            {"type": "message_stop"},
        ]


def _told(usage: dict[str, Any]) -> dict[str, Any]:
    return {name: item for name, item in usage.items() if item is not None}


def _spoken(index: int, text: str) -> list[dict[str, Any]]:
    """A block of text."""
    return [
        {"type": "content_block_start", "index": index, "content_block": {"type": "text", "text": ""}},
        {"type": "content_block_delta", "index": index, "delta": {"type": "text_delta", "text": text}},
        {"type": "content_block_stop", "index": index},
    ]


def _rewritten(block: _Block, index: int, arguments: str) -> list[dict[str, Any]]:
    """The call with other arguments."""
    if block.kind != "tool_use":
        value = msgspec.json.decode(arguments)
        start = {"type": "content_block_start", "index": index, "content_block": value}
        return [start, {"type": "content_block_stop", "index": index}]
    delta = {"type": "input_json_delta", "partial_json": arguments}
    return [
        {"type": "content_block_start", "index": index, "content_block": {**block.value, "input": {}}},
        {"type": "content_block_delta", "index": index, "delta": delta},
        {"type": "content_block_stop", "index": index},
    ]


def _replace(entries: list[Entry], values: list[dict[str, Any]]) -> None:
    for entry in entries:
        entry.instead = []
    entries[0].instead = values
