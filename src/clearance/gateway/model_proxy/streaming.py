"""An answer while it flows: the guard says what may leave, this door asks and sends. Holds nothing itself."""

from __future__ import annotations

import logging
from collections import deque
from collections.abc import Sequence
from contextlib import suppress
from http import HTTPStatus
from time import monotonic
from typing import assert_never

from msgspec.structs import replace

from clearance.core.dialects.errors import error_event
from clearance.core.dialects.ruling import Allowed, Refused
from clearance.core.model import ActionCall, Operation, OutcomeReport, OutcomeStatus
from clearance.core.streams import AskText, AskTool, Fail, Forward, Rewritten, Step, StreamGuard, TextRuling
from clearance.errors import ClearanceError
from clearance.gateway.begun import Begun, begun
from clearance.gateway.departure import ClientGone
from clearance.gateway.doors import Send
from clearance.gateway.model_proxy.answering import judge_texts, record, said_by
from clearance.gateway.model_proxy.call import Call, Parts, close
from clearance.gateway.model_proxy.headers import to_client
from clearance.gateway.model_proxy.proposals import DOOR, Proposal
from clearance.gateway.model_proxy.refusal import action_headers, worded
from clearance.gateway.upstream import Response, UpstreamError

_LOG = logging.getLogger("clearance")
_LOOK_SECONDS = 0.25  # so often a stream that flows asks whether the brake was pulled


class Streaming:
    """One stream, from the head of the answer to its recorded end."""

    def __init__(self, parts: Parts, call: Call, upstream: str, send: Send) -> None:
        self._parts = parts
        self._call = call
        self._upstream = upstream
        self._send = send
        self._proposals: list[Proposal] = []
        self._looked = 0.0  # monotonic; with the first piece for the first time
        self._steps: list[Step] = []
        self._sending: Begun | None = None  # what the client is too slow to take at once
        self._rules = parts.passage.result_rules(call.check.action_id)
        self._guard = StreamGuard(
            call.asked.place.dialect,
            self._rules,
            restore=parts.passage.restorations(call.check.action_id),
        )

    async def run(self, response: Response) -> None:
        """Raises ClientGone. Whatever else goes wrong from here on is told within the stream."""
        call = self._call
        headers = [
            *to_client(response.headers),
            *action_headers(call.check.action_id, run_id=call.run.run_id),
        ]
        await self._send({"type": "http.response.start", "status": HTTPStatus.OK, "headers": headers})
        self._parts.passage.metrics.opened(DOOR)
        try:
            await self._flow(response)
        except ClientGone:
            raise
        except Exception as error:  # the client gets an event; what is unexpected is told by its kind
            await self._break_off(error)
        finally:
            self._parts.passage.metrics.closed(DOOR)
            await response.aclose()
        await self._send({"type": "http.response.body", "body": b""})

    async def _flow(self, response: Response) -> None:
        try:
            goes_on = True
            while goes_on and not self._call.is_closed:
                with self._parts.ending.may_end():
                    goes_on = await response.relay(self._take)
                if self._sending is not None:
                    sending, self._sending = self._sending, None
                    await sending
                steps, self._steps = self._steps, []
                await self._play(steps)
        except UpstreamError as error:
            if error.reason != "upstream_truncated":
                raise
        if not self._call.is_closed:
            await self._play(self._guard.end())

    def _take(self, chunk: bytes) -> bool:
        """What one read brought, sent on within that read. False: something is left that has to wait."""
        if (now := monotonic()) - self._looked >= _LOOK_SECONDS:
            self._look(now)
        match self._guard.feed(chunk):
            case [Forward(data=data)] if not self._guard.done:  # nearly all
                piece = {"type": "http.response.body", "body": data, "more_body": True}
                self._sending = begun(self._send(piece))
                return self._sending is None
            case [] if not self._guard.done:
                return True
            case steps:
                self._steps = steps
                return False

    async def _play(self, steps: Sequence[Step]) -> None:
        """Carry out what the guard asks; what it lets go leaves at once, its end once it is recorded."""
        left, leaving = deque(steps), bytearray()
        while left:
            step = left.popleft()
            match step:
                case Forward(data=data):
                    leaving += data
                case AskTool(call=call):
                    await self._forward(leaving)
                    ruling, proposal = await self._parts.proposals.rule(
                        call, self._call.within, offered=self._call.asked.request.offered
                    )
                    self._proposals.append(proposal)
                    left.extend(self._guard.decided(call, ruling))
                case AskText(texts=texts):
                    left.extend(self._guard.judged(self._judge(texts)))
                case Fail(code=code, message=message):
                    report = OutcomeReport(status=OutcomeStatus.FAILED, error=f"{code}: {message}")
                    await close(self._parts, self._call, report, measured={})
                case _:
                    assert_never(step)
        if self._guard.done and not self._call.is_closed:
            await self._record()
        await self._forward(leaving)

    async def _forward(self, data: bytearray) -> None:
        if data:
            await self._send({"type": "http.response.body", "body": bytes(data), "more_body": True})
            data.clear()

    def _judge(self, texts: tuple[str, ...]) -> TextRuling:
        judged = judge_texts(self._parts, self._call, texts)
        if judged.withheld:
            return Refused(f"Clearance withheld the answer: {judged.reason}")
        return Rewritten(tuple(judged.value["texts"])) if judged.redacted else Allowed()

    async def _record(self) -> None:
        """The guard tells what the model said; what is kept of it is what policies let the client see."""
        answer, judged = self._guard.answer, None
        if self._rules.patterns or self._rules.whole:
            judged = judge_texts(self._parts, self._call, answer.texts)
            texts = () if judged.withheld else tuple(judged.value["texts"])
            answer = replace(answer, texts=texts, refusals=() if judged.withheld else answer.refusals)
        said = said_by(self._call, answer, self._upstream, self._proposals)
        await record(self._parts, self._call, said, judged)

    def _look(self, now: float) -> None:
        """Raises UpstreamError once somebody has pulled the brake: what flows ends."""
        self._looked = now
        self._call.timing.first_piece()
        asked = self._call.asked
        running = ActionCall(action=asked.place.action, operation=Operation.MODEL_CALL)
        reason = self._parts.passage.point.stopping(running, asked.principal)
        if reason is not None:
            raise UpstreamError(reason.message, reason=reason.code.value)

    async def _break_off(self, error: Exception) -> None:
        """The last event of a stream that cannot go on; nothing that was kept back leaves."""
        told = worded(error)
        if not isinstance(error, ClearanceError):
            _LOG.error("a stream of the model proxy failed (%s)", type(error).__name__)
        if not self._call.is_closed:
            report = OutcomeReport(status=OutcomeStatus.FAILED, error=f"{told.code}: {told.message}")
            with suppress(ClearanceError):  # what cannot be recorded is closed as unknown by the sweep
                await close(self._parts, self._call, report, measured={})
        event = error_event(self._call.asked.place.dialect, told.status, code=told.code, message=told.message)
        await self._forward(bytearray(event))
