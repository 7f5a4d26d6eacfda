"""Everything that has a say in one request, asked: brake, bounds, policies, and those it acts for.

A delegate never exceeds its delegator: what the policies refuse to anybody in the chain is refused, so that
what remains is the intersection of what each of them may do.
"""

from __future__ import annotations

from clearance.core.model import Request, Rule, Verdict
from clearance.core.policy import History, PolicySet
from clearance.core.policy.bounds import out_of_bounds
from clearance.core.policy.chain import as_each_of_chain
from clearance.core.policy.posture import Posture, opened, standing


def verdicts(request: Request, policies: PolicySet, history: History, posture: Posture) -> list[Verdict]:
    """Every opinion of one request. Raises ValueError for a history of other policies."""
    brake = standing(request, posture)
    if brake is not None and brake.rule is Rule.BLOCK:
        return [brake]
    found = policies.evaluate(request, history)
    for asked in as_each_of_chain(request) if request.principal.on_behalf_of else ():
        found += [one for one in policies.evaluate(asked, history) if _is_new(one, found)]
    glass = posture.glass(request)
    if glass is not None:
        found = opened(found, glass)
    found += [one for one in (brake, out_of_bounds(request)) if one is not None]
    return found


def _is_new(verdict: Verdict, found: list[Verdict]) -> bool:
    """What a policy says to somebody in the chain counts once; being in that one's scope allows nothing."""
    return verdict.rule is not Rule.ALLOW and verdict not in found
