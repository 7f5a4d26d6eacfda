"""YAML with lines: what is read, what is refused, and that nothing else is ever raised."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from clearance.core.policy import compile_policies, parse_value, parse_yaml
from clearance.core.policy.located import MAX_DEPTH, locate_value, locate_yaml, plain
from clearance.errors import PolicyError


class Foreign:
    """No JSON value; with one spelling in every process, so that tests are named alike."""

    def __repr__(self) -> str:
        return "<foreign>"


def read(text):
    roots, problems = locate_yaml(text, "f.yaml")
    assert not problems
    return [plain(root) for root in roots]


def codes(text):
    return [(problem.code, problem.line) for problem in locate_yaml(text, "f.yaml")[1]]


def test_scalars_are_those_of_yaml_1_2():
    text = "[on, yes, no, 12:30, 010, 1_000, 1, -2, 1.5, 1e3, .inf, true, null, ~, '1', \"true\", 2024-01-01]"
    inf = float("inf")
    expected = ["on", "yes", "no", "12:30", 10, "1_000", 1, -2, 1.5, 1000.0, inf, True, None, None]
    assert read(text) == [[*expected, "1", "true", "2024-01-01"]]


def test_a_text_may_hold_several_documents_or_none():
    assert read("a: 1\n---\n[2]\n") == [{"a": 1}, [2]]
    assert read("") == []


def test_every_value_knows_its_line_and_its_keys():
    (root,), _ = locate_yaml("a: 1\nb:\n  - x\n  - c:\n      2\n", "f.yaml")
    items = root.value["b"].value
    inner = items[1].value["c"]
    assert (root.value["a"].line, items[0].line, inner.key_line, inner.line) == (1, 3, 4, 5)


@pytest.mark.parametrize(
    ("text", "code", "line"),
    [
        ("a: 1\nb: [", "yaml_syntax", 3),
        ("a: 1\n\tb: 2", "yaml_syntax", 2),
        ("a: 1\nb: 2\na: 3", "duplicate_key", 3),
        ("a: 1\n2: b", "key_not_text", 2),
        ("a: 1\n[x]: b", "key_not_text", 2),
        ("a: 1\nb: !!python/object/apply:os.system [x]", "tag_not_read", 2),
        ("a: !!str 1", "tag_not_read", 1),
        ("a: &x 1\nb: *x", "alias_not_read", 2),
        ("a: &x [*x]", "alias_not_read", 1),
        ("a: 1\nb: \x00", "control_character", 2),
        ('a: 1\nb: "\\0"', "control_character", 2),
        ("a: 1\nb: \ud800", "control_character", 2),
        ("a: 99999999999999999999", "number_out_of_range", 1),
        ("[" * (MAX_DEPTH + 1), "too_deep", 1),
        ("a: {" * 10_000, "too_deep", 1),
        ("- " * 100_001, "too_deep", 1),
        ("[" + "1," * 100_001 + "]", "too_large", 1),
        ("a: " + "x" * 1_000_000, "too_large", 0),
    ],
    ids=lambda value: str(value)[:30],
)
def test_what_is_not_read_is_named_with_its_line(text, code, line):
    assert codes(text)[-1] == (code, line)


def test_a_bomb_of_aliases_is_refused_at_the_first_one():
    bomb = "a: &a [x, x]\n" + "".join(
        f"{b}: &{b} [*{a}, *{a}]\n" for a, b in zip("abcdefgh", "bcdefghi", strict=True)
    )
    assert codes(bomb) == [("alias_not_read", 2)]


@pytest.mark.parametrize(
    ("value", "code"),
    [
        ({1: 2}, "key_not_text"),
        ({"a": Foreign()}, "bad_type"),
        ({"a": b"x"}, "bad_type"),
        ({"a": {1, 2}}, "bad_type"),
        ({"a": "\x00"}, "control_character"),
        ({"a": 2**63}, "number_out_of_range"),
    ],
)
def test_plain_values_pass_the_same_gate(value, code):
    assert [problem.code for problem in locate_value(value, "<api>")[1]] == [code]


def test_a_value_that_holds_itself_is_too_deep():
    value = []
    value.append(value)
    assert [problem.code for problem in locate_value(value, "<api>")[1]] == ["too_deep"]


JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=8),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(max_size=8), inner, max_size=4),
    max_leaves=12,
)
WORDS = st.sampled_from(
    [
        *("version", "facts", "tools", "roles", "agents", "policies", "name", "rule", "condition", "when"),
        *("mode", "message", "on_unknown", "redact", "limit", "block", "allow", "alert", "action"),
        *("operation", "update", "any", "all", "none", "argument", "after", "count_within", "match", "of"),
        *("seconds", "exceeds", "record_count_exceeds", "resource_pattern", "domain_not_in", "value"),
        *("fact", "amount", "may", "agents", "sum_within", "distinct_within", "exists", "role", "tool"),
    ]
)
DOCUMENTS = st.recursive(
    WORDS | st.integers(-3, 3) | st.booleans() | st.none() | st.just([]),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(WORDS, inner, max_size=5),
    max_leaves=20,
)


@given(JSON | DOCUMENTS)
def test_no_value_raises_anything_but_a_policy_error(value):
    try:
        compile_policies([parse_value(value)])
    except PolicyError as error:
        assert all(problem.code and problem.message for problem in error.problems)


@given(st.text(max_size=60) | st.text(alphabet="[]{}:,-&*!|>'\"%@`#? \nab1", max_size=60))
def test_no_text_raises_anything_but_a_policy_error(text):
    try:
        compile_policies([parse_yaml(text, "f.yaml")])
    except PolicyError as error:
        assert all(problem.file == "f.yaml" for problem in error.problems)
