"""What lies within bounds, and that what is called narrower never lets more through."""

from __future__ import annotations

from datetime import UTC, datetime

import pytest
from hypothesis import HealthCheck, assume, given, settings
from hypothesis import strategies as st

from clearance.core.model import Action, Bounds, Context, Operation, Principal, Request, Resource
from clearance.core.policy.bounds import NOTHING, is_narrower, matches, out_of_bounds
from tests.examples import examples

NOON = datetime(2026, 3, 14, 12, 0, tzinfo=UTC)


def request(
    *bounds: Bounds,
    tool: str = "read_mail",
    operation: Operation = Operation.READ,
    names: tuple[str, ...] = ("a",),
) -> Request:
    return Request(
        principal=Principal(agent="crm", bounds=bounds),
        action=Action(tool=tool, operation=operation, arguments={}),
        resources=tuple(Resource(kind="file", name=name) for name in names),
        context=Context(run_id="run", action_id="act", at=NOON),
    )


def within(one: Request, bounds: Bounds) -> bool:
    principal = Principal(agent="crm", bounds=(bounds,))
    asked = Request(principal=principal, action=one.action, resources=one.resources, context=one.context)
    return out_of_bounds(asked) is None


texts = st.text(alphabet="ab*/", max_size=4)
plain = st.builds(
    Bounds,
    tools=st.lists(
        st.sampled_from(["*", "read_*", "readMail", "read_mail", "*mail", "send", ""]), max_size=2
    ).map(tuple),
    operations=st.lists(st.sampled_from(["read", "send", "*", "", "re*"]), max_size=2).map(tuple),
    resources=st.lists(texts, max_size=2).map(tuple),
)
bounds = st.builds(
    lambda one, parts: Bounds(
        tools=one.tools, operations=one.operations, resources=one.resources, any_of=tuple(parts)
    ),
    plain,
    st.lists(plain, max_size=2),
)
requests = st.builds(
    request,
    tool=st.sampled_from(["read_mail", "readMail", "send", "*", "read_*"]),
    operation=st.sampled_from([Operation.READ, Operation.SEND]),
    names=st.lists(texts, min_size=1, max_size=2).map(tuple),
)


@settings(
    max_examples=examples(100),
    deadline=None,
    suppress_health_check=[HealthCheck.filter_too_much],  # few of two bounds are the one within the other
)
@given(inner=bounds, outer=bounds, asked=st.lists(requests, min_size=1, max_size=6))
def test_what_is_within_narrower_bounds_is_within_the_wider_ones(
    inner: Bounds, outer: Bounds, asked: list[Request]
) -> None:
    assume(is_narrower(inner, outer))
    for one in asked:
        assert not within(one, inner) or within(one, outer)


@settings(max_examples=examples(100), deadline=None)
@given(one=plain)
def test_bounds_are_within_themselves_and_within_none(one: Bounds) -> None:
    assert is_narrower(one, one)
    assert is_narrower(one, Bounds())


@settings(max_examples=examples(100), deadline=None)
@given(one=bounds, part=plain)
def test_every_alternative_is_within_the_whole_of_them(one: Bounds, part: Bounds) -> None:
    assert is_narrower(part, Bounds(any_of=(part, *one.any_of)))


def test_a_star_among_the_verbs_stands_for_nothing() -> None:
    assert not is_narrower(Bounds(operations=("read",)), Bounds(operations=("*",)))


@pytest.mark.parametrize(
    ("inner", "outer"),
    [
        (Bounds(), Bounds(tools=("read_*",))),
        (Bounds(resources=("crm/*",)), Bounds(resources=("crm/a*",))),
        (Bounds(resources=("*",)), Bounds(resources=("crm/*",))),
        (Bounds(operations=("read", "delete")), Bounds(operations=("read",))),
        (Bounds(), Bounds(any_of=(Bounds(operations=("read",)), Bounds(operations=("send",))))),
    ],
)
def test_what_is_wider_in_any_part_is_not_narrower(inner: Bounds, outer: Bounds) -> None:
    assert not is_narrower(inner, outer)


def test_an_action_lies_within_one_alternative_whole_and_not_within_two_by_halves() -> None:
    either = Bounds(
        any_of=(
            Bounds(operations=("read",), resources=("crm/*",)),
            Bounds(operations=("send",), resources=("mail/*",)),
        )
    )
    assert out_of_bounds(request(either, names=("crm/a",))) is None
    assert out_of_bounds(request(either, names=("mail/a",), operation=Operation.SEND)) is None
    assert out_of_bounds(request(either, names=("mail/a",))) is not None
    assert out_of_bounds(request(either, names=("crm/a", "mail/a"))) is not None


def test_every_bound_of_the_chain_must_hold() -> None:
    assert out_of_bounds(request(Bounds(operations=("read",)), Bounds(tools=("read_*",)))) is None
    assert out_of_bounds(request(Bounds(operations=("read",)), Bounds(tools=("send",)))) is not None


def test_an_unreadable_resource_is_within_no_pattern() -> None:
    asked = Request(
        principal=Principal(agent="crm", bounds=(Bounds(resources=("*",)),)),
        action=Action(tool="read", operation=Operation.READ, arguments={}),
        resources=(Resource(kind="file", name="a", attributes={"unreadable": True}),),
        context=Context(run_id="run", action_id="act", at=NOON),
    )
    assert out_of_bounds(asked) is not None


def test_what_names_no_resource_is_within_no_pattern_of_resources() -> None:
    assert out_of_bounds(request(Bounds(resources=("*",)), names=())) is not None


@pytest.mark.parametrize("operation", list(Operation))
def test_nothing_lies_within_nothing(operation: Operation) -> None:
    assert out_of_bounds(request(NOTHING, operation=operation)) is not None


@pytest.mark.parametrize(
    ("pattern", "text", "fits"),
    [
        ("*", "", True),
        ("a*b", "ab", True),
        ("a*b", "b", False),
        ("ab*ba", "aba", False),
        ("a*b*c", "axbxc", True),
        ("a*b*c", "acb", False),
        ("", "a", False),
        ("a.b", "axb", False),
    ],
)
def test_a_star_is_any_text_and_all_else_is_itself(pattern: str, text: str, fits: bool) -> None:
    assert matches(pattern, text) is fits
