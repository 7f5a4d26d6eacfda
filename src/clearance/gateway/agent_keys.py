"""Keys and delegations over HTTP. A secret is in one answer only, the one that makes it."""

from __future__ import annotations

import asyncio
from datetime import datetime, timedelta
from typing import Annotated

from msgspec import Meta, Struct

from clearance.core.model import Bounds, Credential, CredentialKind, Operation
from clearance.errors import ForbiddenError, NotFoundError
from clearance.gateway.agents import AgentName, Word
from clearance.gateway.endpoint import Access, Asked, Endpoint
from clearance.runtime.keys import Keys
from clearance.wiring import utc_now

Days = Annotated[int, Meta(ge=1, le=3_650)]
Patterns = Annotated[tuple[Annotated[str, Meta(min_length=1, max_length=1_000)], ...], Meta(max_length=256)]


class Within(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """What a credential is good for. Empty: anything. In patterns `*` stands for any text."""

    tools: Patterns = ()
    operations: tuple[Operation, ...] = ()
    resources: Patterns = ()

    def bounds(self) -> Bounds:
        verbs = tuple(one.value for one in self.operations)
        return Bounds(tools=self.tools, operations=verbs, resources=self.resources)


class NewKey(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Without `expires_days` the key holds until it is revoked."""

    expires_days: Days | None = None
    label: Word = ""
    bounds: Within = Within()


class Rotation(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """So long the old key still works."""

    overlap_hours: Annotated[float, Meta(ge=0, le=24 * 90)] = 24.0


class NewDelegation(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """`to` may act on the caller's behalf, within `bounds` and never beyond what the caller may do."""

    to: AgentName
    bounds: Within = Within()
    seconds: Annotated[float, Meta(gt=0, le=86_400)] = 900.0


class MadeKey(Struct, frozen=True, kw_only=True):
    """`key` is shown here and never again."""

    key_id: str
    key: str
    agent: str
    expires_at: datetime | None


class MadeDelegation(Struct, frozen=True, kw_only=True):
    """`delegation` is shown here and never again; the other agent sends it as `Clearance-Delegation`."""

    delegation_id: str
    delegation: str
    to: str
    expires_at: datetime | None


class Key(Struct, frozen=True, kw_only=True):
    """A key without its secret."""

    key_id: str
    agent: str
    created_at: datetime
    expires_at: datetime | None
    revoked_at: datetime | None
    label: str
    bounds: tuple[Bounds, ...]


class KeyList(Struct, frozen=True):
    """Oldest first."""

    keys: list[Key]


async def _make(asked: Asked) -> MadeKey:
    new: NewKey = asked.body
    name, bounds = asked.path["name"], new.bounds.bounds()
    expires_at = utc_now() + timedelta(days=new.expires_days) if new.expires_days else None

    def made() -> tuple[str, Credential]:
        asked.door.assembly.registry.active(name)
        return _keys(asked).issue(
            name,
            by=asked.caller.name,
            expires_at=expires_at,
            label=new.label,
            bounds=() if bounds == Bounds() else (bounds,),
        )

    return _made(*await asyncio.to_thread(made))


async def _list(asked: Asked) -> KeyList:
    found = await asyncio.to_thread(
        _keys(asked).list, kind=CredentialKind.AGENT_KEY, subject=asked.path["name"]
    )
    return KeyList([_without_secret(key) for key in found])


async def _rotate(asked: Asked) -> MadeKey:
    rotation: Rotation = asked.body
    credential_id = asked.path["key_id"]

    def made() -> tuple[str, Credential]:
        _known(asked, credential_id, CredentialKind.AGENT_KEY)
        seconds = rotation.overlap_hours * 3_600
        return _keys(asked).rotate(credential_id, by=asked.caller.name, overlap_seconds=seconds)

    return _made(*await asyncio.to_thread(made))


async def _revoke(asked: Asked) -> Key:
    credential_id = asked.path["key_id"]

    def revoked() -> Credential:
        _known(asked, credential_id, CredentialKind.AGENT_KEY)
        return _keys(asked).revoke(credential_id, by=asked.caller.name)

    return _without_secret(await asyncio.to_thread(revoked))


async def _delegate(asked: Asked) -> MadeDelegation:
    new: NewDelegation = asked.body
    assembly = asked.door.assembly

    def made() -> tuple[str, Credential]:
        assembly.registry.active(new.to)
        principal = assembly.registry.known(asked.caller.principal)
        return assembly.keys.delegate(principal, to=new.to, bounds=new.bounds.bounds(), seconds=new.seconds)

    text, kept = await asyncio.to_thread(made)
    return MadeDelegation(
        delegation_id=kept.credential_id, delegation=text, to=kept.subject, expires_at=kept.expires_at
    )


async def _end_delegation(asked: Asked) -> Key:
    """By its maker, or by a person who may revoke."""
    credential_id, caller = asked.path["delegation_id"], asked.caller

    def ended() -> Credential:
        kept = _known(asked, credential_id, CredentialKind.DELEGATION)
        is_maker = kept.on_behalf_of[:1] and kept.on_behalf_of[0].name == caller.name
        if caller.only_agent() and not is_maker:
            raise ForbiddenError("Only its maker ends a delegation, or an operator.")
        return _keys(asked).revoke(credential_id, by=caller.name)

    return _without_secret(await asyncio.to_thread(ended))


def _known(asked: Asked, credential_id: str, kind: CredentialKind) -> Credential:
    """Only a credential of that kind: people's tokens are not ended by the doors of agents."""
    found = asked.door.assembly.state.credentials.credential(credential_id)
    if found is None or found.kind is not kind:
        raise NotFoundError("There is no key of this id.")
    return found


def _keys(asked: Asked) -> Keys:
    return asked.door.assembly.keys


def _made(text: str, kept: Credential) -> MadeKey:
    return MadeKey(key_id=kept.credential_id, key=text, agent=kept.subject, expires_at=kept.expires_at)


def _without_secret(key: Credential) -> Key:
    return Key(
        key_id=key.credential_id,
        agent=key.subject,
        created_at=key.created_at,
        expires_at=key.expires_at,
        revoked_at=key.revoked_at,
        label=key.label,
        bounds=key.bounds,
    )


_OF_AGENT = "/v1/agents/{name}/keys"
_KEY = "/v1/keys/{key_id}"
ENDPOINTS = (
    Endpoint("GET", _OF_AGENT, "List an agent's keys", _list, KeyList, access=Access.PEOPLE),
    Endpoint(
        "POST",
        _OF_AGENT,
        "Make a key; its secret is shown once",
        _make,
        MadeKey,
        access=Access.ADMIN,
        body=NewKey,
        status=201,
    ),
    Endpoint(
        "POST",
        f"{_KEY}/rotate",
        "Make a key in the place of another; the old one ends after the overlap",
        _rotate,
        MadeKey,
        access=Access.ADMIN,
        body=Rotation,
        status=201,
    ),
    Endpoint("DELETE", _KEY, "Revoke a key, at once", _revoke, Key, access=Access.OPERATE),
    Endpoint(
        "POST",
        "/v1/delegations",
        "Let another agent act on the caller's behalf; its secret is shown once",
        _delegate,
        MadeDelegation,
        access=Access.ACT,
        body=NewDelegation,
        status=201,
    ),
    Endpoint(
        "DELETE",
        "/v1/delegations/{delegation_id}",
        "End a delegation, at once",
        _end_delegation,
        Key,
        access=Access.RECOVER,
    ),
)
