"""What a quarantine makes void: holds and grants of whom it is about. Delegations are dead while it lasts.

A delegation needs nothing here: a stop on an agent holds for whoever acts on its behalf.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Protocol

from clearance.core.model import HoldStatus, Stop, StopKind
from clearance.core.model.names import canonical
from clearance.ports import HoldQuery, State
from clearance.runtime.audit import Audit
from clearance.runtime.brake import Brake, Tell, nobody
from clearance.runtime.mediator import Clock
from clearance.runtime.names import NewId

_MOST = 1_000_000


class VoidAgent(Protocol):
    """`Holds.void_agent`: make void every open hold of one agent."""

    def __call__(self, agent: str, *, why: str) -> object: ...


def brake_of(
    state: State,
    audit: Audit,
    *,
    clock: Clock,
    new_id: NewId,
    tell: Tell = nobody,
    void_agent: VoidAgent | None = None,
) -> Brake:
    """The brake over the stores of one directory."""
    voided = quarantine(state, clock=clock, void_agent=void_agent)
    return Brake(state.brakes, audit, clock=clock, new_id=new_id, tell=tell, quarantined=voided)


def quarantine(state: State, *, clock: Clock, void_agent: VoidAgent | None = None) -> Callable[[Stop], None]:
    """Revoke the grants, and make void the open holds, of whomever a stop is about."""

    def made_void(stop: Stop) -> None:
        at, agent = clock(), stop.name if stop.kind is StopKind.AGENT else ""
        for grant in state.grants.grants(agent=agent, valid_at=at, limit=_MOST):
            if _is_about(stop, grant.agent, grant.tool, state):
                state.grants.revoke_grant(grant.grant_id, by=stop.by, at=at)
        if void_agent is not None:
            for name in sorted(_holding(stop, state)):
                void_agent(name, why=f"quarantine by {stop.by}")

    return made_void


def _holding(stop: Stop, state: State) -> set[str]:
    """Whose holds become void. Those for a quarantined tool stay: its agents are not what is distrusted."""
    if stop.kind is StopKind.AGENT:
        return {stop.name}
    if stop.kind is StopKind.TOOL:
        return set()
    found = [
        hold
        for status in (HoldStatus.PENDING, HoldStatus.APPROVED)
        for hold in state.holds.holds(HoldQuery(status=status, limit=_MOST))
    ]
    return {hold.agent for hold in found if stop.kind is StopKind.ALL or hold.team == stop.name}


def _is_about(stop: Stop, agent: str, tool: str, state: State) -> bool:
    match stop.kind:
        case StopKind.ALL:
            return True
        case StopKind.TOOL:
            return canonical(tool) == stop.name
        case StopKind.AGENT:
            return agent == stop.name
        case StopKind.TEAM:
            known = state.agents.agent(agent)
            return known is not None and known.team == stop.name
