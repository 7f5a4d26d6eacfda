"""Results of cleared actions, judged by the policies in force. Knows which action it was from its intent."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from msgspec.structs import replace

from clearance.core import results
from clearance.core.model import NO_RULES, Draft, Judged, Operation, Record, Request, ResultRules
from clearance.core.policy import PolicySet
from clearance.runtime.memory import request_of
from clearance.runtime.policy_book import PolicyBook
from clearance.runtime.runs import Runs

IntentOf = Callable[[str], "Draft | Record"]


class Results:
    """Thread-safe. Nothing is decoded or looked up while no policy looks at results."""

    def __init__(self, policies: PolicyBook, runs: Runs, intent_of: IntentOf) -> None:
        self._policies = policies
        self._runs = runs
        self._intent_of = intent_of

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
        if not policies.results:
            return None
        intent = self._intent_of(action_id)
        if not policies.of_results(Operation(intent.operation)):
            return None
        request = request_of(intent)
        goal = self._runs.get(intent.run_id).goal
        return replace(request, context=replace(request.context, goal=goal))
