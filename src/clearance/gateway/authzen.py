"""OpenID AuthZEN 1.0 access evaluation: other gateways ask us. They execute, and never report."""

from __future__ import annotations

from typing import Annotated, Any

from msgspec import Meta, Struct

from clearance.core.model import (
    ActionCall,
    Actor,
    ActorKind,
    OutcomeReport,
    OutcomeStatus,
    Principal,
)
from clearance.core.model.wire import ActionName, Name
from clearance.errors import ForbiddenError
from clearance.gateway.endpoint import Access, Asked, Endpoint

_DOOR = "authzen"


class Subject(Struct, frozen=True):
    """AuthZEN §5.1. `id` is the agent's name, whatever the type."""

    type: str
    id: Annotated[str, Meta(min_length=1, max_length=128, pattern=r"^[\w.@:/+-]+$")]
    properties: dict[str, Any] = {}


class EvaluatedAction(Struct, frozen=True):
    """AuthZEN §5.3. `name` is a verb or a tool; the properties are its payload."""

    name: ActionName
    properties: dict[str, Any] = {}


class EvaluatedResource(Struct, frozen=True):
    """AuthZEN §5.2."""

    type: Annotated[str, Meta(max_length=128)]
    id: Annotated[str, Meta(max_length=4_096)]
    properties: dict[str, Any] = {}


class Evaluation(Struct, frozen=True, kw_only=True):
    """AuthZEN §6.1. Unknown members are ignored, as the specification asks."""

    subject: Subject
    action: EvaluatedAction
    resource: EvaluatedResource
    context: dict[str, Any] = {}


class EvaluationContext(Struct, frozen=True):
    """Why, for the one who asked: AuthZEN §6.2 leaves the form to us."""

    id: Name
    reason_code: str
    reason: str
    hold_id: str = ""  # people are asked: send it back in `context` once they have answered


class EvaluationAnswer(Struct, frozen=True):
    """AuthZEN §6.2."""

    decision: bool
    context: EvaluationContext


async def evaluate(asked: Asked) -> EvaluationAnswer:
    """Decided and recorded like any action; its outcome is `not_reported` from the start."""
    question: Evaluation = asked.body
    agent = question.subject.id
    if asked.caller.person is None and agent != asked.caller.name:
        raise ForbiddenError("This key may ask for its own agent only; a gateway needs a service token.")
    passage = asked.door.passage
    principal = Principal(agent=agent, on_behalf_of=_behalf(asked), proof=asked.caller.principal.proof)
    result = await passage.clear(_call(question), principal, door=_DOOR)
    if result.allowed:
        await passage.told(result.action_id, OutcomeReport(status=OutcomeStatus.NOT_REPORTED))
    context = EvaluationContext(result.action_id, result.reason_code, result.reason, result.hold_id)
    return EvaluationAnswer(result.allowed, context)


def _behalf(asked: Asked) -> tuple[Actor, ...]:
    """A gateway that asks for others is named in their chain. It has no say in what they may do."""
    person = asked.caller.person
    return () if person is None else (Actor(name=person.name, kind=ActorKind.SERVICE),)


def _call(question: Evaluation) -> ActionCall:
    resource = question.resource
    return ActionCall(
        action=question.action.name,
        resource=f"{resource.type}:{resource.id}",
        payload=question.action.properties,
        hold_id=hold_id if isinstance(hold_id := question.context.get("hold_id"), str) else "",
    )


ENDPOINTS = (
    Endpoint(
        "POST",
        "/access/v1/evaluation",
        "AuthZEN 1.0 access evaluation",
        evaluate,
        EvaluationAnswer,
        access=Access.RECOVER,
        body=Evaluation,
    ),
)
