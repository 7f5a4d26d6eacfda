"""AgentDojo's tool runtime behind the control point: every call is cleared, then run, then recorded."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from agentdojo.functions_runtime import Function, FunctionsRuntime
from pydantic_core import to_jsonable_python

from clearance import PolicyViolationError, Run


class GovernedRuntime(FunctionsRuntime):  # type: ignore[misc]  # AgentDojo ships no types
    """Stands wherever a FunctionsRuntime stands, with any AgentDojo pipeline in front of it.

    A refused call never runs. It comes back as AgentDojo's tool errors do, with the reason and its code.
    """

    def __init__(self, run: Run, functions: Sequence[Function] = ()) -> None:
        super().__init__(functions)
        self._run = run

    def run_function(
        self,
        env: Any,
        function: str,
        kwargs: Mapping[str, Any],
        raise_on_error: bool = False,  # noqa: FBT001, FBT002  # AgentDojo's signature
    ) -> tuple[Any, str | None]:
        """AgentDojo's contract. Calls nested in the arguments come through here too, each one cleared."""
        try:
            arguments = plain(self._execute_nested_calls(env, kwargs))
            return self._cleared(env, function, arguments), None
        except Exception as error:
            if raise_on_error:
                raise
            return "", _told(error)

    def _cleared(self, env: Any, function: str, arguments: dict[str, Any]) -> Any:
        result: Any = None
        recorded: Any = None

        def execute(**cleared: Any) -> Any:
            nonlocal result, recorded
            result, _ = super(GovernedRuntime, self).run_function(env, function, cleared, raise_on_error=True)
            recorded = plain(result)
            return recorded

        answer = self._run.call(function, execute, arguments)
        # The agent gets AgentDojo's own objects, but where a policy cut what it may see.
        return result if answer is recorded else answer


def plain(value: Any) -> Any:
    """JSON values, as policies and records need them."""
    return to_jsonable_python(value, fallback=str)


def _told(error: Exception) -> str:
    code = f" [{error.reason_code}]" if isinstance(error, PolicyViolationError) else ""
    return f"{type(error).__name__}: {error}{code}"
