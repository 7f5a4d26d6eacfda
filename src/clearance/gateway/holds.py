"""Holds and grants: read by whom they concern, answered by people. An agent sees its own and answers none."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from datetime import datetime
from typing import Annotated

from msgspec import Meta, Struct

from clearance.core.model import AnswerKind, Grant, Hold, HoldStatus, HoldView, Person
from clearance.core.model.wire import Name
from clearance.errors import NotFoundError
from clearance.gateway.actions import Count, aware
from clearance.gateway.endpoint import Access, Asked, Endpoint, Form
from clearance.gateway.stream import Event
from clearance.ports import HoldQuery

Waiting = Annotated[float, Meta(ge=0, le=60, description="Answer when it is decided, or after so long.")]
Why = Annotated[str, Meta(max_length=2_000)]
Hash = Annotated[str, Meta(min_length=1, max_length=128)]
Pattern = Annotated[str, Meta(min_length=1, max_length=4_096)]


class HoldFilter(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Which holds to list, newest first."""

    status: HoldStatus | None = None
    agent: Name = ""
    run_id: Name = ""
    before: datetime | None = None
    limit: Count = 50


class HoldWait(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """How long the answer may wait for a person's."""

    wait: Waiting = 0.0


class Reply(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """A person's answer. `shown` is the `shown_hash` of what that person saw."""

    shown: Hash
    reason: Why = ""


class NewGrant(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """A yes in advance. `policies` and `resources` that are empty mean any; so does no `most_records`."""

    agent: Annotated[Name, Meta(min_length=1)]
    tool: Annotated[str, Meta(min_length=1, max_length=256)]
    policies: tuple[Name, ...] = ()
    resources: tuple[Pattern, ...] = ()
    most_records: Annotated[int, Meta(ge=0)] | None = None
    most_uses: Annotated[int, Meta(ge=1, le=1_000)] = 1
    seconds: Annotated[float, Meta(gt=0, le=86_400)] = 1_800.0
    reason: Why = ""


class GrantFilter(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Which grants to list, newest first."""

    agent: Name = ""


class Holds(Struct, frozen=True):
    """Newest first."""

    holds: list[HoldView]


class Grants(Struct, frozen=True):
    """Newest first."""

    grants: list[Grant]


async def _list(asked: Asked) -> Holds:
    wanted: HoldFilter = asked.query
    query = HoldQuery(
        status=wanted.status,
        agent=asked.caller.only_agent() or wanted.agent,
        run_id=wanted.run_id,
        before=aware(wanted.before),
        limit=wanted.limit,
    )
    found = await asyncio.to_thread(asked.door.assembly.holds.holds, query)
    return Holds([HoldView.of(hold) for hold in found])


async def _show(asked: Asked) -> HoldView:
    wanted: HoldWait = asked.query
    hold = await _own(asked)
    if wanted.wait and hold.status is HoldStatus.PENDING:
        hold = await asked.door.watch.answered(hold.hold_id, seconds=wanted.wait)
    return HoldView.of(hold)


async def _approve(asked: Asked) -> HoldView:
    return await _answer(asked, AnswerKind.APPROVE)


async def _deny(asked: Asked) -> HoldView:
    return await _answer(asked, AnswerKind.DENY)


async def _answer(asked: Asked, kind: AnswerKind) -> HoldView:
    reply: Reply = asked.body
    hold = await asyncio.to_thread(
        asked.door.assembly.holds.answer,
        asked.path["hold_id"],
        kind,
        person=_person(asked),
        shown_hash=reply.shown,
        reason=reply.reason,
    )
    return HoldView.of(hold)


async def _events(asked: Asked) -> AsyncIterator[Event | None]:
    hold = await _own(asked)
    return _told(await asked.door.watch.follow(hold.hold_id), agent="")


async def _all_events(asked: Asked) -> AsyncIterator[Event | None]:
    return _told(asked.door.watch.follow_all(), agent=asked.caller.only_agent())


async def _told(changes: AsyncIterator[Hold | None], *, agent: str) -> AsyncIterator[Event | None]:
    async for hold in changes:
        if hold is None:
            yield None
        elif agent in ("", hold.agent):
            yield Event(name="hold", id=f"{hold.hold_id}.{hold.version}", data=HoldView.of(hold))


async def _own(asked: Asked) -> Hold:
    """The hold named in the path. Another agent's is none."""
    hold = await asyncio.to_thread(asked.door.assembly.holds.hold, asked.path["hold_id"])
    if asked.caller.only_agent() not in ("", hold.agent):
        raise NotFoundError("There is no hold of this id.")
    return hold


async def _grants(asked: Asked) -> Grants:
    wanted: GrantFilter = asked.query
    return Grants(await asyncio.to_thread(asked.door.assembly.grants.grants, agent=wanted.agent))


async def _make_grant(asked: Asked) -> Grant:
    new: NewGrant = asked.body
    return await asyncio.to_thread(
        asked.door.assembly.grants.make,
        _person(asked),
        agent=new.agent,
        tool=new.tool,
        policies=new.policies,
        resources=new.resources,
        most_records=new.most_records,
        most_uses=new.most_uses,
        seconds=new.seconds,
        reason=new.reason,
    )


async def _revoke_grant(asked: Asked) -> Grant:
    revoke = asked.door.assembly.grants.revoke
    return await asyncio.to_thread(revoke, asked.path["grant_id"], by=asked.caller.name)


def _person(asked: Asked) -> Person:
    person = asked.caller.person
    assert person is not None, "an agent was let through to an act of people"
    return person


_HOLD = "/v1/holds/{hold_id}"
ENDPOINTS = (
    Endpoint("GET", "/v1/holds", "List holds, newest first", _list, Holds, query=HoldFilter),
    Endpoint(
        "GET",
        "/v1/holds/events",
        "Follow every hold: those open now, then each change",
        _all_events,
        HoldView,
        form=Form.EVENTS,
    ),
    Endpoint("GET", _HOLD, "Read a hold; with `wait`, once it is decided", _show, HoldView, query=HoldWait),
    Endpoint(
        "GET",
        f"{_HOLD}/events",
        "Follow a hold up to its end",
        _events,
        HoldView,
        form=Form.EVENTS,
    ),
    Endpoint(
        "POST",
        f"{_HOLD}/approve",
        "Say yes to what was shown",
        _approve,
        HoldView,
        access=Access.APPROVE,
        body=Reply,
    ),
    Endpoint("POST", f"{_HOLD}/deny", "Say no", _deny, HoldView, access=Access.APPROVE, body=Reply),
    Endpoint("GET", "/v1/grants", "List grants", _grants, Grants, access=Access.PEOPLE, query=GrantFilter),
    Endpoint(
        "POST",
        "/v1/grants",
        "Say yes in advance, within bounds",
        _make_grant,
        Grant,
        access=Access.APPROVE,
        body=NewGrant,
        status=201,
    ),
    Endpoint(
        "DELETE",
        "/v1/grants/{grant_id}",
        "Revoke a grant, at once",
        _revoke_grant,
        Grant,
        access=Access.APPROVE,
    ),
)
