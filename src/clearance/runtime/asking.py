"""Holds and grants, put together on one store."""

from __future__ import annotations

from clearance.ports import Journal, State
from clearance.runtime.audit import Audit
from clearance.runtime.grants import Grants, maker_of
from clearance.runtime.holds import Holds, Tell
from clearance.runtime.mediator import Clock
from clearance.runtime.names import NewId
from clearance.runtime.policy_book import PolicyBook


def asking(
    state: State,
    journal: Journal,
    policies: PolicyBook,
    audit: Audit,
    *,
    clock: Clock,
    new_id: NewId,
    tell: Tell = lambda kind, body: None,  # noqa: ARG005
) -> tuple[Holds, Grants]:
    """`tell` is told of every hold that opens or ends: a notice's kind and body."""
    grants = Grants(state.grants, maker_of(state.people), audit, clock=clock, new_id=new_id)
    holds = Holds(
        state.holds,
        journal,
        grants,
        policy_version=lambda: policies.current().version,
        clock=clock,
        tell=tell,
    )
    return holds, grants
