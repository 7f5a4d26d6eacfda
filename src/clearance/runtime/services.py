"""Everything that runs on one journal and one state, put together. Chooses no adapter."""

from __future__ import annotations

from dataclasses import dataclass

from clearance.core.model import Record
from clearance.ports import Journal, State
from clearance.runtime.asking import asking
from clearance.runtime.audit import Audit
from clearance.runtime.brake import Brake
from clearance.runtime.breakers import Breakers
from clearance.runtime.control_point import ControlPoint
from clearance.runtime.grants import Grants
from clearance.runtime.holds import Holds
from clearance.runtime.keys import Keys, NewCredential
from clearance.runtime.mediator import Clock
from clearance.runtime.names import NewId
from clearance.runtime.notices import Notices
from clearance.runtime.people import Hashing, People
from clearance.runtime.policy_book import PolicyBook
from clearance.runtime.quarantine import brake_of
from clearance.runtime.recovery import Recovery
from clearance.runtime.registry import Registry
from clearance.runtime.standing import Standing
from clearance.runtime.sweep import close_left_behind
from clearance.runtime.systems import Systems
from clearance.runtime.tokens import Tokens
from clearance.runtime.tool_pins import ToolPins


@dataclass(frozen=True, slots=True, kw_only=True)
class Makers:
    """Where time, ids and secrets come from."""

    clock: Clock
    new_id: NewId
    new_credential: NewCredential
    passwords: Hashing


@dataclass(frozen=True, slots=True, kw_only=True)
class Services:
    """`closed` are the actions that recovery closed as unknown at the start."""

    journal: Journal
    state: State
    systems: Systems
    audit: Audit
    registry: Registry
    keys: Keys
    people: People
    notices: Notices
    holds: Holds
    grants: Grants
    brake: Brake
    control_point: ControlPoint
    recovery: Recovery
    tool_pins: ToolPins
    closed: tuple[Record, ...]


def services(
    journal: Journal,
    state: State,
    *,
    audit: Audit,
    policies: PolicyBook,
    systems: Systems,
    notices: Notices,
    make: Makers,
) -> Services:
    """Raises StoreError. What dead processes left open is closed."""
    clock, new_id, tell = make.clock, make.new_id, notices.tell
    keys = Keys(state.credentials, audit, clock=clock, new_credential=make.new_credential)
    registry = Registry(state.agents, audit, clock=clock, keys=keys)
    holds, grants = asking(state, journal, policies, audit, clock=clock, new_id=new_id, tell=tell)
    brake = brake_of(state, audit, clock=clock, new_id=new_id, tell=tell, void_agent=holds.void_agent)
    breakers = Breakers(journal, brake, clock=clock)
    standing = Standing(approvals=holds, registry=registry, posture=brake.posture, breakers=breakers)
    point = ControlPoint(journal, policies, clock=clock, new_id=new_id, systems=systems, standing=standing)
    recovery, closed = _recovered(point, holds, clock)
    return Services(
        journal=journal,
        state=state,
        systems=systems,
        audit=audit,
        registry=registry,
        keys=keys,
        people=_people(state, audit, make),
        notices=notices,
        holds=holds,
        grants=grants,
        brake=brake,
        control_point=point,
        recovery=recovery,
        tool_pins=ToolPins(state.pins, audit, clock=clock, tell=tell),
        closed=closed,
    )


def _recovered(point: ControlPoint, holds: Holds, clock: Clock) -> tuple[Recovery, tuple[Record, ...]]:
    """Close what dead processes left."""
    recovery, closed = Recovery(point), close_left_behind(point.journal, clock)
    recovery.settle_closed(closed)
    holds.catch_up()
    return recovery, tuple(closed)


def _people(state: State, audit: Audit, make: Makers) -> People:
    tokens = Tokens(state.credentials, clock=make.clock, make=make.new_credential)
    return People(state.people, tokens, audit, clock=make.clock, passwords=make.passwords)
