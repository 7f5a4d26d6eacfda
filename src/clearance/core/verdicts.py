"""Everything that has a say in one request, asked: brake, bounds, policies, and those it acts for.

A delegate never exceeds its delegator: what the policies refuse to anybody in the chain is refused, so that
what remains is the intersection of what each of them may do.
"""

from __future__ import annotations

from msgspec.structs import replace

from clearance.core.model import Actor, ActorKind, Principal, Request, Rule, Verdict
from clearance.core.policy import History, PolicySet
from clearance.core.policy.bounds import out_of_bounds
from clearance.core.policy.posture import Posture, opened, standing


def verdicts(request: Request, policies: PolicySet, history: History, posture: Posture) -> list[Verdict]:
    """Every opinion of one request. Raises ValueError for a history of other policies."""
    brake = standing(request, posture)
    if brake is not None and brake.rule is Rule.BLOCK:
        return [brake]
    found = policies.evaluate(request, history)
    for place, actor in enumerate(request.principal.on_behalf_of):
        if actor.kind is ActorKind.SERVICE:
            continue  # it passes the question on, and asks for nothing itself
        asked = replace(request, principal=_in_place_of(request.principal, place))
        found += [one for one in policies.evaluate(asked, history) if _is_new(one, found)]
    glass = posture.glass(request)
    if glass is not None:
        found = opened(found, glass)
    found += [one for one in (brake, out_of_bounds(request)) if one is not None]
    return found


def _is_new(verdict: Verdict, found: list[Verdict]) -> bool:
    """What a policy says to somebody in the chain counts once; being in that one's scope allows nothing."""
    return verdict.rule is not Rule.ALLOW and verdict not in found


def _in_place_of(principal: Principal, place: int) -> Principal:
    """Somebody in the chain, as if that one acted."""
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
