"""A compiled set of policies, and what it says of one request. Pure but for what History remembers."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from msgspec import Struct
from msgspec.structs import replace

from clearance.core.model import Mode, Operation, Point, Principal, Request, Rule, ToolSpec, Verdict
from clearance.core.model.point import AFTER, point_after
from clearance.core.policy.breaker import Breaker
from clearance.core.policy.condition import Condition, remedies
from clearance.core.policy.history import History
from clearance.core.policy.obligations import Owed, obligation
from clearance.core.policy.scopes import AllowList, Scopes
from clearance.core.policy.truth import FALSE, TRUE, Test
from clearance.core.policy.view import Scope, View
from clearance.core.policy.watch import Watch


class Policy(Struct, frozen=True, kw_only=True):
    """One policy. `source` is its document form; `verdict` is what it says when it holds for certain."""

    name: str
    rule: Rule
    mode: Mode
    description: str
    source: dict[str, Any]
    file: str
    line: int
    condition: Condition
    verdict: Verdict
    owed: Owed
    skips_unknown: bool


class ResultPolicy(Struct, frozen=True, kw_only=True):
    """One policy that looks at results. `may_hold` is its condition while the result is not there yet."""

    policy: Policy
    points: frozenset[Point]
    may_hold: Condition

    @property
    def patterns(self) -> tuple[str, ...]:
        """What it takes out of any text, whatever else the result says; empty where it looks at all of it."""
        is_plain = self.policy.rule is Rule.REDACT and not self.policy.owed.paths
        return self.policy.owed.patterns if is_plain and not self.policy.condition.reads_arguments else ()


_Candidates = list[tuple[Test, Policy]]


class PolicySet:
    """Policies, scopes, tools and roles of a set of documents. Immutable; safe to share between threads."""

    def __init__(
        self,
        *,
        version: str,
        policies: tuple[Policy, ...],
        results: tuple[ResultPolicy, ...] = (),
        scopes: tuple[AllowList, ...] = (),
        tools: Mapping[str, ToolSpec] | None = None,
        agent_roles: Mapping[str, tuple[str, ...]] | None = None,
        watches: tuple[Watch, ...] = (),
        breakers: tuple[Breaker, ...] = (),
    ) -> None:
        self.version = version
        self.policies = policies
        self.results = results
        self.scopes = Scopes(scopes)
        self.tools = dict(tools or {})
        self.watches = watches
        self.breakers = breakers
        self._agent_roles = dict(agent_roles or {})
        self._watch_ids = frozenset(watch.id for watch in watches)
        restrictive = [policy for policy in policies if policy.rule is not Rule.ALLOW]
        self._everywhere, self._by_tool = _indexed(restrictive)
        self._after = {point: [one for one in results if point in one.points] for point in AFTER}

    @classmethod
    def empty(cls) -> PolicySet:
        """No policies at all."""
        return cls(version="empty", policies=())

    def looks_back_seconds(self, scope: Scope) -> float | None:
        """How far back a run's or an agent's past has to be observed; 0: not at all, None: whole."""
        spans = [watch.seconds for watch in self.watches if watch.scope is scope]
        return None if None in spans else max((span for span in spans if span is not None), default=0.0)

    def roles_of(self, agent: str) -> tuple[str, ...]:
        """The roles that the documents give an agent."""
        return self._agent_roles.get(agent, ())

    def roles_for(self, principal: Principal) -> tuple[str, ...]:
        """Those, and the ones it comes with."""
        declared = self._agent_roles.get(principal.agent)
        return tuple(dict.fromkeys((*principal.roles, *declared))) if declared else principal.roles

    def evaluate(self, request: Request, history: History) -> list[Verdict]:
        """The verdict of every policy that fires, and of the scopes. Their order means nothing.

        Raises ValueError for a history that was made for other policies: it would remember too little.
        """
        view = self.view(request, history)
        verdicts = [
            policy.verdict if truth == TRUE else _uncertain(policy, view)
            for candidates in (
                self._everywhere.get(view.operation, ()),
                self._by_tool.get((view.operation, view.tool), ()),
            )
            for test, policy in candidates
            if (truth := test(view)) and (truth == TRUE or not policy.skips_unknown)
        ]
        verdicts += self.scopes.verdicts(view)
        return verdicts

    def of_results(self, operation: Operation) -> bool:
        """Whether any policy looks at what comes back from actions of this operation."""
        return bool(self._after[point_after(operation)])

    def evaluate_result(self, request: Request) -> list[Verdict]:
        """What policies say of a result, which stands in the place of the arguments: `{"result": …}`."""
        view = View(request, roles=self.roles_for(request.principal))
        return [
            policy.verdict if truth == TRUE else _uncertain(policy, view)
            for policy in (one.policy for one in self._after[point_after(view.operation)])
            if (truth := policy.condition.test(view)) and (truth == TRUE or not policy.skips_unknown)
        ]

    def awaiting_result(self, request: Request) -> list[ResultPolicy]:
        """The enforced policies that may change what this action's agent sees of its result."""
        after = self._after[point_after(request.action.operation)]
        view = View(request, roles=self.roles_for(request.principal)) if after else None
        return [one for one in after if view is not None and _awaits(one, view)]

    def view(self, request: Request, history: History) -> View:
        """The request as the conditions read it."""
        if not self._watch_ids <= history.watch_ids:
            raise ValueError("this history was made for other policies; make a new one: History(policy_set)")
        return View(request, roles=self.roles_for(request.principal), history=history)


def _indexed(
    policies: Sequence[Policy],
) -> tuple[dict[Operation, _Candidates], dict[tuple[Operation, str], _Candidates]]:
    """The policies that may fire for an operation; those bound to exact tools stand under these instead."""
    everywhere: dict[Operation, _Candidates] = {operation: [] for operation in Operation}
    by_tool: dict[tuple[Operation, str], _Candidates] = {}
    for policy in policies:
        condition = policy.condition
        for operation in Operation:
            if condition.operations is not None and operation not in condition.operations:
                continue
            if condition.tools is None:
                everywhere[operation].append((condition.test, policy))
            for tool in condition.tools or ():
                by_tool.setdefault((operation, tool), []).append((condition.test, policy))
    return everywhere, by_tool


def _awaits(one: ResultPolicy, view: View) -> bool:
    policy = one.policy
    return policy.mode is Mode.ENFORCE and policy.rule is not Rule.ALERT and one.may_hold.test(view) != FALSE


def _uncertain(policy: Policy, view: View) -> Verdict:
    """What a policy says when it fires because something cannot be known."""
    causes = "; ".join(sorted(set(remedies(policy.condition, view))))
    message = f"{policy.verdict.message} This is assumed, because {causes}."
    owed = obligation(policy.rule, policy.owed, policy=policy.name, message=message)
    return replace(policy.verdict, message=message, certain=False, obligation=owed)
