"""`@guard`: a function that is cleared before it runs and recorded after. Its name is the tool."""

from __future__ import annotations

import functools
import inspect
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, ParamSpec, TypeVar, overload

from clearance.core.model import ActionCall, Environment, Operation
from clearance.sdk.backend import Backend
from clearance.sdk.call import action_call
from clearance.sdk.client import Client
from clearance.sdk.current import current_run
from clearance.sdk.holding import checked_seconds
from clearance.sdk.perform import HONOURS, aperform, perform
from clearance.sdk.unreachable import OnUnreachable, checked

P = ParamSpec("P")
R = TypeVar("R")
FactOf = Callable[[Mapping[str, Any]], bool | int | float | str | None]


@overload
def guard(function: Callable[P, R], /) -> Callable[P, R]: ...


@overload
def guard(
    *,
    client: Client | None = None,
    tool: str = "",
    operation: Operation | str | None = None,
    resource: str | Sequence[str] = (),
    environment: Environment | str | None = None,
    facts: Mapping[str, FactOf] | None = None,
    on_unreachable: str = "refuse",
    wait_for_approval_seconds: float | None = None,
) -> Callable[[Callable[P, R]], Callable[P, R]]: ...


def guard(
    function: Callable[..., Any] | None = None,
    /,
    *,
    client: Client | None = None,
    tool: str = "",
    operation: Operation | str | None = None,
    resource: str | Sequence[str] = (),
    environment: Environment | str | None = None,
    facts: Mapping[str, FactOf] | None = None,
    on_unreachable: str = "refuse",
    wait_for_approval_seconds: float | None = None,
) -> Any:
    """Guard a sync or async function. A refused call raises PolicyViolationError and never runs.

    One that is held waits for a person for so long (else as the client is set), then raises
    ApprovalRequiredError; the same call again in the same run goes on once somebody has said yes.

    Within `client.run(...)` the call belongs to that run; outside, to `client`, or to a `Client()` made on
    first use. `facts` are functions of the bound arguments (`{"record_count": lambda a: len(a["ids"])}`); one
    that fails makes its fact unknown, which matches every limit. Raises TypeError for a generator
    function and ValueError for `on_unreachable="allow"` on anything but `operation="read"`.
    """
    declared = None if operation is None else Operation(operation)
    options = _Options(
        client=client,
        tool=tool,
        details={"operation": declared, "resource": resource, "environment": environment},
        facts=facts or {},
        on_unreachable=checked(on_unreachable, declared),
        wait_seconds=checked_seconds(wait_for_approval_seconds),
    )

    def decorate(function: Callable[..., Any]) -> Callable[..., Any]:
        return _guarded(function, options)

    return decorate if function is None else decorate(function)


@dataclass(frozen=True, slots=True)
class _Options:
    """What the decorator was told."""

    client: Client | None
    tool: str
    details: dict[str, Any]
    facts: Mapping[str, FactOf]
    on_unreachable: OnUnreachable
    wait_seconds: float | None

    def prepare(self, name: str, arguments: dict[str, Any]) -> tuple[Backend, ActionCall]:
        """Whom to ask, and what."""
        backend, whose = _whose(self.client)
        told = {key: value for key, value in self.details.items() if value is not None}
        details = {**whose, **told, "facts": _facts(self.facts, arguments), "honours": HONOURS}
        return backend, action_call(self.tool or name, arguments=arguments, **details)


def _guarded(function: Callable[..., Any], options: _Options) -> Callable[..., Any]:
    if inspect.isgeneratorfunction(function) or inspect.isasyncgenfunction(function):
        raise TypeError("@guard needs a function that returns its result; use run.check around a generator.")
    binding = _Binding(function)
    name = function.__name__

    if inspect.iscoroutinefunction(function):

        @functools.wraps(function)
        async def guarded_async(*args: Any, **kwargs: Any) -> Any:
            bound = binding.bind(args, kwargs)
            backend, call = options.prepare(name, binding.arguments(bound))

            async def execute(cleared: dict[str, Any]) -> Any:
                return await binding.call(bound, call.arguments, cleared)

            return await aperform(
                backend, call, execute, options.on_unreachable, wait_seconds=options.wait_seconds
            )

        return guarded_async

    @functools.wraps(function)
    def guarded(*args: Any, **kwargs: Any) -> Any:
        bound = binding.bind(args, kwargs)
        backend, call = options.prepare(name, binding.arguments(bound))

        def execute(cleared: dict[str, Any]) -> Any:
            return binding.call(bound, call.arguments, cleared)

        return perform(backend, call, execute, options.on_unreachable, wait_seconds=options.wait_seconds)

    return guarded


class _Binding:
    """How a function's arguments get their names, and find their way back."""

    def __init__(self, function: Callable[..., Any]) -> None:
        self._function = function
        self._signature = inspect.signature(function)
        names = list(self._signature.parameters)
        # The object a method is called on is not an argument that an agent chose.
        self._hidden = names[0] if names and names[0] in ("self", "cls") else ""
        kinds = {name: parameter.kind for name, parameter in self._signature.parameters.items()}
        self._rest = next((n for n, kind in kinds.items() if kind is inspect.Parameter.VAR_KEYWORD), "")

    def bind(self, args: tuple[Any, ...], kwargs: dict[str, Any]) -> inspect.BoundArguments:
        """Raises TypeError as the function itself would."""
        bound = self._signature.bind(*args, **kwargs)
        bound.apply_defaults()
        return bound

    def arguments(self, bound: inspect.BoundArguments) -> dict[str, Any]:
        values = {name: value for name, value in bound.arguments.items() if name != self._hidden}
        values.update(values.pop(self._rest, {}))
        return values

    def call(self, bound: inspect.BoundArguments, asked: dict[str, Any], cleared: dict[str, Any]) -> Any:
        """Run with the cleared arguments: the caller's own objects but where a policy changed them."""
        if cleared is not asked:
            for name, value in cleared.items():
                target = bound.arguments if name in bound.arguments else bound.arguments[self._rest]
                target[name] = value
        return self._function(*bound.args, **bound.kwargs)


def _facts(facts: Mapping[str, FactOf], arguments: Mapping[str, Any]) -> dict[str, Any]:
    values: dict[str, Any] = {}
    for name, count in facts.items():
        try:
            values[name] = count(arguments)
        except Exception:  # a fact that cannot be computed is unknown, and so matches every limit
            values[name] = None
    return values


def _whose(client: Client | None) -> tuple[Backend, dict[str, Any]]:
    """The control point to ask, and whose action it is."""
    run = current_run.get()
    if run is not None and (client is None or client.backend is run.backend):
        return run.backend, {"agent": run.agent, "run_id": run.run_id, "environment": run.environment}
    return (client or default_client()).outside_run()


@functools.cache
def default_client() -> Client:
    """The client of guarded calls outside any run: what CLEARANCE_* says, or the store in this directory."""
    return Client()
