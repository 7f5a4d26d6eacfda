"""One guarded stream, whatever its wire format. Keeps the order of events, and the bounds."""

from __future__ import annotations

from collections.abc import Callable, Hashable, Mapping
from typing import Any

import msgspec

from clearance.core.dialects.answer import Answer, Dialect, ToolCall
from clearance.core.dialects.errors import error_event
from clearance.core.dialects.once import named_once
from clearance.core.dialects.ruling import Allowed, Refused, Ruling
from clearance.core.model.judged import ResultRules
from clearance.core.streams.chat import Chat
from clearance.core.streams.flow import UNREAD, Entry, Path
from clearance.core.streams.form import Form
from clearance.core.streams.likeness import Likeness
from clearance.core.streams.messages import Messages
from clearance.core.streams.reading import BrokenStreamError, malformed
from clearance.core.streams.responses import Responses
from clearance.core.streams.scrub import Scrub
from clearance.core.streams.sse import Event, Events, written
from clearance.core.streams.steps import AskText, AskTool, Fail, Forward, Rewritten, Step, TextRuling
from clearance.errors import RequestError

MOST_HELD = 16 * 2**20  # bytes of events that wait
_MOST_TRIES = 16  # to find an event that is like the last one; then it is not looked for any more
_DONE = b"[DONE]"
_FORMS: dict[Dialect, type[Form]] = {
    Dialect.CHAT: Chat,
    Dialect.RESPONSES: Responses,
    Dialect.MESSAGES: Messages,
}
_DECODER = msgspec.json.Decoder()
_BAD_GATEWAY = 502  # the upstream is at fault


class StreamGuard:
    """Takes what the upstream sends, says what may leave. Belongs to one answer."""

    def __init__(
        self, dialect: Dialect, rules: ResultRules, *, restore: Mapping[str, str] | None = None
    ) -> None:
        self._dialect = dialect
        self._is_whole = rules.whole
        self._form = _FORMS[dialect](Scrub(rules.patterns, restore or {}), is_whole=rules.whole)
        self._events = Events()
        self._line: list[Entry] = []
        self._held = 0
        self._out: list[bytes] = []
        self._is_failed = False
        self._asks_text = False
        self._texts: tuple[str, ...] = ()
        self._repeated: tuple[Hashable, Path] | None = None  # the text that the last event was a piece of
        self._like: Likeness | None = None  # of that event, and of nothing older
        self._tries = _MOST_TRIES

    @property
    def answer(self) -> Answer:
        """What the model said so far, before anything was changed."""
        return self._form.answer()

    @property
    def done(self) -> bool:
        """The whole answer has left."""
        return self._form.is_over and not self._line and not self._is_failed

    def feed(self, chunk: bytes) -> list[Step]:
        """The next bytes of the upstream, split anywhere."""
        if not self._events.rest and self._passes(chunk):
            return [Forward(chunk)]
        return self._steps(self._take, chunk)

    def decided(self, call: ToolCall, ruling: Ruling) -> list[Step]:
        """What was decided of a call that was asked for. Raises ValueError for any other."""
        return self._steps(self._form.decide, call, ruling)

    def judged(self, ruling: TextRuling) -> list[Step]:
        """What was decided of the texts. Raises ValueError where they were not asked for."""
        if not self._asks_text:
            raise ValueError("no text waits for a judgement")
        self._asks_text = False
        return self._steps(self._judge, ruling)

    def end(self) -> list[Step]:
        """The upstream's body is over. Calls and texts that were asked for may still be decided."""
        return self._steps(self._finish)

    def _steps(self, act: Callable[..., None], *given: Any) -> list[Step]:
        if self._is_failed:
            return []
        try:
            act(*given)
            self._release()
        except BrokenStreamError as broken:
            return self._failed(broken)
        except RequestError as error:  # a reading that whole answers share
            return self._failed(malformed(str(error)))
        steps: list[Step] = self._forwarded()
        if not self._is_whole:
            steps += [AskTool(call) for call in self._form.taken_asked()]
        elif self._form.is_over and not self._asks_text:
            steps += self._ask_text()
        return steps

    def _forwarded(self) -> list[Step]:
        data = b"".join(self._out)
        self._out.clear()
        return [Forward(data)] if data else []

    def _failed(self, broken: BrokenStreamError) -> list[Step]:
        """Only what was free already leaves, and the error."""
        self._is_failed = True
        self._line.clear()
        if broken.code != "upstream_error":  # that has its own event
            number = self._form.next_number
            event = error_event(
                self._dialect, _BAD_GATEWAY, code=broken.code, message=broken.message, number=number
            )
            self._out.append(event)
        return [*self._forwarded(), Fail(broken.code, broken.message)]

    # In

    def _passes(self, raw: bytes) -> bool:
        """An event that is one more piece of the text that flows, of which no rule asks anything: nearly all.

        It was taken then, and has to be sent on.
        """
        if self._like is None or self._line or self._is_failed:
            return False
        text = self._like.text_of(raw)
        if not (text and self._form.may_pass(self._like.number)):
            return False
        self._tries = _MOST_TRIES
        return self._form.flows[self._like.key].passes(text)

    def _take(self, chunk: bytes) -> None:
        for raw in self._events.feed(chunk):
            if self._passes(raw):
                self._out.append(raw)
            else:
                self._put(self._events.read(raw))
        if self._held + len(self._events.rest) > MOST_HELD:
            raise BrokenStreamError(
                "too_much_held", "More of the answer would have to be kept back than is allowed."
            )

    def _put(self, event: Event) -> None:
        text = self._like.text_of(event.raw) if self._like is not None else None
        if text and self._like is not None:
            entry = Entry(event, UNREAD)
            self._form.text(entry, self._like.key, self._like.path, text)
        else:
            entry = self._read(event)
        if self._is_whole:
            entry.holds += 1
        if self._line or entry.holds:
            self._line.append(entry)
            self._held += len(event.raw)
            self._release()
        else:
            self._out.append(self._form.sent(entry))

    def _read(self, event: Event) -> Entry:
        self._like = None
        if event.data is None:
            if event.name is not None:
                raise malformed("An event of the stream carries no data.")
            return Entry(event, None)
        if self._form.is_over:
            raise malformed("The upstream sent more after the end of its answer.")
        value = self._value(event.data)
        entry = Entry(event, value)
        self._form.read(entry)
        if self._form.upstream_error is not None:
            self._line.clear()
            self._out.append(self._form.sent(entry))
            raise BrokenStreamError("upstream_error", self._form.upstream_error)
        if value is not None:
            self._liken(entry, value)
        return entry

    def _liken(self, entry: Entry, value: dict[str, Any]) -> None:
        """After two pieces of one text, one after the other, a third is expected."""
        repeated, before = self._form.repeatable(value), self._repeated
        self._repeated = repeated
        if repeated is None or repeated != before or repeated[0] not in self._form.flows or entry.edits:
            return
        if self._tries:
            self._tries -= 1
            self._like = Likeness.of(entry.event, value, *repeated)

    def _value(self, data: bytes) -> dict[str, Any] | None:
        if data == _DONE and self._dialect is Dialect.CHAT:
            return None
        try:
            value = _DECODER.decode(data)
            named_once(data, value)
        except (ValueError, RecursionError):
            raise malformed("An event of the stream is no JSON.") from None
        if type(value) is not dict:
            raise malformed("An event of the stream is no JSON object.")
        return value

    # Out

    def _release(self) -> None:
        free = 0
        for entry in self._line:
            if entry.holds:
                break
            free += 1
            self._held -= len(entry.event.raw)
            self._out.append(self._form.sent(entry))
        del self._line[:free]

    def _finish(self) -> None:
        for raw in self._events.last():
            self._put(self._events.read(raw))
        if not self._form.is_over or self._events.rest:
            raise BrokenStreamError("upstream_truncated", "The upstream's answer ended before it was whole.")

    # Texts that are judged as a whole

    def _ask_text(self) -> list[Step]:
        if not self._line:
            return []
        self._asks_text = True
        self._texts = tuple(self._form.scrub.clean(flow.said) for flow in self._form.flows.values())
        return [AskText(self._texts)]

    def _judge(self, ruling: TextRuling) -> None:
        self._is_whole = self._form.is_whole = False
        match ruling:
            case Refused(message=message):
                self._withhold(message)
                return
            case Rewritten(texts=texts):
                pass
            case Allowed():
                texts = self._texts
        for flow, text in zip(self._form.flows.values(), texts, strict=True):
            flow.settle(text)
        for entry in self._line:
            entry.holds -= 1

    def _withhold(self, message: str) -> None:
        self._line.clear()
        self._held = 0
        self._form.drop_calls()
        named = self._dialect is not Dialect.CHAT
        self._out += [written(value, named=named) for value in self._form.withheld(message)]
        if not named:
            self._out.append(b"data: [DONE]\n\n")
