"""Everything that has a say in one request, asked: brake, bounds, policies, and those it acts for.

A delegate never exceeds its delegator: what the policies refuse to anybody in the chain is refused, so that
what remains is the intersection of what each of them may do.
"""

from __future__ import annotations

from clearance.core.model import Inspect, Request, Rule, Verdict
from clearance.core.policy import History, PolicySet, ResultPolicy
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
    return found + [_looks_at_it(one) for one in awaiting_result(request, policies)]


def awaiting_result(request: Request, policies: PolicySet) -> list[ResultPolicy]:
    """The policies that may change what is shown of the result, whoever of the chain they are about."""
    if not policies.of_results(request.action.operation):
        return []
    asked = [one for whose in _everybody(request) for one in policies.awaiting_result(whose)]
    return list({one.policy.name: one for one in asked}.values())


def result_verdicts(request: Request, policies: PolicySet) -> list[Verdict]:
    """Every opinion of one result, which stands in the place of the arguments."""
    found: list[Verdict] = []
    for whose in _everybody(request):
        found += [one for one in policies.evaluate_result(whose) if one not in found]
    return found


def _everybody(request: Request) -> list[Request]:
    return [request, *(as_each_of_chain(request) if request.principal.on_behalf_of else ())]


def _looks_at_it(one: ResultPolicy) -> Verdict:
    """No opinion of the action, only a duty: `combine` tells it nowhere among the reasons."""
    verdict = one.policy.verdict
    return Verdict(
        policy=verdict.policy,
        rule=Rule.ALERT,
        mode=verdict.mode,
        code=verdict.code,
        message=verdict.message,
        obligation=Inspect(policy=verdict.policy),
    )


def _is_new(verdict: Verdict, found: list[Verdict]) -> bool:
    """What a policy says to somebody in the chain counts once; being in that one's scope allows nothing."""
    return verdict.rule is not Rule.ALLOW and verdict not in found
