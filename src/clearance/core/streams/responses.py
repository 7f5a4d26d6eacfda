"""OpenAI Responses while they stream, item by item. What the end repeats is what was shown before."""

from __future__ import annotations

from collections.abc import Hashable
from typing import Any

from clearance.core.dialects.answer import Answer, Usage
from clearance.core.dialects.responses import call_of, is_call, told
from clearance.core.streams.flow import Entry, Flow, Path, put_at, put_text
from clearance.core.streams.form import Call, Form, nothing
from clearance.core.streams.items import call_events, streamed_member, told_events, with_arguments
from clearance.core.streams.reading import (
    count_in,
    index_in,
    malformed,
    plainly_named,
    table_in,
    tables_in,
    text_in,
    unknown_event,
)
from clearance.core.streams.scrub import Scrub

_EVENT = frozenset(
    {
        "type",
        "sequence_number",
        "response",
        "item",
        "item_id",
        "output_index",
        "content_index",
        "summary_index",
        "part",
        "delta",
        "text",
        "refusal",
        "arguments",
        "input",
        "logprobs",
        "obfuscation",
    }
)
_SPEECH = frozenset({"message", "reasoning"})
_BEGINNINGS = frozenset({"response.created", "response.queued", "response.in_progress"})
_ENDS = frozenset({"response.completed", "response.incomplete"})
_ERRORS = frozenset({"response.failed", "error"})
# The text of a part, by its type; and where an event says which part it is about.
_WORDS = {"output_text": "text", "refusal": "refusal", "reasoning_text": "text", "summary_text": "text"}
_DELTAS = {
    "response.output_text.delta": "content",
    "response.refusal.delta": "content",
    "response.reasoning_text.delta": "content",
    "response.reasoning_summary_text.delta": "summary",
}
_DONES = {
    "response.output_text.done": ("content", "text"),
    "response.refusal.done": ("content", "refusal"),
    "response.reasoning_text.done": ("content", "text"),
    "response.reasoning_summary_text.done": ("summary", "text"),
}
_PARTS = {
    "response.content_part.added": "content",
    "response.content_part.done": "content",
    "response.reasoning_summary_part.added": "summary",
    "response.reasoning_summary_part.done": "summary",
}
# Runs of the provider's tools, as they go on.
_PASSING = (
    "response.code_interpreter_call.",
    "response.code_interpreter_call_code.",
    "response.compaction.",
    "response.file_search_call.",
    "response.image_generation_call.",
    "response.mcp_call.",
    "response.mcp_call_arguments.",
    "response.mcp_list_tools.",
    "response.output_text.annotation.",
    "response.web_search_call.",
)
_TEXTS = frozenset({"text", "refusal", "delta"})
Key = tuple[int, str, int]


class _Item:
    """One item of the output."""

    def __init__(self, index: int, value: dict[str, Any]) -> None:
        self.index = index
        self.value = value
        self.entries: list[Entry] = []
        self.deltas: list[str] = []
        self.call: Call | None = None
        self.is_open = True


class Responses(Form):
    """One answer of Responses."""

    def __init__(self, scrub: Scrub, *, is_whole: bool) -> None:
        super().__init__(scrub, is_whole=is_whole)
        self._first: dict[str, Any] = {}
        self._last: dict[str, Any] = {}
        self._items: dict[int, _Item] = {}
        self._refusals: set[Key] = set()
        self._number = 0
        self._renumbers = False

    def read(self, entry: Entry) -> None:
        value = entry.value
        if value is None:
            raise malformed("An event of the stream is no JSON object.")
        plainly_named(value, _EVENT)
        kind = text_in(value, "type")
        if entry.event.name is not None and entry.event.name != kind:
            raise malformed("An event is named otherwise than its data.")
        if kind in _ERRORS:
            self._failed(entry, value)
        elif not self._first and kind not in _BEGINNINGS:
            raise malformed("The stream does not begin with its response.")
        elif (item := self._call_at(value)) is not None:
            self._call_event(entry, item, kind, value)
        else:
            self._event(entry, kind, value)

    def _event(self, entry: Entry, kind: str, value: dict[str, Any]) -> None:
        if kind in _DELTAS:
            self.clean_rest(entry, skip=_TEXTS)
            key = _key(value, _DELTAS[kind])
            self._note(key, "refusal" if kind == "response.refusal.delta" else "text")
            self.text(entry, key, ("delta",), text_in(value, "delta"))
        elif kind in _PARTS:
            where = _PARTS[kind]
            part = table_in(value, "part")
            self.clean_rest(entry, skip=_TEXTS)
            self._part(entry, _key(value, where), ("part",), part, is_done=kind.endswith(".done"))
        elif kind in _DONES:
            where, name = _DONES[kind]
            self._note(_key(value, where), name)
            self.clean_rest(entry, skip=_TEXTS)
            self._repeated(entry, _key(value, where), (name,), text_in(value, name))
        elif kind == "response.output_item.added":
            self._added(entry, index_in(value, "output_index"), table_in(value, "item"))
        elif kind == "response.output_item.done":
            self._item_done(entry, index_in(value, "output_index"), table_in(value, "item"))
        elif kind in _BEGINNINGS:
            self._began(entry, table_in(value, "response"))
        elif kind in _ENDS:
            self._ended(entry, table_in(value, "response"))
        elif kind.startswith(_PASSING):
            self.clean_rest(entry)
        else:
            raise unknown_event("an event")

    def repeatable(self, value: dict[str, Any]) -> tuple[Hashable, Path] | None:
        where = _DELTAS.get(value.get("type", ""))
        return (_key(value, where), ("delta",)) if where is not None and value.get("delta") else None

    def may_pass(self, number: int | None) -> bool:
        if self._renumbers:
            return False
        self._number = self._number if number is None else number + 1
        return True

    def _began(self, entry: Entry, response: dict[str, Any]) -> None:
        if response.get("output") or self._items:
            raise malformed("The response does not begin empty.")
        self._first = self._first or response
        self.clean_rest(entry)

    def _failed(self, entry: Entry, value: dict[str, Any]) -> None:
        self.upstream_error = "The upstream ended the stream with an error."
        self.clean_rest(entry)
        if value.get("response") is not None and table_in(value, "response").get("output"):
            entry.edits.append(lambda changed: put_at(changed, ("response", "output"), []))

    # Texts

    def _part(self, entry: Entry, key: Key, path: Path, part: dict[str, Any], *, is_done: bool) -> None:
        name = _WORDS.get(text_in(part, "type"))
        if name is None:
            raise unknown_event("a part of a message")
        self._note(key, name)
        if is_done:
            self._repeated(entry, key, (*path, name), text_in(part, name))
        else:
            self.text(entry, key, (*path, name), text_in(part, name))

    def _note(self, key: Key, name: str) -> None:
        if name == "refusal":
            self._refusals.add(key)

    def _repeated(self, entry: Entry, key: Key, path: Path, text: str) -> None:
        """A text that was streamed before; or it was not, and this is all of it."""
        flow = self.flows.get(key)
        if flow is None:
            self.text(entry, key, path, text)
        elif text != flow.said:
            raise malformed("A text is repeated otherwise than it was streamed.")
        else:
            entry.last.append(lambda leaving: _as_shown(leaving, path, flow))
        self.finish(key)

    def _texts_of(self, entry: Entry, index: int, item: dict[str, Any], path: Path) -> None:
        for where in ("content", "summary"):
            for at, part in enumerate(tables_in(item, where)):
                self._part(entry, (index, where, at), (*path, where, at), part, is_done=True)

    # Items

    def _added(self, entry: Entry, index: int, value: dict[str, Any]) -> None:
        if index != len(self._items):
            raise malformed("The index of an output item jumps.")
        item = self._items[index] = _Item(index, value)
        if is_call(value):
            self._carries(item, entry)
        elif value.get("type") in _SPEECH:
            if value.get("content") or value.get("summary"):
                raise malformed("An output item does not begin empty.")
            self.clean_rest(entry)
        else:
            self.clean_rest(entry)

    def _item_done(self, entry: Entry, index: int, value: dict[str, Any]) -> None:
        item = self._items.get(index)
        if item is None or not item.is_open or item.value.get("type") != value.get("type"):
            raise malformed("An output item ends that is not open.")
        item.is_open = False
        if value.get("type") in _SPEECH:
            self.clean_rest(entry, skip=_TEXTS)
            self._texts_of(entry, index, value, ("item",))
        else:
            self.clean_rest(entry)
        item.value = value

    def _call_at(self, value: dict[str, Any]) -> _Item | None:
        index = value.get("output_index")
        item = self._items.get(index) if type(index) is int else None
        return item if item is not None and is_call(item.value) else None

    def _carries(self, item: _Item, entry: Entry) -> None:
        item.entries.append(entry)
        entry.holds += 1

    def _call_event(self, entry: Entry, item: _Item, kind: str, value: dict[str, Any]) -> None:
        if not item.is_open or not kind.startswith("response.") or kind == "response.output_item.added":
            raise malformed("An event does not fit its tool call.")
        self._carries(item, entry)
        member = streamed_member(item.value)
        if kind == "response.output_item.done":
            self._call_done(item, table_in(value, "item"), member)
        elif member is not None and kind.endswith(".delta"):
            item.deltas.append(text_in(value, "delta"))
        elif member is not None and text_in(value, member) != "".join(item.deltas) and item.deltas:
            raise malformed("The arguments of a tool call are repeated otherwise than they were streamed.")
        elif member is not None:
            item.deltas = [text_in(value, member)]

    def _call_done(self, item: _Item, value: dict[str, Any], member: str | None) -> None:
        announced = ("type", "id", "call_id", "name")
        if any(value.get(name) != item.value.get(name) for name in announced):
            raise malformed("A tool call is not the one that was announced.")
        streamed = "".join(item.deltas) or (text_in(item.value, member) if member is not None else "")
        if member is not None and streamed and text_in(value, member) != streamed:
            raise malformed("The arguments of a tool call are repeated otherwise than they were streamed.")
        item.value, item.is_open = value, False
        item.call = self.ask(call_of(value), lambda made: self._settle(item, made))

    def _settle(self, item: _Item, made: Call) -> None:
        for entry in item.entries:
            entry.holds -= 1
        if made.refusal is not None:
            _replace(item.entries, told_events(made.refusal, item.index))
        elif made.arguments is not None:
            _replace(item.entries, call_events(with_arguments(item.value, made.arguments), item.index))

    # The end

    def _ended(self, entry: Entry, response: dict[str, Any]) -> None:
        if any(item.is_open and is_call(item.value) for item in self._items.values()):
            raise malformed("The response ends within a tool call.")
        self._last = response
        self.clean_rest(entry, skip=frozenset({"output"}))
        for at, value in enumerate(tables_in(response, "output")):
            self._final(entry, at, value)
        for key in list(self.flows):
            self.finish(key)
        self.is_over = True

    def _final(self, entry: Entry, at: int, value: dict[str, Any]) -> None:
        item = next((one for one in self._items.values() if _is_same(one.value, value)), None)
        path = ("response", "output", at)
        if is_call(value):
            if item is None or call_of(item.value) != call_of(value):
                raise malformed("The response ends with a tool call that it did not stream.")
            decided = item
            entry.last.append(lambda leaving: _as_decided(leaving, path, decided))
            return
        is_speech = value.get("type") in _SPEECH
        if is_speech:
            if item is None:
                item = self._items[len(self._items)] = _Item(len(self._items), value)
            self._texts_of(entry, item.index, value, path)
        clean = self.scrub.clean_value(value, skip=_TEXTS if is_speech else frozenset())
        if clean is not value and entry.value is not None:
            put_at(entry.value, path, clean)
            entry.edits.append(nothing)

    def sent(self, entry: Entry) -> bytes:
        """As it was changed, and numbered without a gap once an event was put in or left out."""
        if entry.value is None:
            return entry.event.raw
        if entry.instead is None and not self._renumbers:
            number = entry.value.get("sequence_number")
            self._number = number + 1 if type(number) is int else self._number
            return super().sent(entry)
        self._renumbers = True
        for value in [entry.value] if entry.instead is None else entry.instead:
            value["sequence_number"] = self._number
            self._number += 1
        entry.edits.append(nothing)
        return super().sent(entry)

    # What the door reads

    def answer(self) -> Answer:
        response = self._last or self._first
        usage = table_in(response, "usage")
        calls = [call_of(item.value) for item in self._items.values() if is_call(item.value)]
        return Answer(
            id=text_in(response, "id"),
            model=text_in(response, "model"),
            texts=("".join(self._said(refusals=False)),),
            refusals=tuple(self._said(refusals=True)),
            tool_calls=tuple(calls),
            finish=(text_in(response, "status"),),
            usage=Usage(
                input_tokens=count_in(usage, "input_tokens"),
                output_tokens=count_in(usage, "output_tokens"),
                cached_input_tokens=count_in(table_in(usage, "input_tokens_details"), "cached_tokens") or 0,
            ),
        )

    def _said(self, *, refusals: bool) -> list[str]:
        """What the messages say, not what was thought."""
        return [
            flow.said
            for key, flow in self.flows.items()
            if isinstance(key, tuple)
            and self._items[key[0]].value.get("type") == "message"
            and (key in self._refusals) is refusals
        ]

    @property
    def next_number(self) -> int:
        return self._number

    def withheld(self, message: str) -> list[dict[str, Any]]:
        whole = {**(self._last or self._first), "output": [told(message, 0)]}
        values = [
            {"type": "response.created", "response": {**self._first, "output": []}},
            *told_events(message, 0),
            {"type": "response.completed", "response": {**whole, "status": "completed"}},
        ]
        return [{**value, "sequence_number": at} for at, value in enumerate(values)]


def _key(value: dict[str, Any], where: str) -> Key:
    return index_in(value, "output_index"), where, index_in(value, f"{where}_index")


def _is_same(one: dict[str, Any], other: dict[str, Any]) -> bool:
    return all(one.get(name) == other.get(name) for name in ("type", "id", "call_id"))


def _as_shown(entry: Entry, path: Path, flow: Flow) -> None:
    if flow.is_changed and entry.value is not None:
        put_text(entry.value, path, flow.shown)
        entry.edits.append(nothing)


def _as_decided(entry: Entry, path: Path, item: _Item) -> None:
    if item.call is None or entry.value is None:
        return
    if item.call.refusal is not None:
        put_at(entry.value, path, told(item.call.refusal, item.index))
    elif item.call.arguments is not None:
        put_at(entry.value, path, with_arguments(item.value, item.call.arguments))
    else:
        return
    entry.edits.append(nothing)


def _replace(entries: list[Entry], values: list[dict[str, Any]]) -> None:
    for entry in entries:
        entry.instead = []
    entries[0].instead = values
