"""Whatever is stored, both states give it back the same, and whole."""

from __future__ import annotations

import tempfile
from collections.abc import Callable
from datetime import UTC, datetime, timedelta, timezone
from pathlib import Path
from typing import Any

import msgspec
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from clearance.adapters.store.memory_state import MemoryState
from clearance.adapters.store.sqlite import SqliteState
from clearance.core.model import (
    Actor,
    ActorKind,
    Agent,
    AgentSource,
    AgentStatus,
    Answer,
    AnswerKind,
    Bounds,
    BreakGlass,
    Credential,
    CredentialKind,
    EffectClass,
    Environment,
    Exactness,
    Grant,
    Hold,
    HoldStatus,
    Mode,
    Operation,
    Person,
    PersonSource,
    Radius,
    Reason,
    ReasonCode,
    Requirement,
    Resource,
    Reversibility,
    Role,
    Shown,
    Stop,
    StopKind,
    StopLevel,
    ToolPin,
    Touch,
)
from clearance.ports import HoldQuery, Notice, State

pytestmark = pytest.mark.servers  # takes its time

NOON = datetime(2026, 3, 14, 12, 0, tzinfo=UTC)
text = st.text(st.characters(exclude_categories=["Cs"]), max_size=8)
names = st.sampled_from(["", "a", "b", "Ä'\"%_", "\x00"])
moments = st.datetimes(
    datetime(2000, 1, 1),  # noqa: DTZ001 - the zone is drawn
    datetime(2100, 1, 1),  # noqa: DTZ001
    timezones=st.sampled_from([UTC, timezone(timedelta(hours=5, minutes=30))]),
)
maybe = st.none() | moments
counts = st.integers(0, 9)
plain = st.recursive(
    st.none() | st.booleans() | st.integers(-(2**53), 2**53) | st.floats(-1e9, 1e9) | text,
    lambda inner: st.lists(inner, max_size=2) | st.dictionaries(text, inner, max_size=2),
    max_leaves=5,
)
objects = st.dictionaries(text, plain, max_size=2)


def some(values: st.SearchStrategy[Any]) -> st.SearchStrategy[tuple[Any, ...]]:
    return st.lists(values, max_size=2).map(tuple)


def one_of(kind: Any) -> st.SearchStrategy[Any]:
    return st.sampled_from(kind)


actors = st.builds(Actor, name=text, kind=one_of(ActorKind), roles=some(text), team=text)
bounds = st.builds(Bounds, tools=some(text), operations=some(text), resources=some(text))
resources = st.builds(Resource, kind=text, name=text, environment=one_of(Environment), attributes=objects)
touches = st.builds(
    Touch,
    resource=text,
    operation=one_of(Operation),
    count=st.none() | counts,
    exactness=one_of(Exactness),
    sample=some(text),
)
radii = st.builds(
    Radius,
    system=text,
    fingerprint=text,
    environment=one_of(Environment),
    effects=st.frozensets(one_of(EffectClass), max_size=2),
    touches=some(touches),
    reversibility=one_of(Reversibility),
    unknown=some(text),
)
agents = st.builds(
    Agent,
    name=names,
    created_at=moments,
    owner=text,
    team=text,
    purpose=text,
    environment=one_of(Environment),
    version=text,
    roles=some(text),
    status=one_of(AgentStatus),
    source=one_of(AgentSource),
)
people = st.builds(
    Person,
    name=names,
    created_at=moments,
    roles=some(one_of(Role)),
    teams=some(text),
    email=text,
    source=one_of(PersonSource),
    issuer=names,
    subject=names,
    password_hash=text,
    is_active=st.booleans(),
)
credentials = st.builds(
    Credential,
    credential_id=names,
    kind=one_of(CredentialKind),
    subject=names,
    secret_hash=text,
    created_at=moments,
    expires_at=maybe,
    revoked_at=maybe,
    label=text,
    bounds=some(bounds),
    on_behalf_of=some(actors),
)
shown = st.builds(
    Shown,
    agent=names,
    on_behalf_of=some(actors),
    goal=text,
    run_id=names,
    steps_before=counts,
    tool=text,
    operation=one_of(Operation),
    arguments=plain,
    resources=some(resources),
    facts=objects,
    radius=some(radii),
    reasons=some(st.builds(Reason, code=one_of(ReasonCode), message=text, mode=one_of(Mode))),
    door=text,
)
requirements = st.builds(
    Requirement,
    policy=text,
    message=text,
    role=one_of(Role),
    team=text,
    count=counts,
    four_eyes=st.booleans(),
)
answers = st.builds(
    Answer, by=text, at=moments, kind=one_of(AnswerKind), policy=text, reason=text, grant_id=text
)
holds = st.builds(
    Hold,
    hold_id=names,
    action_id=text,
    run_id=names,
    agent=names,
    team=text,
    status=one_of(HoldStatus),
    requirements=some(requirements),
    answers=some(answers),
    shown=shown,
    shown_hash=text,
    call_hash=names,
    policy_version=text,
    fingerprints=some(text),
    binding=text,
    created_at=moments,
    expires_at=moments,
    closed_at=maybe,
    why=text,
    taken_by=text,
    mediation=objects.map(lambda value: msgspec.Raw(msgspec.json.encode(value))),
    version=st.integers(1, 4),
)
grants = st.builds(
    Grant,
    grant_id=names,
    agent=names,
    tool=names,
    policies=some(text),
    resources=some(text),
    most_records=st.none() | counts,
    most_uses=counts,
    used=counts,
    by=text,
    reason=text,
    created_at=moments,
    expires_at=moments,
    revoked_at=maybe,
    revoked_by=text,
)
stops = st.builds(
    Stop,
    kind=one_of(StopKind),
    name=names,
    level=one_of(StopLevel),
    reason=text,
    by=text,
    at=moments,
    until=maybe,
    policy=text,
)
glasses = st.builds(
    BreakGlass,
    glass_id=names,
    agent=text,
    tools=some(text),
    reason=text,
    by=text,
    at=moments,
    until=moments,
    ended_at=maybe,
)
pins = st.builds(
    ToolPin, server=names, tool=names, since=moments, accepted=text, definition=text, seen=text, seen_at=maybe
)
pin_lists = st.lists(pins, max_size=2).map(lambda found: lambda known: found)
notices = st.builds(Notice, notice_id=names, kind=text, at=moments, body=objects)

Step = tuple[str, tuple[Any, ...], dict[str, Any]]


def call(
    path: str, *values: st.SearchStrategy[Any], **fields: st.SearchStrategy[Any]
) -> st.SearchStrategy[Step]:
    return st.tuples(st.just(path), st.tuples(*values), st.fixed_dictionaries(fields))


steps = st.one_of(
    call("agents.add_agent", agents),
    call("agents.replace_agent", agents),
    call("agents.agent", names),
    call("people.add_person", people),
    call("people.replace_person", people),
    call("people.person_of", names, names),
    call("credentials.add_credential", credentials),
    call("credentials.credential", names),
    call("credentials.revoke_credential", names, moments),
    call("credentials.expire_credential", names, moments),
    call("credentials.credentials", st.none() | one_of(CredentialKind), names),
    call("credentials.use_once", names, names, until=moments, at=moments),
    call("holds.add_hold", holds),
    call("holds.swap_hold", holds),
    call("holds.open_hold", names, names, names),
    call("holds.overdue_holds", moments, limit=st.integers(-1, 3)),
    call(
        "holds.holds",
        st.builds(
            HoldQuery,
            status=st.none() | one_of(HoldStatus),
            agent=names,
            run_id=names,
            before=maybe,
            limit=st.integers(-1, 3),
        ),
    ),
    call("grants.add_grant", grants),
    call("grants.use_grants", some(names), moments),
    call("grants.revoke_grant", names, by=text, at=moments),
    call("grants.matching_grants", names, names, moments),
    call("grants.grants", agent=names, valid_at=maybe, limit=st.integers(-1, 3)),
    call("brakes.set_stop", stops),
    call("brakes.tighten_stop", stops),
    call("brakes.lift_stop", one_of(StopKind), names),
    call("brakes.add_glass", glasses),
    call("brakes.end_glass", names, moments),
    call("brakes.glasses", open_at=maybe),
    call("pins.change_pins", names, pin_lists),
    call("pins.pins", names),
    call("outbox.add_notice", notices, to=names),
    call("outbox.claim_notices", moments, until=moments, limit=st.integers(-1, 3)),
    call("outbox.notice_sent", names, to=names),
    call("outbox.notice_failed", names, to=names, again_at=maybe),
)


def taken(state: State, step: Step) -> object:
    """What a call answers, or the kind of error that it raises."""
    path, values, fields = step
    store, _, method = path.partition(".")
    bound: Callable[..., object] = getattr(getattr(state, store), method)
    try:
        return bound(*values, **fields)
    except Exception as error:  # compared below
        return type(error)


def everything(state: State) -> list[object]:
    listed = [state.agents.agents(), state.people.people(), state.credentials.credentials()]
    listed += [
        state.pins.pins(),
        state.holds.holds(HoldQuery(limit=99)),
        state.grants.grants(),
        state.brakes.stops(),
    ]
    end = datetime(2101, 1, 1, tzinfo=UTC)
    due = state.outbox.claim_notices(end, until=end)
    counters = (
        state.agents,
        state.people,
        state.credentials,
        state.holds,
        state.grants,
        state.brakes,
        state.pins,
    )
    return [*listed, state.brakes.glasses(), due, [store.revision() for store in counters]]


@settings(max_examples=80, deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(taking=st.lists(steps, max_size=12))
def test_the_twins_answer_alike_and_keep_everything_whole(taking: list[Step]) -> None:
    memory = MemoryState()
    with tempfile.TemporaryDirectory() as directory:
        state = SqliteState(Path(directory) / "store")
        for step in taking:
            assert taken(state, step) == taken(memory, step), step
        assert everything(state) == everything(memory)
        state.close()
        again = SqliteState(Path(directory) / "store")
        assert everything(again) == everything(memory)
        again.close()
