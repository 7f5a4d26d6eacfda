"""One guarded stream, whatever its wire format. Keeps the order of events, and the bounds."""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Mapping
from typing import Any

import msgspec

from clearance.core.dialects.answer import Answer, Dialect, ToolCall
from clearance.core.dialects.errors import error_event
from clearance.core.dialects.once import named_once
from clearance.core.dialects.ruling import Allowed, Refused, Ruling
from clearance.core.model.judged import ResultRules
from clearance.core.streams.chat import Chat
from clearance.core.streams.flow import Entry
from clearance.core.streams.form import Form
from clearance.core.streams.messages import Messages
from clearance.core.streams.reading import BrokenStreamError, malformed
from clearance.core.streams.responses import Responses
from clearance.core.streams.scrub import Scrub
from clearance.core.streams.sse import Event, Events, written
from clearance.core.streams.steps import AskText, AskTool, Fail, Forward, Rewritten, Step, TextRuling
from clearance.errors import RequestError

MOST_HELD = 16 * 2**20  # bytes of events that wait
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
        self._line: deque[Entry] = deque()
        self._held = 0
        self._out: list[bytes] = []
        self._is_failed = False
        self._asks_text = False
        self._texts: tuple[str, ...] = ()

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

    def _take(self, chunk: bytes) -> None:
        events = self._events.feed(chunk)
        for event in events:
            self._put(event)
        if self._held + self._events.rest > MOST_HELD:
            raise BrokenStreamError(
                "too_much_held", "More of the answer would have to be kept back than is allowed."
            )

    def _put(self, event: Event) -> None:
        if event.data is None:
            if event.name is not None:
                raise malformed("An event of the stream carries no data.")
            entry = Entry(event, None)
        else:
            if self._form.is_over:
                raise malformed("The upstream sent more after the end of its answer.")
            entry = Entry(event, self._value(event.data))
            self._form.read(entry)
            if self._form.upstream_error is not None:
                self._line.clear()
                self._out.append(self._form.sent(entry))
                raise BrokenStreamError("upstream_error", self._form.upstream_error)
        if self._is_whole:
            entry.holds += 1
        if self._line or entry.holds:
            self._line.append(entry)
            self._held += len(event.raw)
            self._release()
        else:
            self._out.append(self._form.sent(entry))

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
        while self._line and not self._line[0].holds:
            entry = self._line.popleft()
            self._held -= len(entry.event.raw)
            self._out.append(self._form.sent(entry))

    def _finish(self) -> None:
        for event in self._events.last():
            self._put(event)
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
