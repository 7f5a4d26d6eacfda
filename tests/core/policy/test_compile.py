"""What is refused at load, with which code, where, and with which suggestion; and what is accepted."""

import pytest

from clearance.core.model import Environment, FactSpec, Family, Operation, ToolSpec
from clearance.core.policy import History

VERBATIM = """
- {name: blast_radius_limit, rule: block, condition: {action: update, record_count_exceeds: 25}}
- {name: no_production_deletes, rule: block, condition: {action: delete, resource_pattern: "production.*"}}
- {name: email_volume_alert, rule: alert, condition: {action: send_email, recipient_count_exceeds: 50}}
"""
VERBATIM_VALUES = [
    {
        "name": "blast_radius_limit",
        "rule": "block",
        "condition": {"action": "update", "record_count_exceeds": 25},
    },
    {
        "name": "no_production_deletes",
        "rule": "block",
        "condition": {"action": "delete", "resource_pattern": "production.*"},
    },
    {
        "name": "email_volume_alert",
        "rule": "alert",
        "condition": {"action": "send_email", "recipient_count_exceeds": 50},
    },
]

TWELVE = """\
version: 3
polices: []
tools:
  send_money: {operatoin: send}
policies:
  - {name: a, rule: blok}
  - {name: a, rule: block, condition: {recrod_count_exceeds: 5}}
  - name: c
    rule: redact
  - rule: block
    condition:
      action: udpate
      environment: prod
      tool: send_mony
      resource_in: []
      record_count_exceeds: .inf
  - name: d
    rule: block
    condition: {operation: read, action: delete}
  - {name: e, rule: allow, on_unknown: match}
  - {name: f, rule: block, condition: {count_within: {seconds: 0, exceeds: 1}}}
  - {name: g, rule: block, condition: {goal_matches: "("}, mode: shaddow}
"""


def condition_of(**condition):
    return {"name": "p", "rule": "block", "condition": condition}


def codes(found):
    return [problem.code for problem in found]


def test_the_three_policies_load_as_they_are_written_from_yaml_and_from_values(compiled):
    from_text, from_values = compiled(VERBATIM), compiled(VERBATIM_VALUES)
    assert [policy.name for policy in from_text.policies] == [one["name"] for one in VERBATIM_VALUES]
    assert from_text.version == from_values.version
    assert [policy.source for policy in from_values.policies] == VERBATIM_VALUES


def test_a_document_may_be_a_mapping_a_list_or_one_policy_and_a_text_may_hold_several(compiled):
    one = VERBATIM_VALUES[0]
    versions = {compiled(form).version for form in ({"policies": [one]}, [one], one)}
    assert len(versions) == 1
    text = "version: 1\n---\n{name: a, rule: block}\n---\n- {name: b, rule: block}\n"
    assert [policy.name for policy in compiled(text).policies] == ["a", "b"]


def test_every_mistake_of_a_file_is_told_at_once_with_its_line(problems):
    found = [(problem.line, problem.code) for problem in problems(TWELVE)]
    assert found == [
        (1, "unsupported_version"),
        (2, "unknown_key"),
        (4, "unknown_key"),
        (6, "unknown_rule"),
        (7, "duplicate_name"),
        (7, "unknown_key"),
        (8, "missing_key"),
        (10, "missing_key"),
        (12, "unknown_tool"),
        (13, "unknown_environment"),
        (14, "unknown_tool"),
        (15, "never_matches"),
        (16, "never_matches"),
        (19, "never_matches"),
        (20, "misplaced_key"),
        (21, "never_matches"),
        (22, "bad_pattern"),
        (22, "unknown_choice"),
    ]


def test_problems_of_all_files_come_together_each_with_its_file(problems):
    found = problems("{name: a, rule: blok}", "\n{name: b, rule: blok}")
    assert [(problem.file, problem.line) for problem in found] == [("file1.yaml", 1), ("file2.yaml", 2)]


@pytest.mark.parametrize(
    ("policy", "suggested"),
    [
        (condition_of(recrod_count_exceeds=1), "record_count_exceeds"),
        (condition_of(record_count_exeeds=1), "record_count_exceeds"),
        (condition_of(recrod_count_exeeds=1), "record_count_exceeds"),
        (condition_of(resorce_pattern="x"), "resource_pattern"),
        (condition_of(roles="x"), "role"),
        (condition_of(anny=[{}]), "any"),
        (condition_of(count_witin={}), "count_within"),
        (condition_of(operation_pattern="x"), "operation"),
        (condition_of(operation="udpate"), "update"),
        (condition_of(action="dellete"), "delete"),
        (condition_of(action="send_emial"), "send_email"),
        (condition_of(environment="prodution"), "production"),
        (condition_of(argument={"n": {"exceds": 1}}), "exceeds"),
        (condition_of(after={"mach": {}}), "match"),
        (condition_of(after={"of": "agnet", "seconds": 1}), "agent"),
        ({"name": "p", "rule": "require_aproval"}, "require_approval"),
        ({"name": "p", "rule": "block", "conditon": {}}, "condition"),
        ({"name": "p", "rule": "redact", "redact": {"patterns": ["emial"]}}, "email"),
    ],
    ids=str,
)
def test_a_typo_comes_with_what_was_probably_meant(policy, suggested, problems):
    (problem,) = problems(policy)
    assert f'"{suggested}"' in problem.suggestion


def test_a_name_like_no_known_fact_is_a_fact_of_ones_own(problems, compiled):
    assert not problems(condition_of(ticket_count_exceeds=5, customer_tier="gold"))
    assert codes(problems(condition_of(record_counts=5))) == ["unknown_key"]
    assert not problems({"facts": ["record_counts"], "policies": [condition_of(record_counts=5)]})


def test_facts_that_are_declared_catch_typos_of_themselves(problems):
    for declared in ({"facts": ["ticket_count"]}, {"tools": {"x": {"facts": {"ticket_count": 1}}}}):
        (problem,) = problems({**declared, "policies": [condition_of(tiket_count_exceeds=5)]})
        assert '"ticket_count_exceeds"' in problem.suggestion


def test_a_declared_fact_may_end_like_a_suffix(compiled, make):
    policies = compiled({"facts": ["logged_in"], "policies": [condition_of(logged_in=True)]})
    (verdict,) = policies.evaluate(make(facts={"logged_in": True}), History(policies))
    assert verdict.certain


NEVER = [
    condition_of(operation="read", action="delete"),
    condition_of(operation_in=["read", "send"], operation_not_in=["read", "send"]),
    condition_of(agent="a", agent_not_in=["a", "b"]),
    condition_of(agent="a", agent_pattern="b*"),
    condition_of(tool="x", all=[{"tool": "y"}]),
    condition_of(tool="x", action="y"),
    condition_of(door="a", any=[{"door": "b"}, {"door": "c"}]),
    condition_of(record_count=5, record_count_exceeds=5),
    condition_of(argument={"n": {"equals": 5, "exceeds": 5}}),
    condition_of(argument={"n": 1}, all=[{"argument": {"n": 2}}]),
    condition_of(resource_in=[]),
    condition_of(agent=[]),
    condition_of(any=[]),
    condition_of(none=[{}]),
    condition_of(none=[{"agent": "a"}, {"all": [{}]}]),
    condition_of(record_count_exceeds=float("inf")),
    condition_of(record_count_exceeds=float("nan")),
    condition_of(count_within={"seconds": -1, "exceeds": 1}),
    condition_of(after={"match": {"operation": "read", "action": "send"}}),
]


@pytest.mark.parametrize("policy", NEVER, ids=str)
def test_what_can_never_match_is_refused(policy, problems):
    assert codes(problems(policy)) == ["never_matches"]


@pytest.mark.parametrize(
    "policy",
    [
        condition_of(operation="read", action="send_email"),
        condition_of(operation=["read", "send"], action="send"),
        condition_of(agent="a*", agent_not_in=["ab"]),
        condition_of(door="a", any=[{"door": "b"}, {"door": "a"}]),
        condition_of(record_count=[5, 6], record_count_exceeds=5),
        condition_of(argument={"*.n": {"equals": 5, "exceeds": 5}}),
        condition_of(environment="production", all=[{"environment": "sandbox"}]),
        condition_of(resource="a", all=[{"resource": "b"}]),
        condition_of(role="a", all=[{"role": "b"}]),
        condition_of(none=[{"agent": "a"}]),
        condition_of(count_within={"seconds": 1, "exceeds": 0}),
        condition_of(any=[{}]),
    ],
    ids=str,
)
def test_what_may_match_is_accepted(policy, problems):
    assert not problems(policy)


REFUSED = [
    (5, "bad_type"),
    ("text", "bad_type"),
    ({"name": "p"}, "missing_key"),
    ({"rule": "block"}, "missing_key"),
    ({"name": "", "rule": "block"}, "bad_value"),
    ({"name": "a\nb", "rule": "block"}, "bad_value"),
    ({"name": "x" * 201, "rule": "block"}, "bad_value"),
    ({"name": "scope", "rule": "block"}, "bad_value"),
    ({"name": 5, "rule": "block"}, "bad_type"),
    ({"name": "p", "rule": "block", "condition": []}, "bad_type"),
    ({"name": "p", "rule": "block", "message": "x" * 1001}, "too_large"),
    ({"name": "p", "rule": "block", "on_unknown": "allow"}, "unknown_choice"),
    ({"name": "p", "rule": "block", "redact": {"arguments": ["a"]}}, "misplaced_key"),
    ({"name": "p", "rule": "alert", "limit": {"result_items": 1}}, "misplaced_key"),
    ({"name": "p", "rule": "redact"}, "missing_key"),
    ({"name": "p", "rule": "redact", "redact": {}}, "missing_key"),
    ({"name": "p", "rule": "redact", "redact": {"arguments": ["a..b"]}}, "bad_value"),
    ({"name": "p", "rule": "limit"}, "missing_key"),
    ({"name": "p", "rule": "limit", "limit": {}}, "missing_key"),
    ({"name": "p", "rule": "limit", "limit": {"timeout_seconds": 0}}, "bad_value"),
    ({"name": "p", "rule": "limit", "limit": {"result_items": 1.5}}, "bad_type"),
    ({"name": "p", "rule": "limit", "limit": {"result_bytes": -1}}, "bad_value"),
    (condition_of(agent=5), "bad_type"),
    (condition_of(agent=""), "bad_value"),
    (condition_of(agent=None), "bad_type"),
    (condition_of(record_count_exceeds="25"), "bad_type"),
    (condition_of(record_count_exceeds=True), "bad_type"),
    (condition_of(record_count_exceeds=[1]), "bad_type"),
    (condition_of(record_count=None), "bad_type"),
    (condition_of(record_count={"exceeds": 5}), "bad_type"),
    (condition_of(Record_Count=5), "unknown_key"),
    (condition_of(agent_exceeds=5), "unknown_key"),
    (condition_of(any={"agent": "a"}), "bad_type"),
    (condition_of(any=["a"]), "bad_type"),
    (condition_of(resource_pattern="[z-a]"), "bad_pattern"),
    (condition_of(tool="[ab]*"), "bad_pattern"),
    (condition_of(tool="!!"), "bad_pattern"),
    (condition_of(goal_matches="(?=x)"), "bad_pattern"),
    (condition_of(record_count_matches="("), "bad_pattern"),
    (condition_of(domain="a*b.example"), "bad_pattern"),
    (condition_of(domain="*"), "bad_pattern"),
    (condition_of(argument={}), "missing_key"),
    (condition_of(argument="x"), "bad_type"),
    (condition_of(argument={"a": {}}), "missing_key"),
    (condition_of(argument={"a..b": 1}), "bad_value"),
    (condition_of(argument={"a": None}), "bad_type"),
    (condition_of(argument={"a": {"exists": 1}}), "bad_type"),
    (condition_of(after={"of": "agent"}), "missing_key"),
    (condition_of(after={"match": {"after": {}}}), "nested_history"),
    (condition_of(after={"match": {"any": [{"after": {}}]}}), "nested_history"),
    (condition_of(count_within={"exceeds": 1}), "missing_key"),
    (condition_of(count_within={"seconds": 1}), "missing_key"),
    (condition_of(count_within={"seconds": 1, "exceeds": 1, "at_least": 1}), "missing_key"),
    (condition_of(count_within={"seconds": 1, "exceeds": 1.5}), "bad_type"),
    (condition_of(count_within={"seconds": 1, "at_least": 0}), "bad_value"),
    (condition_of(count_within={"seconds": 1, "exceeds": 10_001}), "number_out_of_range"),
    (condition_of(count_within={"seconds": 1e9, "exceeds": 1}), "number_out_of_range"),
    (condition_of(sum_within={"seconds": 1, "exceeds": 1}), "missing_key"),
    (condition_of(sum_within={"fact": "a", "argument": "b", "seconds": 1, "exceeds": 1}), "missing_key"),
    (condition_of(sum_within={"fact": "A B", "seconds": 1, "exceeds": 1}), "bad_value"),
    (condition_of(sum_within={"fact": "amount", "seconds": 1, "exceeds": -1}), "bad_value"),
    (condition_of(distinct_within={"seconds": 1, "exceeds": 1}), "missing_key"),
    (condition_of(distinct_within={"value": "tol", "seconds": 1, "exceeds": 1}), "unknown_choice"),
    (condition_of(distinct_within={"value": {}, "seconds": 1, "exceeds": 1}), "missing_key"),
    (condition_of(all=[{"agent": "a"}] * 501), "too_large"),
    ({"version": True}, "unsupported_version"),
    ({"facts": ["A B"]}, "bad_value"),
    ({"facts": ["after"]}, "bad_value"),
    ({"facts": ["agent"]}, "bad_value"),
    ({"facts": {"a": 1}}, "bad_type"),
    ({"tools": {"x*": {}}}, "bad_value"),
    ({"tools": {"send_money": {}, "sendMoney": {}}}, "duplicate_name"),
    ({"tools": {"x": {"resource": "account:{a"}}}, "bad_value"),
    ({"tools": {"x": {"resource": "account:{}"}}}, "bad_value"),
    ({"tools": {"x": {"argument": "a..b"}}}, "bad_value"),
    ({"tools": {"x": {"facts": {"a": {"value": "a", "count": "b"}}}}}, "missing_key"),
    ({"tools": {"x": {"facts": {"a": None}}}}, "bad_type"),
    ({"tools": {"x": {"facts": {"A": 1}}}}, "bad_value"),
    ({"roles": {"a*": {}}}, "bad_value"),
    ({"agents": {" ": {}}}, "bad_value"),
    ({"agents": {"a": {"may": {}}}}, "bad_type"),
    ({"roles": {"a": {"roles": ["b"]}}}, "unknown_key"),
    ({"roles": {"support": {}}, "agents": {"a": {"roles": ["suport"]}}}, "unknown_role"),
    ({"roles": {"support": {}}, "policies": [condition_of(role="suport")]}, "unknown_role"),
    ({"agents": {"a": {"roles": ["support"]}}, "policies": [condition_of(role_in=["x*"])]}, "unknown_role"),
]


@pytest.mark.parametrize(("document", "code"), REFUSED, ids=lambda value: str(value)[:70])
def test_what_is_wrong_has_a_code(document, code, problems):
    assert codes(problems(document)) == [code]


def test_the_same_role_twice_in_two_files_is_a_duplicate(problems):
    document = {"roles": {"a": {}}}
    assert codes(problems(document, document)) == ["duplicate_name"]


def test_a_tool_that_is_not_declared_is_refused_wherever_it_stands(problems):
    tools = {"tools": {"send_money": {}, "read_file": {}}}
    for condition in (
        {"tool": "send_mony"},
        {"tool": "write_*"},
        {"action": "send_mony"},
        {"after": {"match": {"tool": "send_mony"}}},
        {"any": [{"tool_in": ["send_mony", "read_file"]}]},
    ):
        assert codes(problems({**tools, "policies": [condition_of(**condition)]})) == ["unknown_tool"]
        assert codes(problems(condition_of(**condition), vocabulary=["sendMoney", "readFile"])) == [
            "unknown_tool"
        ]
    for condition in ({"tool": "sendMoney"}, {"tool": "*_file"}, {"action": "send_email"}):
        assert not problems({**tools, "policies": [condition_of(**condition)]})


def test_a_problem_never_repeats_a_long_text(problems):
    for problem in problems({"name": "p", "rule": "x" * 5000, "y" * 5000: 1}):
        assert len(str(problem)) < 600


def test_tools_become_tool_specs_under_their_canonical_names(compiled):
    policies = compiled(
        "tools:\n"
        "  sendMoney: {operation: send, resource: 'account:{recipient}', environment: production,\n"
        "    facts: {amount: {value: amount}, record_count: 1, recipient_count: {count: recipients}}}\n"
        "  run_query: {family: sql, argument: query}\n"
        "  plain:\n"
    )
    assert policies.tools == {
        "send_money": ToolSpec(
            name="send_money",
            operation=Operation.SEND,
            resource="account:{recipient}",
            environment=Environment.PRODUCTION,
            facts={
                "amount": FactSpec(value_of="amount"),
                "record_count": FactSpec(constant=1),
                "recipient_count": FactSpec(count_of="recipients"),
            },
        ),
        "run_query": ToolSpec(name="run_query", family=Family.SQL, argument="query"),
        "plain": ToolSpec(name="plain"),
    }


def test_the_version_is_of_the_content_and_not_of_its_order(compiled):
    one, other, third = VERBATIM_VALUES
    base = compiled([one, other, third]).version
    assert compiled([third], [other, dict(reversed(one.items()))]).version == base
    assert compiled([one, other]).version != base
    changed = {**one, "condition": {"action": "update", "record_count_exceeds": 26}}
    assert compiled([changed, other, third]).version != base
    listed = [condition_of(agent=["a", "b"]), condition_of(agent=["b", "a"])]
    assert len({compiled(policy).version for policy in listed}) == 1
