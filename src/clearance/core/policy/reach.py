"""Which tools an agent can surely not call, whatever their arguments. Only hides; refuses nothing. Pure."""

from __future__ import annotations

from collections.abc import Iterable

from clearance.core.model import Action, Bounds, Context, Mode, Operation, Principal, Request, Rule
from clearance.core.model.names import canonical
from clearance.core.policy.bounds import matches
from clearance.core.policy.condition import Condition
from clearance.core.policy.evaluate import PolicySet
from clearance.core.policy.history import History
from clearance.core.policy.scopes import AllowList
from clearance.core.policy.truth import FALSE, TRUE, UNKNOWN
from clearance.core.policy.view import View

# What a condition reads of a call that no argument changes.
_FIXED = frozenset({"agent", "tool", "team", "proof", "door"})


def within_reach(
    tools: Iterable[str], principal: Principal, policies: PolicySet, context: Context
) -> frozenset[str]:
    """Those of the tools that are not certain to be refused. In doubt a tool is within reach."""
    history = History(policies)

    def is_reachable(tool: str) -> bool:
        action = Action(tool=tool, operation=Operation.UNKNOWN)
        request = Request(principal=principal, action=action, resources=(), context=context, facts={})
        view = policies.view(request, history)
        return not (
            _is_blocked(policies, view)
            or _is_out_of_scope(policies, view)
            or any(_lacks(tool, bounds) for bounds in principal.bounds)
        )

    return frozenset(tool for tool in tools if is_reachable(tool))


def _is_blocked(policies: PolicySet, view: View) -> bool:
    return any(
        policy.rule is Rule.BLOCK and policy.mode is Mode.ENFORCE and _truth(policy.condition, view) == TRUE
        for policy in policies.policies
    )


def _is_out_of_scope(policies: PolicySet, view: View) -> bool:
    applying = [one for one in policies.scopes.applying(view) if one.mode is Mode.ENFORCE]
    opening = [one for one in applying if not one.narrows]
    if opening and all(_lists_nothing(one, view) for one in opening):
        return True
    return any(one.narrows and _lists_nothing(one, view) for one in applying)


def _lists_nothing(scope: AllowList, view: View) -> bool:
    return all(_truth(entry, view) == FALSE for entry in scope.entries)


def _lacks(tool: str, bounds: Bounds) -> bool:
    name = canonical(tool)
    if bounds.tools and not any(matches(canonical(pattern), name) for pattern in bounds.tools):
        return True
    return bool(bounds.any_of) and all(_lacks(tool, one) for one in bounds.any_of)


def _truth(condition: Condition, view: View) -> int:
    """What holds of every call of the tool; UNKNOWN where its arguments, or its past, have a say."""
    match condition.kind:
        case "leaf":
            return condition.test(view) if condition.attribute in _FIXED else UNKNOWN
        case "all":
            return min((_truth(child, view) for child in condition.children), default=TRUE)
        case "any":
            return max((_truth(child, view) for child in condition.children), default=FALSE)
        case _:
            return TRUE - max((_truth(child, view) for child in condition.children), default=FALSE)
