"""One request as each of its chain would make it: the agent, and everybody on whose behalf it acts. Pure."""

from __future__ import annotations

from msgspec.structs import replace

from clearance.core.model import Actor, ActorKind, Principal, Request


def delegators(principal: Principal) -> tuple[str, ...]:
    """The other agents of the chain, each once: their limits count what is done for them."""
    if not principal.on_behalf_of:
        return ()
    names = [actor.name for actor in principal.on_behalf_of if actor.kind is ActorKind.AGENT]
    return tuple(dict.fromkeys(name for name in names if name != principal.agent))


def chain_names(principal: Principal) -> tuple[str, ...]:
    """On whose behalf the agent acts, nearest first; people and services as records have them."""
    return tuple(map(_name, principal.on_behalf_of)) if principal.on_behalf_of else ()


def as_each_of_chain(request: Request) -> list[Request]:
    """The same request, as if somebody else of its chain acted, nearest first.

    A service is left out: it passes the question on, and asks for nothing itself.
    """
    principal = request.principal
    return [
        replace(request, principal=_in_place_of(principal, place))
        for place, actor in enumerate(principal.on_behalf_of)
        if actor.kind is not ActorKind.SERVICE
    ]


def _in_place_of(principal: Principal, place: int) -> Principal:
    actor = principal.on_behalf_of[place]
    return Principal(
        agent=_name(actor),
        roles=actor.roles,
        team=actor.team,
        on_behalf_of=principal.on_behalf_of[place + 1 :],
        proof=principal.proof,
    )


def _name(actor: Actor) -> str:
    """A person never passes for an agent of the same name."""
    return actor.name if actor.kind is ActorKind.AGENT else f"{actor.kind.value}:{actor.name}"
