"""Agents over HTTP: who is registered, changed, retired; the record of it; scopes learned and ratified."""

from __future__ import annotations

import asyncio
from datetime import datetime
from typing import Annotated, Any

from msgspec import UNSET, Meta, Struct, UnsetType
from msgspec.structs import asdict

from clearance.core.model import Agent, Environment
from clearance.gateway.actions import Count, aware
from clearance.gateway.endpoint import Access, Asked, Endpoint
from clearance.ports import PolicyVersion
from clearance.runtime.audit import Act, acts
from clearance.runtime.learning import MOST_DAYS, Learning, Proposal
from clearance.runtime.registry import Registry
from clearance.wiring import utc_now

AgentName = Annotated[str, Meta(min_length=1, max_length=128, pattern=r"^[\w.@:/+-]+$")]
Word = Annotated[str, Meta(max_length=200)]
Purpose = Annotated[str, Meta(max_length=4_096)]
Roles = Annotated[tuple[Annotated[str, Meta(min_length=1, max_length=200)], ...], Meta(max_length=64)]


class NewAgent(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """A name is for good: records hold it."""

    name: AgentName
    owner: Word = ""
    team: Word = ""
    purpose: Purpose = ""
    environment: Environment = Environment.UNKNOWN
    version: Word = ""
    roles: Roles = ()


class AgentChange(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """What is left out stays. `roles` are all of them."""

    owner: Word | UnsetType = UNSET
    team: Word | UnsetType = UNSET
    purpose: Purpose | UnsetType = UNSET
    environment: Environment | UnsetType = UNSET
    version: Word | UnsetType = UNSET
    roles: Roles | UnsetType = UNSET


class Agents(Struct, frozen=True):
    """By name."""

    agents: list[Agent]


class Lesson(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """From the last `days`, or from these runs only."""

    days: Annotated[int, Meta(ge=1, le=MOST_DAYS)] = 14
    runs: Annotated[tuple[Annotated[str, Meta(max_length=200)], ...], Meta(max_length=1_000)] = ()


class Ratified(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """`policy` as it was proposed and shown."""

    policy: dict[str, Any]


class Acts(Struct, frozen=True):
    """Newest first."""

    acts: list[Act]


class ActFilter(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Which acts to list. Empty fields do not filter."""

    by: str = ""
    act: str = ""
    since: datetime | None = None
    until: datetime | None = None
    limit: Count = 50


async def _list(asked: Asked) -> Agents:
    return Agents(await asyncio.to_thread(_registry(asked).agents))


async def _read(asked: Asked) -> Agent:
    return await asyncio.to_thread(_registry(asked).agent, asked.path["name"])


async def _create(asked: Asked) -> Agent:
    agent = Agent(created_at=utc_now(), **asdict(asked.body))
    return await asyncio.to_thread(_registry(asked).register, agent, by=asked.caller.name)


async def _change(asked: Asked) -> Agent:
    fields = {key: value for key, value in asdict(asked.body).items() if value is not UNSET}
    return await asyncio.to_thread(
        _registry(asked).change, asked.path["name"], by=asked.caller.name, **fields
    )


async def _retire(asked: Asked) -> Agent:
    return await asyncio.to_thread(_registry(asked).retire, asked.path["name"], by=asked.caller.name)


async def _learn(asked: Asked) -> Proposal:
    lesson: Lesson = asked.body
    name = asked.path["name"]
    return await asyncio.to_thread(_learning(asked).propose, name, days=lesson.days, runs=lesson.runs)


async def _ratify(asked: Asked) -> PolicyVersion:
    policy: dict[str, Any] = asked.body.policy
    return await asyncio.to_thread(_learning(asked).ratify, asked.path["name"], policy, by=asked.caller.name)


async def _acts(asked: Asked) -> Acts:
    wanted: ActFilter = asked.query
    found = await asyncio.to_thread(
        acts,
        asked.door.assembly.journal,
        since=aware(wanted.since),
        until=aware(wanted.until),
        by=wanted.by,
        act=wanted.act,
        limit=wanted.limit,
    )
    return Acts(found)


def _registry(asked: Asked) -> Registry:
    return asked.door.assembly.registry


def _learning(asked: Asked) -> Learning:
    assembly = asked.door.assembly
    return Learning(assembly.journal, assembly.control_point.policies, clock=utc_now)


_AGENT = "/v1/agents/{name}"
ENDPOINTS = (
    Endpoint("GET", "/v1/agents", "List agents", _list, Agents, access=Access.PEOPLE),
    Endpoint(
        "POST",
        "/v1/agents",
        "Register an agent",
        _create,
        Agent,
        access=Access.ADMIN,
        body=NewAgent,
        status=201,
    ),
    Endpoint("GET", _AGENT, "Read one agent", _read, Agent, access=Access.PEOPLE),
    Endpoint("PATCH", _AGENT, "Change an agent", _change, Agent, access=Access.ADMIN, body=AgentChange),
    Endpoint(
        "POST",
        f"{_AGENT}/retire",
        "Retire an agent for good; its keys are revoked",
        _retire,
        Agent,
        access=Access.ADMIN,
    ),
    Endpoint(
        "POST",
        f"{_AGENT}/learn",
        "Propose the narrowest scope that lists what an agent did; stores nothing",
        _learn,
        Proposal,
        access=Access.ADMIN,
        body=Lesson,
    ),
    Endpoint(
        "POST",
        f"{_AGENT}/ratify",
        "Store a proposed scope as a policy that only narrows",
        _ratify,
        PolicyVersion,
        access=Access.ADMIN,
        body=Ratified,
    ),
    Endpoint(
        "GET",
        "/v1/audit",
        "List administrative acts and answers to holds, newest first",
        _acts,
        Acts,
        access=Access.AUDIT,
        query=ActFilter,
    ),
)
