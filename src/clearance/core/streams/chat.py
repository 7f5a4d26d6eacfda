"""Chat Completions while they stream: every choice, every text of it, its tool calls of both forms."""

from __future__ import annotations

from collections.abc import Hashable
from typing import Any

import msgspec

from clearance.core.dialects.answer import Answer, ToolCall, Usage
from clearance.core.streams.flow import Entry, Path, put_at
from clearance.core.streams.form import Call, Form, nothing
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

_ENCODER = msgspec.json.Encoder()
_CHUNK = frozenset(
    {
        "id",
        "object",
        "created",
        "model",
        "choices",
        "usage",
        "service_tier",
        "system_fingerprint",
        "obfuscation",
        "error",
    }
)
_CHOICE = frozenset({"index", "delta", "finish_reason", "logprobs"})
# What servers add to a choice that is no text of the answer.
_ADDED = frozenset(
    {
        "content_filter_offsets",
        "content_filter_results",
        "matched_stop",
        "native_finish_reason",
        "stop_reason",
        "token_ids",
    }
)
_DELTA = frozenset({"role", "content", "refusal", "tool_calls", "function_call", "audio", "annotations"})
_CALL_FINISH = frozenset({"tool_calls", "function_call"})
_KINDS = frozenset({"function", "custom"})
_LEGACY = -1  # the place of a `function_call` among the calls of a choice


class _Wanted:
    """A tool call that is being streamed. `parts` are (entry, place of the choice in it)."""

    def __init__(self) -> None:
        self.id = ""
        self._kind = ""
        self.name = ""
        self.arguments: list[str] = []
        self.call: Call | None = None

    @property
    def kind(self) -> str:
        return self._kind or "function"

    def add(self, part: dict[str, Any]) -> None:
        self.id = _same(self.id, text_in(part, "id"))
        self._kind = _same(self._kind, text_in(part, "type"))
        if self.kind not in _KINDS or any(part.get(kind) for kind in _KINDS - {self.kind}):
            raise unknown_event("a kind of tool call")
        self.add_inner(table_in(part, self.kind))

    def add_inner(self, inner: dict[str, Any]) -> None:
        plainly_named(inner, frozenset({"name", "arguments", "input"}))
        if name := text_in(inner, "name"):
            if self.name:
                raise malformed("A tool call is named twice.")
            self.name = name
        self.arguments.append(text_in(inner, "input" if self.kind == "custom" else "arguments"))

    def whole(self, choice: int) -> ToolCall:
        text = "".join(self.arguments)
        if self.kind == "custom":
            text = _ENCODER.encode({"input": text}).decode()
        return ToolCall(id=self.id, name=self.name, arguments=text, choice=choice)

    def new_arguments(self) -> str | None:
        """As they are written in this form; None where they stay."""
        assert self.call is not None
        arguments = self.call.arguments
        if arguments is None or self.kind == "function":
            return arguments
        return str(msgspec.json.decode(arguments).get("input", ""))


def _same(before: str, now: str) -> str:
    if before and now and before != now:
        raise malformed("A tool call changed its id or its kind.")
    return before or now


class _Choice:
    """One of the answers. Its calls are whole when it finishes; until then their events are held."""

    def __init__(self, index: int) -> None:
        self.index = index
        self.wanted: dict[int, _Wanted] = {}
        self.entries: list[tuple[Entry, int]] = []  # those that carry calls or their finish, and where in it
        self.finish = ""
        self.has_text = False
        self.told: set[int] = set()

    @property
    def is_decided(self) -> bool:
        return all(one.call is not None and one.call.ruling is not None for one in self.wanted.values())


class Chat(Form):
    """One answer of Chat Completions."""

    def __init__(self, scrub: Any, *, is_whole: bool) -> None:
        super().__init__(scrub, is_whole=is_whole)
        self._head: dict[str, Any] = {}
        self._choices: dict[int, _Choice] = {}
        self._usage = Usage()
        self._raw_usage: Any = None

    def read(self, entry: Entry) -> None:
        if entry.event.name not in (None, "message", "error"):
            raise unknown_event("an event")
        if entry.value is None:
            self._done()
            return
        value = entry.value
        plainly_named(value, _CHUNK)
        if value.get("error") is not None or entry.event.name == "error":
            self.upstream_error = "The upstream ended the stream with an error."
            return
        self.clean_rest(entry, skip=frozenset({"delta"}))
        if not self._head:
            self._head = {name: value.get(name) for name in ("id", "object", "created", "model")}
        for at, choice in enumerate(tables_in(value, "choices")):
            self._choice(entry, at, choice)
        if (usage := table_in(value, "usage")) != {}:
            self._raw_usage = usage
            self._usage = Usage(
                input_tokens=count_in(usage, "prompt_tokens"),
                output_tokens=count_in(usage, "completion_tokens"),
                cached_input_tokens=count_in(table_in(usage, "prompt_tokens_details"), "cached_tokens") or 0,
            )

    def repeatable(self, value: dict[str, Any]) -> tuple[Hashable, Path] | None:
        match value.get("choices"):
            case [{"delta": dict(delta), **choice}] if len(delta) == 1 and not value.get("usage"):
                ((name, text),) = delta.items()
                if type(text) is str and text and not choice.get("finish_reason"):
                    return (choice["index"], name), ("choices", 0, "delta", name)
        return None

    def _choice(self, entry: Entry, at: int, value: dict[str, Any]) -> None:
        self._known_members(value)
        index = index_in(value, "index")
        choice = self._choices.get(index)
        if choice is None:
            choice = self._choices[index] = _Choice(index)
        delta = table_in(value, "delta")
        plainly_named(delta, _DELTA)
        for name, item in delta.items():
            if item is not None:
                self._member(entry, at, choice, name, item)
        if finish := text_in(value, "finish_reason"):
            self._finished(entry, at, choice, finish)

    def _known_members(self, value: dict[str, Any]) -> None:
        if _CHOICE.issuperset(value):
            return
        plainly_named(value, _CHOICE)
        for name in value.keys() - _CHOICE - _ADDED:
            if isinstance(value[name], str | dict | list):
                raise malformed(
                    "A choice has a member that Clearance does not know, and that may carry text."
                )

    def _member(self, entry: Entry, at: int, choice: _Choice, name: str, item: Any) -> None:
        match name:
            case "role":
                pass
            case "tool_calls" | "function_call":
                self._call_parts(entry, at, choice, entry.value["choices"][at]["delta"])  # type: ignore[index]
            case "audio":
                self._audio(entry, at, choice, item)
            case _ if type(item) is str:
                choice.has_text = choice.has_text or (name == "content" and item != "")
                self.text(entry, (choice.index, name), ("choices", at, "delta", name), item)
            case "annotations":  # whole in one event
                clean = self.scrub.clean_value(item)
                if clean is not item:
                    path = ("choices", at, "delta", name)
                    entry.edits.append(lambda value: put_at(value, path, clean))
            case _ if isinstance(item, dict | list) and (self.scrub.is_active or self.is_whole):
                raise malformed("A delta has a member that Clearance cannot look through.")

    def _audio(self, entry: Entry, at: int, choice: _Choice, audio: Any) -> None:
        if type(audio) is not dict:
            raise malformed("`audio` is no object.")
        if audio.get("data") and (self.scrub.is_active or self.is_whole):
            raise malformed("Speech cannot be judged while a policy looks at what the model says.")
        if transcript := text_in(audio, "transcript"):
            path = ("choices", at, "delta", "audio", "transcript")
            self.text(entry, (choice.index, "transcript"), path, transcript)

    def _call_parts(self, entry: Entry, at: int, choice: _Choice, delta: dict[str, Any]) -> None:
        if choice.finish:
            raise malformed("A tool call goes on after its choice has finished.")
        if (entry, at) not in choice.entries[-1:]:
            choice.entries.append((entry, at))
            entry.holds += 1
            for part in tables_in(delta, "tool_calls"):
                plainly_named(part, frozenset({"index", "id", "type", "function", "custom"}))
                self._wanted(choice, index_in(part, "index")).add(part)
            if legacy := table_in(delta, "function_call"):
                self._wanted(choice, _LEGACY).add_inner(legacy)

    def _wanted(self, choice: _Choice, place: int) -> _Wanted:
        found = choice.wanted.get(place)
        if found is None:
            if place > len(choice.wanted.keys() - {_LEGACY}):
                raise malformed("The index of a tool call jumps.")
            found = choice.wanted[place] = _Wanted()
        return found

    def _finished(self, entry: Entry, at: int, choice: _Choice, finish: str) -> None:
        if choice.finish:
            raise malformed("A choice finishes twice.")
        choice.finish = finish
        for key in [key for key in self.flows if isinstance(key, tuple) and key[0] == choice.index]:
            self.finish(key)
        if not choice.wanted:
            return
        if (entry, at) not in choice.entries[-1:]:
            choice.entries.append((entry, at))
            entry.holds += 1
        for wanted in choice.wanted.values():
            wanted.call = self.ask(wanted.whole(choice.index), lambda _: self._settle(choice))

    def _done(self) -> None:
        if any(choice.wanted and not choice.finish for choice in self._choices.values()):
            raise malformed("The upstream ended the stream within a tool call.")
        for key in self.flows:
            self.finish(key)
        self.is_over = True

    # What was decided

    def _settle(self, choice: _Choice) -> None:
        if not choice.is_decided:
            return
        is_changed = any(
            one.call is not None and (one.call.refusal is not None or one.call.arguments is not None)
            for one in choice.wanted.values()
        )
        for entry, at in choice.entries:
            entry.holds -= 1
            if is_changed:
                entry.edits.append(lambda value, at=at: self._ruled(value, at, choice))  # type: ignore[misc]
                entry.last = [_dropped_if_empty]

    def _ruled(self, value: dict[str, Any], at: int, choice: _Choice) -> None:
        """One event of the choice without what was refused, with the arguments that were set."""
        found = value["choices"][at]
        delta = found.get("delta") or {}
        parts = [self._part(choice, delta, part, part["index"]) for part in delta.get("tool_calls") or ()]
        if "tool_calls" in delta:
            delta["tool_calls"] = [part for part in parts if part is not None]
            if not delta["tool_calls"]:
                del delta["tool_calls"]
        if (legacy := delta.get("function_call")) is not None and self._part(
            choice, delta, {"function": legacy}, _LEGACY
        ) is None:
            del delta["function_call"]
        found["logprobs"] = None if found.get("logprobs") else found.get("logprobs")
        is_left = any(one.call is not None and one.call.refusal is None for one in choice.wanted.values())
        if found.get("finish_reason") in _CALL_FINISH and not is_left:
            found["finish_reason"] = "stop"

    def _part(
        self, choice: _Choice, delta: dict[str, Any], part: dict[str, Any], place: int
    ) -> dict[str, Any] | None:
        wanted = choice.wanted[place]
        assert wanted.call is not None
        is_first = place not in choice.told
        choice.told.add(place)
        if (refusal := wanted.call.refusal) is not None:
            if is_first:
                self._tell(choice, delta, refusal)
            return None
        if (arguments := wanted.new_arguments()) is not None:
            name = "input" if wanted.kind == "custom" else "arguments"
            if is_first or part.get(wanted.kind, {}).get(name) is not None:
                part.setdefault(wanted.kind, {})[name] = arguments if is_first else ""
        if place != _LEGACY:
            part["index"] = sum(
                1
                for other, one in choice.wanted.items()
                if _LEGACY < other < place and one.call is not None and one.call.refusal is None
            )
        return part

    def _tell(self, choice: _Choice, delta: dict[str, Any], refusal: str) -> None:
        text = f"\n\n{refusal}" if choice.has_text else refusal
        delta["content"] = (delta.get("content") or "") + text
        choice.has_text = True

    # What the door reads

    def answer(self) -> Answer:
        choices = [self._choices[index] for index in sorted(self._choices)]
        refusals = (self._said(choice, "refusal") for choice in choices)
        calls = [wanted.whole(choice.index) for choice in choices for wanted in choice.wanted.values()]
        return Answer(
            id=str(self._head.get("id") or ""),
            model=str(self._head.get("model") or ""),
            texts=tuple(self._said(choice, "content") for choice in choices),
            refusals=tuple(text for text in refusals if text),
            tool_calls=tuple(calls),
            finish=tuple(choice.finish for choice in choices),
            usage=self._usage,
        )

    def _said(self, choice: _Choice, name: str) -> str:
        flow = self.flows.get((choice.index, name))
        return flow.said if flow is not None else ""

    def withheld(self, message: str) -> list[dict[str, Any]]:
        chunks: list[dict[str, Any]] = []
        for index in sorted(self._choices) or [0]:
            choice = {"index": index, "delta": {"role": "assistant", "content": message}}
            chunks.append({**self._head, "choices": [{**choice, "finish_reason": None}]})
        for index in sorted(self._choices) or [0]:
            choice = {"index": index, "delta": {}, "finish_reason": "stop"}
            chunks.append({**self._head, "choices": [choice]})
        if self._raw_usage is not None:
            chunks.append({**self._head, "choices": [], "usage": self._raw_usage})
        return chunks


def _dropped_if_empty(entry: Entry) -> None:
    """Carry out the edits now, and leave out an event that says nothing any more."""
    assert entry.value is not None
    value = entry.value
    for edit in entry.edits:
        edit(value)
    entry.edits = [nothing]
    if value["choices"] and not value.get("usage"):
        value["choices"] = [
            one for one in value["choices"] if one.get("delta") or one.get("finish_reason") is not None
        ]
        if not value["choices"]:
            entry.instead = []
