"""The HTTP door as an ASGI application: the hot routes by hand, the rest through Starlette."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Callable, Coroutine
from contextlib import asynccontextmanager
from datetime import timedelta
from functools import partial
from typing import Any

import msgspec
from starlette.applications import Starlette
from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.responses import Response, StreamingResponse
from starlette.routing import Route

from clearance.core.model import HoldStatus
from clearance.errors import ClearanceError, RequestError
from clearance.gateway import (
    actions,
    agent_keys,
    agents,
    authzen,
    brake,
    health,
    holds,
    login,
    openapi,
    people,
    policies,
    recovery,
    stream,
    tool_pins,
)
from clearance.gateway.body import decode, read
from clearance.gateway.doors import Receive, Scope, Send, open_doors, segment_of, without_run
from clearance.gateway.endpoint import NOBODY, Access, Asked, Caller, Door, Endpoint, Form, Reply
from clearance.gateway.errors import answer_to, log_unexpected
from clearance.gateway.metrics import MEDIA_TYPE, Metrics
from clearance.gateway.passage import Passage
from clearance.gateway.presented import presented
from clearance.gateway.reload import Load, Reloader
from clearance.ports import CallSoon, HoldQuery, Presented
from clearance.runtime.hold_watch import HoldWatch
from clearance.runtime.late import record_missing
from clearance.runtime.loop_writer import LoopWriter
from clearance.runtime.sweep import close_overdue
from clearance.wiring import Assembly, utc_now

ENDPOINTS: tuple[Endpoint, ...] = (
    *actions.ENDPOINTS,
    *recovery.ENDPOINTS,
    *policies.ENDPOINTS,
    *agents.ENDPOINTS,
    *people.ENDPOINTS,
    *login.ENDPOINTS,
    *brake.ENDPOINTS,
    *holds.ENDPOINTS,
    *agent_keys.ENDPOINTS,
    *authzen.ENDPOINTS,
    *tool_pins.ENDPOINTS,
    *health.ENDPOINTS,
)
_SWEEP_SECONDS = 30.0
_OFTEN_SECONDS = 0.5  # a person who is asked hears of it at once, and an expiry is told as it happens
# So often, no checkpoint is large enough to hold up the disk for long; nor is one made for every commit.
_TEND_SECONDS, _TEND_COMMITS = 0.05, 20
_TEND_AT_LATEST_SECONDS = 1.0
_LOG = logging.getLogger("clearance")
_ENCODER = msgspec.json.Encoder()
_JSON = (b"content-type", b"application/json")


class Application:
    """One process's HTTP door. Owns the assembly from start-up to shutdown."""

    def __init__(
        self, assembly: Assembly, *, version: str, report_timeout: timedelta, load: Load | None = None
    ) -> None:
        """`load` reads the settings anew, where changed files are to be taken up."""
        self._assembly = assembly
        writer = LoopWriter(assembly.journal)
        metrics = Metrics(version)
        self._passage = Passage(assembly, writer, metrics)
        self._door = Door(assembly, writer, HoldWatch(assembly.state.holds), self._passage)
        self._doors = open_doors(self._passage)
        self._by_segment = {segment: door for door in self._doors for segment in door.segments}
        self._reloader = self._reloading(load)
        self._loop: asyncio.AbstractEventLoop | None = None
        self._ending: asyncio.Task[None] | None = None
        self._measure(metrics, writer)
        self._report_timeout = report_timeout
        document = _ENCODER.encode(openapi.document(ENDPOINTS, version))

        async def serve_openapi(_: Request) -> Response:
            return Response(document, media_type="application/json")

        self._rest = Starlette(
            routes=[Route("/openapi.json", serve_openapi), *(self._route(one) for one in ENDPOINTS)],
            exception_handlers={HTTPException: _no_such, Exception: _failed},
            lifespan=self._lifespan,
        )

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            return await self._rest(scope, receive, send)
        within = without_run(scope)
        door = self._by_segment.get(segment_of(within["path"]))
        if door is not None:
            return await door.serve(within, receive, send)
        path: str = scope["path"]
        if scope["method"] == "POST":
            if path == "/v1/actions":
                return await self._hot(actions.CHECK, {}, scope, receive, send)
            if path.startswith("/v1/actions/") and path.endswith("/outcome"):
                names = {"action_id": path[len("/v1/actions/") : -len("/outcome")]}
                return await self._hot(actions.OUTCOME, names, scope, receive, send)
        return await self._rest(scope, receive, send)

    def end(self) -> None:
        """Let nobody wait any longer: the server is about to stop. From any thread, and from a signal."""
        self._door.ending.set()
        self._door.watch.is_closing = True
        if self._loop is not None:
            self._loop.call_soon_threadsafe(self._ended)

    def _ended(self) -> asyncio.Task[None]:
        if self._ending is None:
            self._ending = asyncio.create_task(self._end_doors())
        return self._ending

    async def _end_doors(self) -> None:
        """What is under way may go on for a while; then it ends, and is told so."""
        draining = [asyncio.create_task(door.drain()) for door in self._doors]
        await asyncio.wait(draining, timeout=self._assembly.settings.drain_seconds)
        await asyncio.gather(*(door.close() for door in self._doors))
        await asyncio.gather(*draining)

    def reload(self) -> None:
        """Take up changed files now (SIGHUP)."""
        if self._reloader is not None:
            self._reloader.ask()

    def _reloading(self, load: Load | None) -> Reloader | None:
        if load is None:
            return None
        book, settings = self._assembly.control_point.policies, self._assembly.settings
        return Reloader(load, book, self._doors, in_force=settings, metrics=self._passage.metrics)

    def _measure(self, metrics: Metrics, writer: LoopWriter) -> None:
        holds, journal = self._assembly.state.holds, self._assembly.journal
        metrics.read_at_scrape("clearance_commits", "Commits of the journal.", lambda: writer.commits)
        metrics.read_at_scrape(
            "clearance_holds_open",
            "Actions that wait for people.",
            lambda: len(holds.holds(HoldQuery(status=HoldStatus.PENDING, limit=10_000))),
        )
        metrics.read_at_scrape(
            "clearance_in_flight", "Cleared actions without an outcome.", lambda: len(journal.in_flight())
        )

    async def _hot(
        self, endpoint: Endpoint, names: dict[str, str], scope: Scope, receive: Receive, send: Send
    ) -> None:
        status, body, _ = await self._answer(endpoint, names, None, scope, receive)
        length = (b"content-length", str(len(body)).encode())
        await send({"type": "http.response.start", "status": status, "headers": [_JSON, length]})
        await send({"type": "http.response.body", "body": body})

    def _route(self, endpoint: Endpoint) -> Route:
        async def handle(request: Request) -> Response:
            query = list(request.query_params.multi_items())
            names = dict(request.path_params)
            status, body, headers = await self._answer(endpoint, names, query, request.scope, request.receive)
            if not isinstance(body, bytes):
                identify = partial(self._caller, endpoint, presented(request.scope))
                events = stream.streamed(body, identify)
                return StreamingResponse(events, status, stream.HEADERS, media_type=stream.MEDIA_TYPE)
            kind = (
                MEDIA_TYPE if endpoint.form is Form.TEXT and status == endpoint.status else "application/json"
            )
            echo = {name: request.headers[name] for name in ("x-request-id",) if name in request.headers}
            response = Response(body, status, media_type=kind, headers=echo)
            for name, value in headers:
                response.headers.append(name, value)
            return response

        return Route(endpoint.path, handle, methods=[endpoint.method])

    async def _answer(
        self,
        endpoint: Endpoint,
        names: dict[str, str],
        query: list[tuple[str, str]] | None,
        scope: Scope,
        receive: Receive,
    ) -> tuple[int, Any, tuple[tuple[str, str], ...]]:
        """A status, a body (bytes, or a stream's events), and headers."""
        try:
            credentials = presented(scope)
            caller = await self._caller(endpoint, credentials)
            filters = _query(endpoint, query or [])
            body = decode(await read(receive), endpoint.body) if endpoint.body is not None else None
            asked = Asked(
                door=self._door,
                caller=caller,
                path=names,
                query=filters,
                body=body,
                scope=scope,
                credential=credentials.credential,
                peer=credentials.peer,
            )
            answer = await endpoint.handler(asked)
            if isinstance(answer, Reply):
                headers = (*answer.headers.items(), *answer.cookies)
                return answer.status or endpoint.status, _ENCODER.encode(answer.body), headers
            return endpoint.status, _ENCODER.encode(answer) if endpoint.form is Form.JSON else answer, ()
        except Exception as error:  # the door answers every failure; what is unexpected is logged by its kind
            if not isinstance(error, ClearanceError):
                log_unexpected(f"{endpoint.method} {endpoint.path}", error)
            status, told = answer_to(error)
            return status, _ENCODER.encode(told), ()

    async def _caller(self, endpoint: Endpoint, credentials: Presented) -> Caller:
        if endpoint.access is Access.PUBLIC:
            return NOBODY
        return await self._passage.identify(credentials, endpoint.access)

    @asynccontextmanager
    async def _lifespan(self, _: Starlette) -> Any:
        self._loop = asyncio.get_running_loop()
        self._follow(self._loop.call_soon)
        for door in self._doors:
            await door.start()
        chores = [asyncio.create_task(chore()) for chore in self._chores()]
        try:
            yield
        finally:
            await self._ended()
            for chore in chores:
                chore.cancel()
            await asyncio.gather(*chores, return_exceptions=True)
            self._follow(None)
            self._door.writer.close()
            self._assembly.close()

    def _follow(self, call_soon: CallSoon | None) -> None:
        self._assembly.state.follow_turns(call_soon)
        self._assembly.journal.follow_turns(call_soon)

    def _chores(self) -> tuple[Callable[[], Coroutine[Any, Any, None]], ...]:
        watching = () if self._reloader is None else (self._reloader.watch,)
        return (self._sweep, self._tend, self._expire, self._tell, *watching)

    async def _tend(self) -> None:
        writer, clock = self._door.writer, asyncio.get_running_loop().time
        tended, at = 0, clock()
        while True:
            await asyncio.sleep(_TEND_SECONDS)
            new = writer.commits - tended
            if not new or (new < _TEND_COMMITS and clock() - at < _TEND_AT_LATEST_SECONDS):
                continue
            tended, at = writer.commits, clock()
            try:
                await asyncio.to_thread(self._assembly.journal.tend)
            except ClearanceError as error:
                _LOG.error("tending the journal failed (%s)", error.code)

    async def _expire(self) -> None:
        await _often(self._assembly.holds.expire, "ending holds whose time is over")

    async def _tell(self) -> None:
        """A task of its own: a receiver that is slow must hold up no expiry."""
        await _often(self._assembly.notices.deliver_due, "sending notices")

    async def _sweep(self) -> None:
        while True:
            await asyncio.sleep(_SWEEP_SECONDS)
            try:
                closed = await asyncio.to_thread(
                    close_overdue, self._assembly.journal, utc_now, after=self._report_timeout
                )
            except ClearanceError as error:
                _LOG.error("the sweep of unreported actions failed (%s)", error.code)
                continue
            await self._record_late()
            if closed:
                await asyncio.to_thread(self._assembly.recovery.settle_closed, closed)
                _LOG.warning("%d actions were never reported; closed as unknown", len(closed))

    async def _record_late(self) -> None:
        """What was stopped while the journal was down comes into the record, late."""
        brake, state, journal = self._assembly.brake, self._assembly.state, self._assembly.journal
        try:
            await asyncio.to_thread(brake.record_late)
            await asyncio.to_thread(record_missing, state.brakes, journal, clock=utc_now)
        except ClearanceError as error:
            _LOG.error("stops could not be recorded late (%s)", error.code)


async def _often(chore: Callable[[], object], what: str) -> None:
    while True:
        await asyncio.sleep(_OFTEN_SECONDS)
        try:
            await asyncio.to_thread(chore)
        except ClearanceError as error:
            _LOG.error("%s failed (%s)", what, error.code)


def _query(endpoint: Endpoint, given: list[tuple[str, str]]) -> Any:
    if endpoint.query is None:
        return None
    try:
        return msgspec.convert(dict(given), endpoint.query, strict=False)
    except msgspec.ValidationError:
        known = ", ".join(endpoint.query.__struct_fields__)
        raise RequestError(
            f"The query does not fit; known parameters: {known}.", reason="bad_query"
        ) from None


async def _no_such(_: Request, error: Exception) -> Response:
    method = isinstance(error, HTTPException) and error.status_code == 405
    reason = "method_not_allowed" if method else "no_such_path"
    message = "This path has no such method." if method else "There is no such path; see /openapi.json."
    status, answer = answer_to(RequestError(message, reason=reason))
    headers = error.headers if isinstance(error, HTTPException) else None
    return Response(_ENCODER.encode(answer), status, media_type="application/json", headers=headers)


async def _failed(_: Request, error: Exception) -> Response:
    status, answer = answer_to(error)
    return Response(_ENCODER.encode(answer), status, media_type="application/json")
