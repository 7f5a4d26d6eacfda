"""Results of cleared actions, judged by the policies in force."""

from __future__ import annotations

from typing import Any

from msgspec.structs import replace

from clearance.core import results
from clearance.core.model import NO_RULES, Judged, Request, ResultRules
from clearance.core.policy import PolicySet
from clearance.runtime.open_actions import OpenActions
from clearance.runtime.policy_book import PolicyBook
from clearance.runtime.runs import Runs


class Results:
    """Thread-safe. Nothing is decoded or looked up while no policy looks at results."""

    def __init__(self, policies: PolicyBook, runs: Runs, actions: OpenActions) -> None:
        self._policies = policies
        self._runs = runs
        self._actions = actions

    def rules(self, action_id: str) -> ResultRules:
        """Raises NotFoundError, StoreError."""
        policies = self._policies.current()
        request = self._request(action_id, policies)
        return NO_RULES if request is None else results.rules(request, policies)

    def judge(self, action_id: str, result: Any) -> Judged:
        """Raises NotFoundError, StoreError; then nothing may be shown."""
        policies = self._policies.current()
        request = self._request(action_id, policies)
        return Judged(value=result) if request is None else results.judged(request, result, policies)

    def _request(self, action_id: str, policies: PolicySet) -> Request | None:
        """The action as it was judged; None where no policy asks about what it gave."""
        if not (policies.results and policies.of_results(self._actions.operation(action_id))):
            return None
        request = self._actions.request(action_id)
        if request.context.goal:
            return request
        goal = self._runs.get(request.context.run_id).goal  # no record of an action repeats it
        return replace(request, context=replace(request.context, goal=goal)) if goal else request
