"""What an approval is bound to: the call, what was shown of it, the policies and the targets. Pure."""

from __future__ import annotations

import hashlib
from typing import Any

import msgspec
from msgspec.structs import replace

from clearance.core import redact
from clearance.core.mediation import Mediation
from clearance.core.model import Action, ActionCall, Hold, Principal, Shown

_CANONICAL = msgspec.json.Encoder(order="deterministic")
_EVERY_TOUCH = 1_000_000


def call_hash(call: ActionCall, principal: Principal) -> str:
    """SHA-256 of what will run and of who asks; empty where a value of the call has no JSON.

    Goal, parent, run and hold are not what runs. How the agent proved its name is not who it is: the same
    call with a fresh token is the same call.
    """
    chain = [(actor.kind, actor.name) for actor in principal.on_behalf_of]
    runs = (
        "clearance.call.v1",
        principal.agent,
        chain,
        call.action,
        call.resource,
        call.arguments,
        call.payload,
        call.facts,
        call.operation,
        call.environment,
    )
    try:
        return _digest(runs)
    except (TypeError, ValueError, OverflowError, RecursionError):
        return ""


def shown_of(mediation: Mediation, *, steps_before: int) -> Shown:
    """What an approver sees of a held action, redacted as for storage."""
    request, decision = mediation.request, mediation.decision
    principal, context = request.principal, request.context
    facts = redact.stored_facts(request.facts)
    return Shown(
        agent=principal.agent,
        on_behalf_of=principal.on_behalf_of,
        team=principal.team,
        owner=principal.owner,
        goal=redact.stored(context.goal),
        run_id=context.run_id,
        steps_before=steps_before,
        tool=redact.clean_text(request.action.tool),
        operation=request.action.operation,
        arguments=redact.stored(mediation.arguments),
        resources=redact.stored_resources(request.resources),
        facts={name: {"value": fact.value, "source": fact.source} for name, fact in facts.items()},
        # All of it: a sum over a part would show an approver less than what will be touched.
        radius=tuple(redact.stored_radius(radius, most=_EVERY_TOUCH) for radius in mediation.radii),
        reasons=decision.reasons if decision is not None else (),
        door=context.door,
    )


def shown_hash(shown: Shown) -> str:
    """What an answer names, so that nobody says yes to something else than what was seen."""
    return _digest(shown)


def fingerprints(mediation: Mediation) -> tuple[str, ...]:
    """Which real systems were counted, each once."""
    return tuple(sorted({radius.fingerprint for radius in mediation.radii}))


def bound(*, call: str, shown: str, policy_version: str, targets: tuple[str, ...]) -> str:
    """One hash over everything that an approval holds for."""
    return _digest(("clearance.binding.v1", call, shown, policy_version, targets))


def is_bound(hold: Hold) -> bool:
    """Whether a stored hold still says what was hashed when it was made."""
    return hold.shown_hash == shown_hash(hold.shown) and hold.binding == bound(
        call=hold.call_hash,
        shown=hold.shown_hash,
        policy_version=hold.policy_version,
        targets=hold.fingerprints,
    )


def for_storage(mediation: Mediation) -> msgspec.Raw:
    """The machine's state as JSON, redacted: enough to end the action, never to run it."""
    request = mediation.request
    arguments = _mapping(redact.stored(mediation.arguments))
    kept = replace(
        request,
        action=Action(
            tool=redact.clean_text(request.action.tool),
            operation=request.action.operation,
            arguments=arguments,
        ),
        resources=redact.stored_resources(request.resources),
        context=replace(request.context, goal=redact.stored(request.context.goal)),
        facts=redact.stored_facts(request.facts),
    )
    findings = tuple(
        replace(finding, evidence=redact.clean_text(finding.evidence)) for finding in mediation.findings
    )
    radii = tuple(redact.stored_radius(radius, most=_EVERY_TOUCH) for radius in mediation.radii)
    made = replace(mediation, request=kept, arguments=arguments, findings=findings, radii=radii)
    return msgspec.Raw(_CANONICAL.encode(made))


def from_storage(kept: msgspec.Raw) -> Mediation:
    """Raises msgspec.ValidationError."""
    return msgspec.json.decode(kept, type=Mediation)


def _mapping(value: Any) -> dict[str, Any]:
    """What was cut to a note stays one."""
    return value if isinstance(value, dict) else {"…": value}


def _digest(value: object) -> str:
    return hashlib.sha256(_CANONICAL.encode(value)).hexdigest()
