"""Agents and their keys. A key's secret is in one answer only, the one that makes it."""

from __future__ import annotations

import asyncio
from datetime import datetime, timedelta
from typing import Annotated

from msgspec import Meta, Struct

from clearance.adapters.identity import new_key
from clearance.core.model import Agent, Credential, CredentialKind
from clearance.errors import NotFoundError
from clearance.gateway.endpoint import Access, Asked, Endpoint
from clearance.wiring import utc_now

AgentName = Annotated[str, Meta(min_length=1, max_length=128, pattern=r"^[\w.@:/+-]+$")]
Days = Annotated[int, Meta(ge=1, le=3_650)]


class NewAgent(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """A name is for good: records hold it."""

    name: AgentName
    purpose: Annotated[str, Meta(max_length=4_096)] = ""


class NewKey(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Without `expires_days` the key holds until it is revoked."""

    expires_days: Days | None = None


class MadeKey(Struct, frozen=True, kw_only=True):
    """`key` is shown here and never again."""

    key_id: str
    key: str
    agent: str
    expires_at: datetime | None


class Key(Struct, frozen=True, kw_only=True):
    """A key without its secret."""

    key_id: str
    agent: str
    created_at: datetime
    expires_at: datetime | None
    revoked_at: datetime | None


class Agents(Struct, frozen=True):
    """By name."""

    agents: list[Agent]


class Keys(Struct, frozen=True):
    """Oldest first."""

    keys: list[Key]


class Me(Struct, frozen=True):
    """Whose key this is."""

    agent: str


async def _me(asked: Asked) -> Me:
    return Me(asked.caller.name)


async def _list(asked: Asked) -> Agents:
    return Agents(await asyncio.to_thread(asked.door.assembly.state.agents.agents))


async def _create(asked: Asked) -> Agent:
    new: NewAgent = asked.body
    agent = Agent(name=new.name, purpose=new.purpose, created_at=utc_now())
    await asyncio.to_thread(asked.door.assembly.state.agents.add_agent, agent)
    return agent


async def _make_key(asked: Asked) -> MadeKey:
    new: NewKey = asked.body
    state, name, at = asked.door.assembly.state, asked.path["name"], utc_now()
    if await asyncio.to_thread(state.agents.agent, name) is None:
        raise NotFoundError("There is no agent of this name; create it first.")
    expires_at = at + timedelta(days=new.expires_days) if new.expires_days else None
    text, stored = new_key(name, at=at, expires_at=expires_at)
    await asyncio.to_thread(state.credentials.add_credential, stored)
    return MadeKey(key_id=stored.credential_id, key=text, agent=name, expires_at=expires_at)


async def _keys(asked: Asked) -> Keys:
    stored = await asyncio.to_thread(
        asked.door.assembly.state.credentials.credentials, CredentialKind.AGENT_KEY, asked.path["name"]
    )
    return Keys([_without_secret(key) for key in stored])


async def _revoke(asked: Asked) -> Key:
    credentials, key_id = asked.door.assembly.state.credentials, asked.path["key_id"]
    await asyncio.to_thread(credentials.revoke_credential, key_id, utc_now())
    stored = await asyncio.to_thread(credentials.credential, key_id)
    if stored is None:
        raise NotFoundError("There is no key of this id.")
    return _without_secret(stored)


def _without_secret(key: Credential) -> Key:
    return Key(
        key_id=key.credential_id,
        agent=key.subject,
        created_at=key.created_at,
        expires_at=key.expires_at,
        revoked_at=key.revoked_at,
    )


ENDPOINTS = (
    Endpoint("GET", "/v1/me", "Say whose key this is", _me, Me),
    Endpoint("GET", "/v1/agents", "List agents", _list, Agents, access=Access.ADMIN),
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
    Endpoint("GET", "/v1/agents/{name}/keys", "List an agent's keys", _keys, Keys, access=Access.ADMIN),
    Endpoint(
        "POST",
        "/v1/agents/{name}/keys",
        "Make a key; its secret is shown once",
        _make_key,
        MadeKey,
        access=Access.ADMIN,
        body=NewKey,
        status=201,
    ),
    Endpoint("DELETE", "/v1/keys/{key_id}", "Revoke a key, at once", _revoke, Key, access=Access.ADMIN),
)
