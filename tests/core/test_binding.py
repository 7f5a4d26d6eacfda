"""What an approval is bound to: one call, one showing, one set of policies and targets."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import msgspec
import pytest
from msgspec.structs import replace

from clearance.core import binding
from clearance.core.mediation import Mediation, State
from clearance.core.model import (
    Action,
    ActionCall,
    Actor,
    ActorKind,
    Approval,
    Context,
    Decision,
    Effect,
    EffectClass,
    Fact,
    Operation,
    Principal,
    Proof,
    Radius,
    Reason,
    ReasonCode,
    Request,
    Resource,
    Touch,
)

AT = datetime(2026, 1, 2, 3, 4, 5, tzinfo=UTC)
BOT = Principal(agent="bot")
CALL = ActionCall(action="update", resource="postgres:crm/users", arguments={"id": 1, "to": "x"})
SECRET = "sk_live_" + "a1B2" * 6


def mediation(**changes: object) -> Mediation:
    touch = Touch(resource="public.users", operation=Operation.UPDATE, count=3, sample=(SECRET, "17"))
    made = Mediation(
        state=State.HELD,
        request=Request(
            principal=replace(BOT, owner="ann", on_behalf_of=(Actor(name="bob", kind=ActorKind.PERSON),)),
            action=Action(
                tool="update_user", operation=Operation.UPDATE, arguments={"password": "hunter2", "n": 1}
            ),
            resources=(Resource(kind="postgres", name="crm/users"),),
            context=Context(run_id="run_1", action_id="act_1", at=AT, goal=f"use {SECRET}", call_hash="c"),
            facts={
                "record_count": Fact(value=3, source="counted", at=AT),
                "note": Fact(value=SECRET, source="caller"),
            },
        ),
        arguments={"password": "hunter2", "n": 1},
        decision=Decision(
            effect=Effect.DENY,
            reasons=(Reason(code=ReasonCode.APPROVAL_REQUIRED, message="why", policy="p"),),
            obligations=(Approval(policy="p"),),
            policy_version="v1",
        ),
        radii=(
            Radius(
                system="crm",
                fingerprint="f1",
                effects=frozenset({EffectClass.WRITE, EffectClass.DELETE}),
                touches=(touch,),
            ),
        ),
    )
    return replace(made, **changes)


@pytest.mark.parametrize(
    "same",
    [
        replace(CALL, goal="another"),
        replace(CALL, run_id="run_9"),
        replace(CALL, hold_id="hold_9"),
        replace(CALL, parent_id="act_9"),
        replace(CALL, agent="bot"),
        replace(CALL, arguments={"to": "x", "id": 1}),
    ],
)
def test_what_does_not_run_is_not_part_of_the_call(same: ActionCall) -> None:
    assert binding.call_hash(same, BOT) == binding.call_hash(CALL, BOT)


@pytest.mark.parametrize(
    "edited",
    [
        replace(CALL, action="delete"),
        replace(CALL, resource="postgres:crm/orders"),
        replace(CALL, arguments={"id": 2, "to": "x"}),
        replace(CALL, arguments={"id": "1", "to": "x"}),
        replace(CALL, payload={"record_count": 1}),
        replace(CALL, facts={"record_count": 1}),
        replace(CALL, operation=Operation.READ),
    ],
)
def test_an_edited_call_has_another_hash(edited: ActionCall) -> None:
    assert binding.call_hash(edited, BOT) != binding.call_hash(CALL, BOT)


def test_the_same_call_of_somebody_else_has_another_hash_and_with_another_proof_the_same() -> None:
    mine = binding.call_hash(CALL, BOT)
    chain = (Actor(name="bob", kind=ActorKind.PERSON),)
    assert binding.call_hash(CALL, replace(BOT, agent="bot2")) != mine
    assert binding.call_hash(CALL, replace(BOT, on_behalf_of=chain)) != mine
    assert binding.call_hash(CALL, replace(BOT, proof=Proof.TOKEN, roles=("x",))) == mine


@pytest.mark.parametrize("value", [object(), {1, object()}, "\ud800"])
def test_a_call_that_has_no_json_has_no_hash(value: object) -> None:
    assert binding.call_hash(replace(CALL, arguments={"x": value}), BOT) == ""


def test_what_is_shown_and_what_is_kept_hold_no_secret() -> None:
    held = mediation()
    shown = binding.shown_of(held, steps_before=2)
    for text in (msgspec.json.encode(shown), bytes(binding.for_storage(held))):
        assert b"hunter2" not in text
        assert SECRET.encode() not in text
    assert shown.facts["record_count"] == {"value": 3, "source": "counted"}
    assert (shown.owner, shown.steps_before, shown.radius[0].count) == ("ann", 2, 3)


def test_every_touch_is_shown_so_that_its_sum_is_true() -> None:
    touches = tuple(Touch(resource=f"t{n}", operation=Operation.DELETE, count=1) for n in range(500))
    wide = mediation(radii=(replace(mediation().radii[0], touches=touches),))
    assert binding.shown_of(wide, steps_before=0).radius[0].count == 500


def test_the_hash_of_what_is_shown_is_the_same_after_a_journey_as_json() -> None:
    shown = binding.shown_of(mediation(), steps_before=2)
    again = msgspec.json.decode(msgspec.json.encode(shown), type=type(shown))
    assert binding.shown_hash(again) == binding.shown_hash(shown)


def test_a_stored_mediation_comes_back_and_is_stored_the_same_again() -> None:
    kept = binding.for_storage(mediation())
    back = binding.from_storage(kept)
    assert (back.state, back.decision, back.request.context.action_id) == (
        State.HELD,
        mediation().decision,
        "act_1",
    )
    assert back.radii[0].within(mediation().radii[0])
    assert bytes(binding.for_storage(back)) == bytes(kept)


def test_arguments_too_large_to_keep_are_kept_as_a_note() -> None:
    huge = {f"key_{number}": "x" * 4_000 for number in range(100)}
    back = binding.from_storage(binding.for_storage(mediation(arguments=huge)))
    assert len(msgspec.json.encode(back.arguments)) < 70_000


def test_the_binding_changes_with_each_of_its_parts() -> None:
    parts = {"call": "a", "shown": "b", "policy_version": "v1", "targets": ("f1",)}
    whole = binding.bound(**parts)  # type: ignore[arg-type]
    for name, other in (("call", "z"), ("shown", "z"), ("policy_version", "v2"), ("targets", ("f1", "f2"))):
        assert binding.bound(**{**parts, name: other}) != whole  # type: ignore[arg-type]


def test_a_mediation_of_a_later_moment_has_the_same_fingerprints() -> None:
    later = mediation()
    later = replace(
        later,
        request=replace(later.request, context=replace(later.request.context, at=AT + timedelta(days=1))),
    )
    assert binding.fingerprints(later) == binding.fingerprints(mediation()) == ("f1",)
