"""A wire call to a Request: operation, typed resources, environment. Never raises, looks nothing up."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from clearance.core.classify.records import Records
from clearance.core.model import (
    Action,
    ActionCall,
    Context,
    Fact,
    Operation,
    Principal,
    Request,
    Resource,
    ToolSpec,
    plain,
)
from clearance.core.model.names import canonical
from clearance.core.normalize.environments import placed
from clearance.core.normalize.naming import MAX_NAME
from clearance.core.normalize.reading import UNREADABLE, distinct, named, unreadable
from clearance.core.normalize.resources import given
from clearance.core.normalize.tool_call import ToolReading, read_tool

_MODEL_CALL = ToolReading(operation=Operation.MODEL_CALL, resources=(), records=None)


def normalize(
    call: ActionCall,
    *,
    principal: Principal,
    context: Context,
    tools: Mapping[str, ToolSpec],
    written: bytes = b"",
) -> Request:
    """What is asked for, in the field's terms. `tools` is keyed by canonical name.

    `written` is the JSON of the call's arguments, if somebody has it already.

    Of the facts only `record_count` is given, where the call itself tells it, for `derive_facts` to weigh.

    Whatever cannot be read becomes operation UNKNOWN, the highest class. Never raises.
    """
    try:
        action, resources, facts = _read(call, tools, written)
    except Exception:  # fail closed: no input may keep an action from being judged
        (action, resources), facts = _unreadable(call), {}
    return Request(principal=principal, action=action, resources=resources, context=context, facts=facts)


def _read(
    call: ActionCall, tools: Mapping[str, ToolSpec], written: bytes
) -> tuple[Action, tuple[Resource, ...], dict[str, Fact]]:
    arguments = call.arguments or call.payload
    spec = tools.get(canonical(call.action)) if len(call.action) <= MAX_NAME else None
    models = _models(arguments, call.payload)
    if call.operation is Operation.MODEL_CALL and models:
        reading = _MODEL_CALL  # a conversation is no tool's arguments
    else:
        reading = read_tool(call.action, arguments, spec=spec)
    operation, found = call.operation or reading.operation, reading.resources
    if operation is Operation.MODEL_CALL:
        found = tuple(models) or found
    environment = call.environment or (spec.environment if spec else None)
    wanted = (call.resource,) if isinstance(call.resource, str) else call.resource
    resources = distinct(
        (
            *(placed(given(text), environment, trusted=True) for text in wanted if text != ""),
            *(placed(resource, environment, trusted=False) for resource in found),
        )
    )
    if not written or not call.arguments:
        written = plain.written(arguments)
    action = Action(tool=call.action, operation=operation, arguments=arguments, written=written)
    return (
        action,
        resources or (placed(named("tool", call.action), environment, trusted=False),),
        {} if operation is Operation.READ else _facts(reading.records),
    )


def _facts(records: Records | None) -> dict[str, Fact]:
    return {} if records is None else {"record_count": Fact(value=records.count, source=records.basis)}


def _models(*sources: Mapping[str, Any]) -> Sequence[Resource]:
    models = [source["model"] for source in sources if isinstance(source.get("model"), str)]
    return [named("model", model) for model in models[:1]]


def _unreadable(call: ActionCall) -> tuple[Action, tuple[Resource, ...]]:
    # By type, since a foreign class may lie about, or fail at, everything else.
    tool = call.action if issubclass(type(call.action), str) else UNREADABLE
    arguments = call.arguments if issubclass(type(call.arguments), dict) else {}
    action = Action(tool=tool, operation=Operation.UNKNOWN, arguments=arguments)
    return action, (unreadable("tool"),)
