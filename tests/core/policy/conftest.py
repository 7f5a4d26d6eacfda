"""What the tests of the policy language share: short ways to make requests and to ask policies about them."""

from __future__ import annotations

from datetime import UTC, datetime

import jsonschema
import pytest
from hypothesis import strategies as st

from clearance.core.model import Action, Context, Environment, Fact, Operation, Principal, Request, Resource
from clearance.core.policy import History, compile_policies, json_schema, parse_value, parse_yaml
from clearance.core.policy.truth import NAMES
from clearance.errors import PolicyError

VALIDATOR = jsonschema.Draft202012Validator(json_schema())


def _request(
    action="update",
    *,
    tool="some_tool",
    agent="agent",
    roles=(),
    resources=(),
    environment="sandbox",
    arguments=None,
    facts=None,
    goal="",
    door="sdk",
    run_id="run",
    at=0.0,
):
    """`resources` are written kind:name; `at` is seconds after some fixed time."""
    where = Environment(environment)
    parts = [one.partition(":") for one in resources] or [("tool", ":", tool)]
    return Request(
        principal=Principal(agent=agent, roles=tuple(roles)),
        action=Action(tool=tool, operation=Operation(action), arguments=arguments or {}),
        resources=tuple(Resource(kind=kind, name=name, environment=where) for kind, _, name in parts),
        context=Context(
            run_id=run_id,
            action_id="action",
            at=datetime.fromtimestamp(1_700_000_000 + at, UTC),
            goal=goal,
            door=door,
        ),
        facts={name: Fact(value=value, source="caller") for name, value in (facts or {}).items()},
    )


def _compiled(*documents, vocabulary=()):
    """Texts are YAML files, anything else values."""
    parsed = [
        parse_yaml(one, f"file{number}.yaml") if isinstance(one, str) else parse_value(one)
        for number, one in enumerate(documents, start=1)
    ]
    return compile_policies(parsed, vocabulary=vocabulary)


def _truth(condition, request, *, past=()):
    """The truth of a condition, as a word, after these cleared requests."""
    document = {"name": "asked", "rule": "block", "condition": condition}
    VALIDATOR.validate(document)
    policies = _compiled(document)
    history = History(policies)
    for earlier in past:
        history.observe(earlier)
    return NAMES[policies.policies[0].condition.test(policies.view(request, history))]


def _problems(*documents, vocabulary=()):
    """What is wrong with the documents; empty when nothing is."""
    try:
        _compiled(*documents, vocabulary=vocabulary)
    except PolicyError as error:
        return error.problems
    return ()


@pytest.fixture(scope="session")
def make():
    return _request


@pytest.fixture(scope="session")
def compiled():
    return _compiled


@pytest.fixture(scope="session")
def truth():
    return _truth


@pytest.fixture(scope="session")
def problems():
    return _problems


def _conditions():
    """Conditions that are accepted, over few enough values that they often hold."""
    some = st.sampled_from
    leaves = st.one_of(
        st.builds(lambda v: {"agent": v}, some(["a", "b", ["a", "b"], "a*"])),
        st.builds(lambda v: {"tool": v}, some(["read_file", "send_email", "read_*"])),
        st.builds(lambda v: {"tool_not_in": [v]}, some(["read_file", "send_*"])),
        st.builds(lambda v: {"operation": v}, some(["read", "send", ["read", "delete"]])),
        st.builds(lambda v: {"operation_not_in": [v]}, some(["read", "send"])),
        st.builds(lambda v: {"action": v}, some(["read", "send_email", "read_file", ["send", "read_file"]])),
        st.builds(lambda v: {"environment": v}, some(["production", "sandbox"])),
        st.builds(lambda v: {"resource": v}, some(["production.*", "file:*", "x"])),
        st.builds(lambda v: {"resource_not_in": [v]}, some(["production.*", "file:*", "x"])),
        st.builds(lambda v: {"domain_not_in": [v]}, some(["b.example", "*.example"])),
        st.builds(lambda v: {"record_count_exceeds": v}, some([0, 5])),
        st.builds(lambda v: {"amount_not_in": [v]}, some([1, 2])),
        st.builds(lambda v: {"argument": {"n": {"exceeds": v}}}, some([0, 5])),
        st.builds(lambda v: {"after": {"match": v}}, some([{"tool": "read_file"}, {"operation": "send"}])),
        st.builds(
            lambda v: {"count_within": {"match": v, "seconds": 60, "exceeds": 1}}, some([{"agent": "a"}, {}])
        ),
        st.just({"sum_within": {"fact": "record_count", "seconds": 60, "exceeds": 6}}),
        st.just({"distinct_within": {"value": "tool", "of": "agent", "seconds": 60, "exceeds": 1}}),
    )
    return st.recursive(
        leaves,
        lambda inner: st.one_of(
            st.builds(lambda one, other: {**one, **other}, inner, inner),
            st.builds(
                lambda kind, many: {kind: many},
                some(["any", "all", "none"]),
                st.lists(inner, min_size=1, max_size=3),
            ),
        ),
        max_leaves=5,
    )


def _policy_lists():
    """Lists of policies, some of which may be refused as contradictory."""
    fields = {
        "rule": st.sampled_from(["block", "alert", "require_approval", "snapshot", "allow"]),
        "mode": st.sampled_from(["enforce", "shadow"]),
        "condition": _conditions(),
    }
    policies = st.lists(st.fixed_dictionaries(fields), max_size=6)
    return policies.map(lambda many: [{"name": f"p{n}", **one} for n, one in enumerate(many)])


def _requests():
    return st.builds(
        _request,
        st.sampled_from(["read", "send", "delete", "unknown"]),
        tool=st.sampled_from(["read_file", "sendEmail", "other"]),
        agent=st.sampled_from(["a", "b", "c"]),
        resources=st.sampled_from([(), ("file:x",), ("email:a@b.example", "file:y"), ("resource:x",)]),
        environment=st.sampled_from(["production", "sandbox", "unknown"]),
        arguments=st.sampled_from([{}, {"n": 3}, {"n": "3"}, {"n": 7}]),
        facts=st.sampled_from([{}, {"record_count": 3, "amount": 1}, {"record_count": 9}, {"amount": 2}]),
    )


@pytest.fixture(scope="session")
def policy_lists():
    return _policy_lists()


@pytest.fixture(scope="session")
def requests():
    return _requests()
