"""What an endpoint is: one declaration from which its route, its checks and its OpenAPI entry are made."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from enum import StrEnum
from typing import Any

from msgspec import Struct

from clearance.core.model import Principal
from clearance.errors import ForbiddenError
from clearance.ports import KeyScope
from clearance.runtime.loop_writer import LoopWriter
from clearance.wiring import Assembly


class Access(StrEnum):
    """Who may ask."""

    PUBLIC = "public"
    KEY = "key"  # any valid key
    ADMIN = "admin"


@dataclass(frozen=True, slots=True)
class Caller:
    """Whoever holds the key."""

    principal: Principal
    scope: KeyScope

    @property
    def agent(self) -> str:
        return self.principal.agent

    @property
    def is_admin(self) -> bool:
        return self.scope is KeyScope.ADMIN

    def only_agent(self) -> str:
        """The only agent this caller may speak of; empty for every agent."""
        return "" if self.is_admin else self.agent

    def must_be(self, agent: str) -> None:
        """Raises ForbiddenError when the name given is not the key's own."""
        if agent and agent != self.agent:
            raise ForbiddenError(
                "The key belongs to another agent than the request names; leave `agent` out."
            )


@dataclass(frozen=True, slots=True)
class Door:
    """What handlers work with."""

    assembly: Assembly
    writer: LoopWriter


@dataclass(frozen=True, slots=True)
class Asked:
    """One request, identified and decoded. `caller` is a stranger on public endpoints."""

    door: Door
    caller: Caller
    path: dict[str, str]
    query: Any
    body: Any


Handler = Callable[[Asked], Awaitable[Any]]


@dataclass(frozen=True, slots=True)
class Endpoint:
    """`path` has `{names}`; `query` and `body` are Struct types or None; `answers` is the success type."""

    method: str
    path: str
    summary: str
    handler: Handler
    answers: Any
    access: Access = Access.KEY
    query: type[Struct] | None = None
    body: Any = None
    status: int = 200


NOBODY = Caller(principal=Principal(agent=""), scope=KeyScope.AGENT)
