"""The escape hatch: compiled at load, evaluated last, and unknown whenever it meets what it cannot read."""

import builtins

import pytest

from clearance.core.policy import History


def fired(compiled, request, when, **more):
    policies = compiled({"name": "cel", "rule": "block", "when": when, **more})
    return [verdict.certain for verdict in policies.evaluate(request, History(policies))]


@pytest.mark.parametrize(
    "when",
    [
        "agent == 'agent'",
        "'dev' in roles",
        "tool == 'some_tool'",
        "operation == 'update'",
        "environment == 'sandbox'",
        "resources.exists(r, r.kind == 'file' && r.name == '/a' && r.id == 'file:/a')",
        "resources.all(r, r.environment == 'sandbox')",
        "arguments.n > 2 && arguments.deep.list[1] == 'b'",
        "facts.record_count > 2",
        "goal.startsWith('sum')",
        "run_id == 'run' && door == 'sdk'",
        "!has(arguments.missing)",
    ],
)
def test_an_expression_reads_every_part_of_a_request(when, compiled, make):
    request = make(
        roles=["dev"],
        resources=["file:/a"],
        arguments={"n": 3, "deep": {"list": ["a", "b"]}},
        facts={"record_count": 3},
        goal="sum up",
    )
    assert fired(compiled, request, when) == [True]
    assert fired(compiled, request, f"!({when})") == []


@pytest.mark.parametrize(
    "when",
    [
        "operation == 'delete'",
        "environment == 'production'",
        "resources.exists(r, r.environment == 'production')",
        "facts.record_count > 2",
        "facts.amount > 2.0",
        "arguments.missing > 2",
        "arguments.text > 2",
        "arguments.huge > 2",
    ],
)
def test_what_an_expression_cannot_know_is_unknown(when, compiled, make):
    request = make(
        "unknown",
        environment="unknown",
        arguments={"text": "x", "huge": 2**70},
        facts={"record_count": None, "amount": float("nan")},
    )
    assert fired(compiled, request, when) == [False]
    assert fired(compiled, request, when, on_unknown="skip") == []


def test_a_known_part_decides_in_spite_of_an_unknown_one(compiled, make):
    request = make("unknown")
    assert fired(compiled, request, "operation == 'delete' || agent == 'agent'") == [True]
    assert fired(compiled, request, "operation == 'delete' && agent == 'other'") == []


def test_text_that_is_not_unicode_is_unknown(compiled, make):
    assert fired(compiled, make(goal="\ud800"), "goal == 'x'") == [False]


def test_the_structured_condition_decides_first(compiled, make):
    policy = {"condition": {"operation": "read"}}
    assert fired(compiled, make("delete"), "arguments.missing > 2", **policy) == []
    assert fired(compiled, make("read"), "arguments.missing > 2", **policy) == [False]


@pytest.mark.parametrize("when", ["agent ==", "agent + 1 == 2", "nobody == 1", "1 + 1", "(" * 200, "agent"])
def test_an_expression_that_does_not_compile_is_refused_with_its_line(when, problems):
    text = f"policies:\n- name: a\n  rule: block\n  when: {when!r}\n"
    assert [(one.code, one.line) for one in problems(text)] == [("bad_cel", 4)]


def test_without_the_library_a_policy_with_when_is_refused_with_the_way_to_get_it(problems, monkeypatch):
    real = builtins.__import__

    def without_cel(name, *rest):
        if name == "cel_expr_python":
            raise ImportError(name)
        return real(name, *rest)

    monkeypatch.setattr(builtins, "__import__", without_cel)
    (problem,) = problems({"name": "a", "rule": "block", "when": "true"})
    assert problem.code == "cel_not_installed"
    assert "pip install 'clearance[cel]'" in problem.message
