"""A wire call, understood: what is asked for, with every fact that is known before anything is counted."""

from __future__ import annotations

from clearance.core.enrich import derive_facts
from clearance.core.model import ActionCall, Context, Principal, Request
from clearance.core.normalize import normalize
from clearance.core.policy import PolicySet


def read_call(
    call: ActionCall, principal: Principal, context: Context, policies: PolicySet, *, written: bytes = b""
) -> Request:
    """A wire call, understood: normalized, with every fact that the call itself and the declarations give."""
    request = normalize(call, principal=principal, context=context, tools=policies.tools, written=written)
    facts = derive_facts(request, call=call, tools=policies.tools)
    return Request(
        principal=request.principal,
        action=request.action,
        resources=request.resources,
        context=request.context,
        facts=facts,
    )
