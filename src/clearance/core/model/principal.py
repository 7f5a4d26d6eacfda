"""Who acts: a distinct agent, on whose behalf, how that was proven, and within what. Holds no credential."""

from __future__ import annotations

from enum import StrEnum

from msgspec import Struct

MOST_ACTORS = 8  # links of a chain; longer ones are refused: nobody can answer for what nobody can follow


class Proof(StrEnum):
    """How the agent's name was established, weakest first."""

    DECLARED = "declared"  # the process says so itself: in-process SDK, cooperative
    API_KEY = "api_key"
    TOKEN = "token"  # noqa: S105 - a JWT of a configured identity provider
    SVID = "svid"  # a SPIFFE JWT-SVID
    MTLS = "mtls"  # a client certificate that a trusted proxy verified


class AgentStatus(StrEnum):
    """RETIRED is for good: its credentials prove nothing any more, and it may not act."""

    ACTIVE = "active"
    RETIRED = "retired"


class ActorKind(StrEnum):
    """What somebody in a chain is."""

    AGENT = "agent"
    PERSON = "person"
    SERVICE = "service"


class Actor(Struct, frozen=True, kw_only=True, omit_defaults=True):
    """One link of a chain: somebody on whose behalf another acts."""

    name: str
    kind: ActorKind = ActorKind.AGENT
    roles: tuple[str, ...] = ()
    team: str = ""


class Bounds(Struct, frozen=True, kw_only=True, omit_defaults=True):
    """What a credential or a delegation is limited to. An empty list means: any.

    `tools` and `resources` are patterns in which `*` stands for any text; `operations` are verbs. Where
    `any_of` is given, an action must lie within one of those as well.
    """

    tools: tuple[str, ...] = ()
    operations: tuple[str, ...] = ()
    resources: tuple[str, ...] = ()
    any_of: tuple[Bounds, ...] = ()


class Principal(Struct, frozen=True, kw_only=True, omit_defaults=True):
    """The acting agent. `on_behalf_of` is the chain of callers, nearest first: B, called by A, for user U.

    `bounds` are those of every credential in the chain; an action must lie within each. Roles, team, owner
    and status are the registry's.
    """

    agent: str
    roles: tuple[str, ...] = ()
    on_behalf_of: tuple[Actor, ...] = ()
    proof: Proof = Proof.DECLARED
    team: str = ""
    owner: str = ""
    status: AgentStatus = AgentStatus.ACTIVE
    bounds: tuple[Bounds, ...] = ()
