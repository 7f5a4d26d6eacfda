"""The brake over HTTP: read and waited for, set and lifted; emergency access."""

from __future__ import annotations

import asyncio
import time
from typing import Annotated

from msgspec import Meta, Struct

from clearance.core.model import BreakGlass, Principal, Reason, Stop, StopKind, StopLevel
from clearance.core.model.wire import Name
from clearance.core.policy.posture import Posture, is_on, stopped_by, stopping
from clearance.errors import RequestError
from clearance.gateway.endpoint import Access, Asked, Endpoint
from clearance.runtime.brake import GLASS_SECONDS, MOST_GLASS_SECONDS
from clearance.wiring import Assembly, utc_now

_LOOK_SECONDS = 0.1
_MOST_WAIT_SECONDS = 30.0
_MOST_SECONDS = 366 * 86_400.0
Why = Annotated[str, Meta(min_length=1, max_length=1_000)]
Patterns = Annotated[tuple[Annotated[str, Meta(min_length=1, max_length=256)], ...], Meta(min_length=1)]


class Waiting(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """With `since`, the answer comes when the revision is another one, or after `wait` seconds."""

    since: int | None = None
    wait: Annotated[float, Meta(ge=0, le=_MOST_WAIT_SECONDS)] = 0.0


class BrakeState(Struct, frozen=True, kw_only=True):
    """To a person everything; to an agent only why it is stopped itself, and which tools are."""

    revision: int
    stops: list[Stop] = []
    glasses: list[BreakGlass] = []
    stopped: Reason | None = None
    tools: dict[str, Reason] = {}


class NewStop(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Without `seconds` it holds until it is lifted."""

    level: StopLevel = StopLevel.PAUSED
    reason: Why
    seconds: Annotated[float, Meta(gt=0, le=_MOST_SECONDS)] | None = None


class Lifting(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Why, as a query parameter."""

    reason: Annotated[str, Meta(max_length=1_000)] = ""


class NewGlass(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """`tools` are patterns in which `*` stands for any text."""

    agent: Annotated[Name, Meta(min_length=1)]
    tools: Patterns
    reason: Annotated[str, Meta(min_length=10, max_length=1_000)]
    seconds: Annotated[float, Meta(gt=0, le=MOST_GLASS_SECONDS)] = GLASS_SECONDS


async def _state(asked: Asked) -> BrakeState:
    wanted: Waiting = asked.query
    brake = asked.door.assembly.brake
    ends = time.monotonic() + wanted.wait
    # Another process may have changed it, so there is no event to wait for; asking costs microseconds.
    while (revision := _revision(asked.door.assembly)) == wanted.since and time.monotonic() < ends:
        if asked.door.ending.is_set():
            break
        await asyncio.sleep(_LOOK_SECONDS)
    posture = brake.posture()
    if asked.caller.person is None:
        return _for_agent(
            asked.door.assembly.control_point.known_as(asked.caller.principal), posture, revision
        )
    stops = await asyncio.to_thread(brake.stops)
    return BrakeState(revision=revision, stops=stops, glasses=await asyncio.to_thread(brake.glasses))


def _revision(assembly: Assembly) -> int:
    """Of the brake and of the agents together: who is retired is stopped, too. Neither ever falls."""
    return assembly.brake.revision() + assembly.registry.revision()


def _for_agent(principal: Principal, posture: Posture, revision: int) -> BrakeState:
    at = utc_now()
    return BrakeState(
        revision=revision,
        stopped=stopping(principal, "", posture, at=at),
        tools={
            stop.name: stopped_by(stop)
            for stop in posture.stops
            if stop.kind is StopKind.TOOL and is_on(stop, at) and stop.level is not StopLevel.HELD
        },
    )


async def _set(asked: Asked) -> Stop:
    new: NewStop = asked.body
    return await asyncio.to_thread(
        asked.door.assembly.brake.set,
        _kind(asked),
        asked.path.get("name", ""),
        new.level,
        reason=new.reason,
        by=asked.caller.name,
        seconds=new.seconds,
    )


async def _lift(asked: Asked) -> Stop:
    lifting: Lifting = asked.query
    return await asyncio.to_thread(
        asked.door.assembly.brake.lift,
        _kind(asked),
        asked.path.get("name", ""),
        by=asked.caller.name,
        reason=lifting.reason,
    )


async def _break_glass(asked: Asked) -> BreakGlass:
    new: NewGlass = asked.body
    return await asyncio.to_thread(
        asked.door.assembly.brake.break_glass,
        new.agent,
        tools=new.tools,
        reason=new.reason,
        by=asked.caller.name,
        seconds=new.seconds,
    )


async def _end_glass(asked: Asked) -> BreakGlass:
    brake, glass_id = asked.door.assembly.brake, asked.path["glass_id"]
    return await asyncio.to_thread(brake.end_glass, glass_id, by=asked.caller.name)


def _kind(asked: Asked) -> StopKind:
    try:
        kind = StopKind(asked.path.get("kind", StopKind.ALL))
    except ValueError:
        raise RequestError("Stop an agent, a team, a tool or all.", reason="wrong_value") from None
    if kind is StopKind.ALL and "kind" in asked.path:
        raise RequestError("A stop of everything has no name: /v1/brake/all.", reason="wrong_value")
    return kind


ENDPOINTS = (
    Endpoint("GET", "/v1/brake", "Say what is stopped; wait for a change", _state, BrakeState, query=Waiting),
    Endpoint("PUT", "/v1/brake/all", "Stop everything", _set, Stop, access=Access.OPERATE, body=NewStop),
    Endpoint(
        "DELETE", "/v1/brake/all", "Let everything go on", _lift, Stop, access=Access.OPERATE, query=Lifting
    ),
    Endpoint(
        "PUT",
        "/v1/brake/{kind}/{name:path}",
        "Stop an agent, a team or a tool",
        _set,
        Stop,
        access=Access.OPERATE,
        body=NewStop,
    ),
    Endpoint(
        "DELETE",
        "/v1/brake/{kind}/{name:path}",
        "Let it go on",
        _lift,
        Stop,
        access=Access.OPERATE,
        query=Lifting,
    ),
    Endpoint(
        "POST",
        "/v1/break-glass",
        "Open emergency access for one agent",
        _break_glass,
        BreakGlass,
        access=Access.ADMIN,
        body=NewGlass,
        status=201,
    ),
    Endpoint(
        "DELETE",
        "/v1/break-glass/{glass_id}",
        "End emergency access",
        _end_glass,
        BreakGlass,
        access=Access.ADMIN,
    ),
)
