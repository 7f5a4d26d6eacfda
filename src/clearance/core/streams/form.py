"""What all wire formats share: texts by place, calls that are asked for, where the stream ends."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Callable, Hashable
from typing import Any

from clearance.core.dialects.answer import Answer, ToolCall
from clearance.core.dialects.ruling import Allowed, AllowedWith, Refused, Ruling
from clearance.core.streams.flow import Entry, Flow, Path
from clearance.core.streams.reading import BrokenStreamError, malformed
from clearance.core.streams.scrub import Scrub

MOST_CALLS = 1_024  # in one answer


class Call:
    """One tool call on its way: the events that carry it are held until `settle` carries out its ruling."""

    def __init__(self, call: ToolCall, original: str, settle: Callable[[Call], None]) -> None:
        self.call = call
        self.ruling: Ruling | None = None
        self._original = original
        self._settle = settle

    @property
    def refusal(self) -> str | None:
        """What the agent reads instead of the call."""
        return self.ruling.message if isinstance(self.ruling, Refused) else None

    @property
    def arguments(self) -> str | None:
        """The arguments that it goes on with, where they are others than the upstream's."""
        match self.ruling:
            case AllowedWith(arguments_json=arguments):
                return arguments
            case Allowed() if self.call.arguments != self._original:
                return self.call.arguments
        return None

    def rule(self, ruling: Ruling) -> None:
        self.ruling = ruling
        self._settle(self)


class Form(ABC):
    """One answer in one wire format. `read` looks at an event, and holds what may not leave yet."""

    def __init__(self, scrub: Scrub, *, is_whole: bool) -> None:
        self.scrub = scrub
        self.is_whole = is_whole
        self.is_over = False  # the terminal event was read
        self.upstream_error: str | None = None
        self.flows: dict[Hashable, Flow] = {}
        self.calls: list[Call] = []
        self._asked: list[ToolCall] = []
        self._ids: set[Hashable] = set()

    @abstractmethod
    def read(self, entry: Entry) -> None:
        """Raises BrokenStreamError."""

    @abstractmethod
    def answer(self) -> Answer:
        """What the model said so far, as it said it."""

    @abstractmethod
    def repeatable(self, value: dict[str, Any]) -> tuple[Hashable, Path] | None:
        """Which text, and where it stands, if this event, just read, is a piece of it and nothing more."""

    def may_pass(self, number: int | None) -> bool:  # noqa: ARG002
        """Whether an event may leave now, as it came; `number` is its own, where events are numbered."""
        return True

    @property
    def next_number(self) -> int:
        """Of the next event, where the format numbers them."""
        return 0

    @abstractmethod
    def withheld(self, message: str) -> list[dict[str, Any]]:
        """A whole answer that says nothing but this."""

    def sent(self, entry: Entry) -> bytes:
        """The bytes of an entry that leaves, as it was changed on the way."""
        for last in entry.last:
            last(entry)
        if entry.instead is not None:
            return b"".join(entry.event.written(value) for value in entry.instead)
        if not entry.edits or entry.value is None:
            return entry.event.raw
        for edit in entry.edits:
            edit(entry.value)
        return entry.event.written(entry.value) if entry.instead is None else b""

    def taken_asked(self) -> list[ToolCall]:
        """The calls to ask for now. Where the whole answer is judged, it is judged first."""
        if self.is_whole:
            return []
        asked, self._asked = self._asked, []
        return asked

    def drop_calls(self) -> None:
        """The answer is withheld: none of its calls is asked for any more."""
        self._asked.clear()
        self.calls.clear()

    def decide(self, call: ToolCall, ruling: Ruling) -> None:
        """Raises ValueError for a call that was not asked for, or is decided."""
        found = next((one for one in self.calls if one.ruling is None and one.call == call), None)
        if found is None:
            raise ValueError("no such tool call waits for a decision")
        found.rule(ruling)

    def ask(self, call: ToolCall, settle: Callable[[Call], None]) -> Call:
        """A call is whole: the events that carry it stay until it is decided."""
        if call.id:
            if (call.choice, call.id) in self._ids:
                raise malformed("Two tool calls have the same id.")
            self._ids.add((call.choice, call.id))
        if len(self.calls) >= MOST_CALLS:
            raise BrokenStreamError("too_much_held", "The answer asks for too many tools.")
        restored = self.scrub.restored_json(call.arguments)
        shown = (
            call
            if restored == call.arguments
            else ToolCall(id=call.id, name=call.name, arguments=restored, choice=call.choice)
        )
        made = Call(shown, call.arguments, settle)
        self.calls.append(made)
        self._asked.append(shown)
        return made

    def text(self, entry: Entry, key: Hashable, path: Path, text: str) -> None:
        """A piece of the text at this place."""
        if not text:
            return
        flow = self.flows.get(key)
        if flow is None:
            flow = self.flows[key] = Flow(self.scrub)
        flow.add(entry, path, text, is_held=self.is_whole)

    def finish(self, key: Hashable) -> None:
        """The text at this place is over."""
        if not self.is_whole and (flow := self.flows.get(key)) is not None:
            flow.finish()

    def clean_rest(self, entry: Entry, *, skip: frozenset[str] = frozenset()) -> None:
        """Whatever else of an event holds text to be changed, it is changed where it stands.

        `skip` are the members that hold the pieces of texts and calls, which have their own rules.
        """
        if self.scrub.is_active and entry.value is not None and self.scrub.suspects(entry.event.data or b""):
            clean = self.scrub.clean_value(entry.value, skip=skip)
            if clean is not entry.value:
                entry.value = clean
                entry.edits.append(nothing)


def nothing(_: dict[str, Any]) -> None:
    """The value was changed already."""
