"""Policies: read, changed and explained. A change is checked whole, stored as a version, and in force."""

from __future__ import annotations

import asyncio
from typing import Annotated, Any

from msgspec import Meta, Struct

from clearance.core.model import ActionCall, Context, Principal
from clearance.core.policy import Explanation, History, explain
from clearance.errors import NotFoundError
from clearance.gateway.actions import Count
from clearance.gateway.endpoint import Access, Asked, Endpoint
from clearance.ports import PolicyVersion
from clearance.runtime.policy_book import PolicyBook
from clearance.runtime.reading import read_call
from clearance.wiring import utc_now


class Versions(Struct, frozen=True):
    """Newest first."""

    versions: list[PolicyVersion]


class VersionFilter(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """How many versions to list."""

    limit: Count = 50


class Replacement(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """A whole document. With `expected`, only if that is still the newest version's number."""

    document: dict[str, Any]
    expected: Annotated[int, Meta(ge=0, le=2**53)] | None = None


async def _read(asked: Asked) -> PolicyVersion:
    version = await asyncio.to_thread(_book(asked).document)
    if version is None:
        raise NotFoundError("No policies are stored yet.")
    return version


async def _versions(asked: Asked) -> Versions:
    wanted: VersionFilter = asked.query
    return Versions(await asyncio.to_thread(_book(asked).versions, wanted.limit))


async def _create(asked: Asked) -> PolicyVersion:
    return await asyncio.to_thread(_book(asked).create, asked.body, by=asked.caller.name)


async def _replace(asked: Asked) -> PolicyVersion:
    name = asked.path["name"]
    return await asyncio.to_thread(_book(asked).replace, name, asked.body, by=asked.caller.name)


async def _delete(asked: Asked) -> PolicyVersion:
    return await asyncio.to_thread(_book(asked).delete, asked.path["name"], by=asked.caller.name)


async def _replace_all(asked: Asked) -> PolicyVersion:
    new: Replacement = asked.body
    return await asyncio.to_thread(
        _book(asked).replace_all, new.document, by=asked.caller.name, expected=new.expected
    )


async def _explain(asked: Asked) -> Explanation:
    """Nothing is recorded and nothing counts: the question is what the rules would say with no history."""
    call: ActionCall = asked.body
    policies = _book(asked).current()
    context = Context(
        run_id="explain", action_id="explain", at=utc_now(), goal=call.goal, honours=call.honours
    )
    principal = Principal(agent=call.agent or asked.caller.name, proof=asked.caller.principal.proof)
    request = read_call(call, principal, context, policies)
    return explain(policies, request, History(policies))


def _book(asked: Asked) -> PolicyBook:
    return asked.door.assembly.control_point.policies


ENDPOINTS = (
    Endpoint("GET", "/v1/policies", "Read the newest version of the policies", _read, PolicyVersion),
    Endpoint(
        "POST",
        "/v1/policies",
        "Add one policy; the same one again changes nothing",
        _create,
        PolicyVersion,
        access=Access.ADMIN,
        body=dict[str, Any],
        status=201,
    ),
    Endpoint(
        "PUT",
        "/v1/policies",
        "Replace the whole document",
        _replace_all,
        PolicyVersion,
        access=Access.ADMIN,
        body=Replacement,
    ),
    Endpoint(
        "GET",
        "/v1/policies/versions",
        "List versions, newest first",
        _versions,
        Versions,
        access=Access.AUDIT,
        query=VersionFilter,
    ),
    Endpoint(
        "POST",
        "/v1/policies/explain",
        "Say which rules match one action, and on which condition the others fail",
        _explain,
        Explanation,
        access=Access.AUDIT,
        body=ActionCall,
    ),
    Endpoint(
        "PUT",
        "/v1/policies/{name}",
        "Replace one policy",
        _replace,
        PolicyVersion,
        access=Access.ADMIN,
        body=dict[str, Any],
    ),
    Endpoint(
        "DELETE", "/v1/policies/{name}", "Delete one policy", _delete, PolicyVersion, access=Access.ADMIN
    ),
)
