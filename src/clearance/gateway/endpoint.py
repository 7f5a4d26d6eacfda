"""What an endpoint is: one declaration from which its route, its checks and its OpenAPI entry are made."""

from __future__ import annotations

import asyncio
import threading
from collections.abc import Awaitable, Callable, Mapping, MutableMapping
from dataclasses import dataclass, field
from enum import StrEnum
from typing import TYPE_CHECKING, Any

from msgspec import Struct

from clearance.core.model import ActorKind, Person, PersonSource, Principal, Proof, Role
from clearance.errors import ForbiddenError
from clearance.runtime.hold_watch import HoldWatch
from clearance.runtime.loop_writer import LoopWriter
from clearance.wiring import Assembly

if TYPE_CHECKING:
    from clearance.gateway.passage import Passage


class Access(StrEnum):
    """Who may ask: agents for themselves, people by their roles. `_ROLES` says which."""

    PUBLIC = "public"
    ANYONE = "anyone"  # whoever proves who they are
    ACT = "act"  # agents only
    READ = "read"  # an agent of its own; any person of all
    PEOPLE = "people"  # any person
    RECOVER = "recover"  # an agent its own; an operator everybody's
    APPROVE = "approve"
    OPERATE = "operate"
    ADMIN = "admin"
    AUDIT = "audit"


_ROLES: dict[Access, frozenset[Role]] = {
    Access.PUBLIC: frozenset(Role),
    Access.ANYONE: frozenset(Role),
    Access.ACT: frozenset(),
    Access.READ: frozenset(Role),
    Access.PEOPLE: frozenset(Role),
    Access.RECOVER: frozenset({Role.OPERATOR, Role.ADMIN}),
    Access.APPROVE: frozenset({Role.APPROVER, Role.OPERATOR, Role.ADMIN}),
    Access.OPERATE: frozenset({Role.OPERATOR, Role.ADMIN}),
    Access.ADMIN: frozenset({Role.ADMIN}),
    Access.AUDIT: frozenset({Role.AUDITOR, Role.ADMIN}),
}
_AGENTS_MAY = frozenset({Access.PUBLIC, Access.ANYONE, Access.ACT, Access.READ, Access.RECOVER})


@dataclass(frozen=True, slots=True)
class Caller:
    """Whoever asks: an agent, or a person (a service token is one too)."""

    principal: Principal
    person: Person | None = None

    @classmethod
    def of(cls, who: Principal | Person) -> Caller:
        if isinstance(who, Principal):
            return cls(who)
        roles = tuple(role.value for role in who.roles)
        return cls(Principal(agent=f"{_kind_of(who).value}:{who.name}", roles=roles, proof=Proof.TOKEN), who)

    @property
    def name(self) -> str:
        """As the administrative record has it: `person:alice`, `service:deploy`, or an agent's own name."""
        return self.principal.agent

    def only_agent(self) -> str:
        """The only agent this caller may speak of; empty for every agent."""
        return self.principal.agent if self.person is None else ""

    def must_be(self, agent: str) -> None:
        """Raises ForbiddenError when the name given is not the caller's own."""
        if agent and agent != self.principal.agent:
            raise ForbiddenError(
                "The key belongs to another agent than the request names; leave `agent` out."
            )

    def may(self, access: Access) -> bool:
        """Whether a person has a role for it, or an agent may ask."""
        if self.person is None:
            return access in _AGENTS_MAY
        return bool(_ROLES[access].intersection(self.person.roles))

    def must(self, access: Access) -> None:
        """Raises ForbiddenError."""
        if self.person is None:
            if access not in _AGENTS_MAY:
                raise ForbiddenError("An agent may not do this: it needs a person, or a service token.")
        elif not self.may(access):
            if access is Access.ACT:
                raise ForbiddenError("Only agents act: use an agent's key.")
            needed = " or ".join(sorted(role.value for role in _ROLES[access]))
            raise ForbiddenError(f"This needs the role {needed}.")


def _kind_of(person: Person) -> ActorKind:
    return ActorKind.SERVICE if person.source is PersonSource.SERVICE else ActorKind.PERSON


@dataclass(frozen=True, slots=True)
class Door:
    """What handlers work with."""

    assembly: Assembly
    writer: LoopWriter
    watch: HoldWatch
    passage: Passage
    ending: threading.Event = field(default_factory=threading.Event)  # set when the server is told to stop
    # A password takes a thread a tenth of a second: a flood of them must not take the threads of everybody.
    logging_in: asyncio.Semaphore = field(default_factory=lambda: asyncio.Semaphore(2))


@dataclass(frozen=True, slots=True)
class Asked:
    """One request, identified and decoded. `caller` is a stranger on public endpoints."""

    door: Door
    caller: Caller
    path: dict[str, str]
    query: Any
    body: Any
    scope: MutableMapping[str, Any] = field(default_factory=dict)
    credential: str = field(default="", repr=False)
    peer: str = ""


@dataclass(frozen=True, slots=True)
class Reply:
    """An answer with more than a body, for what browsers need. Without a status it is the endpoint's."""

    body: Any
    status: int | None = None
    headers: Mapping[str, str] = field(default_factory=dict)
    cookies: tuple[tuple[str, str], ...] = ()


Handler = Callable[[Asked], Awaitable[Any]]


class Form(StrEnum):
    """JSON is one answer. EVENTS is a stream: the handler gives an iterator, `answers` is each one's data.

    TEXT is a page for a scraper: the handler gives its bytes.
    """

    JSON = "json"
    EVENTS = "events"
    TEXT = "text"


@dataclass(frozen=True, slots=True)
class Endpoint:
    """`path` has `{names}`; `query` and `body` are Struct types or None; `answers` is the success type."""

    method: str
    path: str
    summary: str
    handler: Handler
    answers: Any
    access: Access = Access.READ
    query: type[Struct] | None = None
    body: Any = None
    status: int = 200
    form: Form = Form.JSON


NOBODY = Caller(principal=Principal(agent=""))
