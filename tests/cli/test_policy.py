"""`clearance policy`."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import jsonschema
import pytest
import yaml

from tests.cli.conftest import Invoke

Answer = Callable[..., Any]
LIMITS = """\
version: 1
policies:
  - name: blast_radius_limit
    rule: block
    condition: {action: update, record_count_exceeds: 25}
  - name: one_at_a_time
    rule: require_approval
    condition:
      action: delete
      count_within: {match: {action: delete}, seconds: 600, exceeds: 1}
"""
BROKEN = """\
version: 1
policies:
  - name: blast_radius_limit
    rule: blok
    condition: {action: update, record_count_exeeds: 25}
"""
TESTS = """\
tests:
  - name: a big update is stopped
    request: {action: update, payload: {record_count: 40}}
    expect: {effect: deny, policies: [blast_radius_limit]}
  - name: a small one is not
    request: {action: update, payload: {record_count: 4}}
    expect: {effect: allow, policies: []}
"""


@pytest.fixture
def limits(home: Path) -> Path:
    (home / "policies").mkdir()
    file = home / "policies/limits.yaml"
    file.write_text(LIMITS)
    return file


def test_policies_that_compile_are_counted(run: Invoke, answer: Answer, limits: Path) -> None:
    assert run("policy", "check", "policies").stdout.endswith(". Policies: 2.\n")
    told = answer("policy", "check", "policies/limits.yaml")
    assert (told["ok"], told["policies"], told["problems"]) == (True, 2, [])


def test_every_problem_is_told_with_file_line_and_suggestion(run: Invoke, answer: Answer, home: Path) -> None:
    (home / "broken.yaml").write_text(BROKEN)
    result = run("policy", "check", "broken.yaml")
    assert result.exit_code == 1
    lines = result.stdout.splitlines()
    assert len(lines) == 2
    assert lines[0].startswith("broken.yaml:4: ")
    assert lines[1].startswith("broken.yaml:5: ")
    assert "record_count_exceeds" in lines[1]
    problems = answer("policy", "check", "broken.yaml", code=1)["problems"]
    assert [problem["line"] for problem in problems] == [4, 5]
    assert set(problems[0]) == {"code", "message", "file", "line", "suggestion"}


def test_a_file_that_is_not_there_is_a_problem(run: Invoke) -> None:
    result = run("policy", "check", "nowhere.yaml")
    assert result.exit_code == 1
    assert "nowhere.yaml: there is no such file" in result.stdout


def test_the_tests_beside_policies_pass_or_fail(run: Invoke, answer: Answer, limits: Path) -> None:
    tests = limits.with_name("limits.test.yaml")
    tests.write_text(TESTS)
    result = run("policy", "test", "policies")
    assert result.exit_code == 0, result.output
    assert result.stdout.splitlines()[-1] == "2 passed, 0 failed"
    tests.write_text(TESTS.replace("record_count: 40", "record_count: 20"))
    result = run("policy", "test", str(tests))
    assert result.exit_code == 1
    assert "FAIL" in result.stdout
    assert "expected  effect deny, policies blast_radius_limit" in result.stdout
    assert "actual    effect allow, policies none" in result.stdout
    told = answer("policy", "test", "policies", code=1)
    assert (told["passed"], told["failed"]) == (1, 1)
    [file] = told["files"]
    assert [case["passed"] for case in file["cases"]] == [False, True]


def test_a_test_may_tell_what_happened_before(run: Invoke, limits: Path) -> None:
    limits.with_name("limits.test.yaml").write_text(
        "tests:\n"
        "  - name: a second delete is held\n"
        "    history: [{action: delete, resource: a, seconds_ago: 30}]\n"
        "    request: {action: delete, resource: b}\n"
        "    expect: {effect: hold}\n"
        "  - name: after ten minutes it is not\n"
        "    history: [{action: delete, resource: a, seconds_ago: 900}]\n"
        "    request: {action: delete, resource: b}\n"
        "    expect: {effect: allow}\n"
    )
    result = run("policy", "test", "policies")
    assert result.exit_code == 0, result.output


def test_a_test_file_of_another_name_tests_its_directory_or_what_is_given(run: Invoke, limits: Path) -> None:
    limits.with_name("all.test.yaml").write_text(TESTS)
    assert run("policy", "test", "policies").exit_code == 0
    (limits.parent.parent / "empty.yaml").write_text("version: 1\n")
    assert run("policy", "test", "policies", "--policies", "empty.yaml").exit_code == 1


def test_testing_nothing_is_no_success(run: Invoke, limits: Path) -> None:
    for path in ("policies", "nowhere"):
        result = run("policy", "test", path)
        assert result.exit_code == 1
        assert result.stderr.startswith("error [policy_invalid]: ")


def test_a_test_whose_request_is_none_fails_with_the_reason(run: Invoke, limits: Path) -> None:
    limits.with_name("limits.test.yaml").write_text(
        "tests:\n  - name: bad\n    request: {action: update, facts: {a: [1]}}\n    expect: {effect: deny}\n"
    )
    result = run("policy", "test", "policies")
    assert result.exit_code == 1
    assert "actual    This request cannot be judged" in result.stdout


def test_an_explanation_says_which_rule_matched_and_on_which_condition(
    run: Invoke, answer: Answer, limits: Path
) -> None:
    asked = ("policy", "explain", "--action", "update", "--payload", '{"record_count": 40}')
    result = run(*asked, "--policies", "policies")
    assert result.exit_code == 0
    assert result.stdout.startswith("DENY  blast_radius_limit: ")
    assert "blast_radius_limit (block)  ✓ matched" in result.stdout
    assert "actual: 40" in result.stdout
    assert "one_at_a_time (require_approval)  · not matched" in result.stdout
    told = answer(*asked, "--policies", "policies")
    assert set(told) == {"policy_version", "policies", "scopes", "verdicts"}
    assert [policy["outcome"] for policy in told["policies"]] == ["matched", "not_matched"]


def test_an_explanation_without_files_asks_the_store_and_records_nothing(
    run: Invoke, answer: Answer, story: str
) -> None:
    before = answer("store", "status")["records"]
    result = run("policy", "explain", "--action", "delete", "--resource", "production.users")
    assert "production_deletes (block)  ✓ matched" in result.stdout
    assert answer("store", "status")["records"] == before


def test_the_stored_policies_are_listed_changed_and_numbered(
    run: Invoke, answer: Answer, story: str, home: Path
) -> None:
    before = answer("policy", "list")
    assert "bulk_changes" in {policy["name"] for policy in before["policies"]}
    assert "bulk_changes" in run("policy", "list").stdout
    (home / "one.yaml").write_text("name: no_sends\nrule: block\ncondition: {operation: send}\n")
    assert run("policy", "add", "one.yaml").stdout.startswith(f"Stored as version {before['version'] + 1}. ")
    assert run("check", "send_email").exit_code == 1
    assert run("policy", "add", "one.yaml").exit_code == 0
    assert run("policy", "delete", "no_sends").exit_code == 0
    assert run("check", "send_email").exit_code == 0
    assert run("policy", "delete", "no_sends").exit_code == 1
    numbers = [one["number"] for one in answer("policy", "versions")["versions"]]
    assert numbers == sorted(numbers, reverse=True)
    assert run("policy", "versions").stdout.splitlines()[1].split()[0] == str(numbers[0])


def test_a_document_replaces_all_or_nothing(run: Invoke, answer: Answer, limits: Path, home: Path) -> None:
    assert run("policy", "load", str(limits)).stdout.endswith("Policies in it: 2.\n")
    (home / "broken.yaml").write_text(BROKEN)
    result = run("policy", "load", "broken.yaml")
    assert result.exit_code == 1
    assert result.stderr.count("error [policy_invalid]: broken.yaml:") == 2
    assert [policy["name"] for policy in answer("policy", "list")["policies"]] == [
        "blast_radius_limit",
        "one_at_a_time",
    ]
    (home / "list.yaml").write_text("- {name: a, rule: block, condition: {operation: send}}\n")
    assert answer("policy", "load", "list.yaml")["document"]["policies"][0]["name"] == "a"


def test_only_one_policy_is_added_at_a_time(run: Invoke, limits: Path) -> None:
    result = run("policy", "add", str(limits))
    assert result.exit_code == 2
    assert "holds 2 policies" in result.stderr


def test_the_schema_describes_what_loads(run: Invoke) -> None:
    schema = json.loads(run("policy", "schema").stdout)
    jsonschema.validate(yaml.safe_load(LIMITS), schema)
    with pytest.raises(jsonschema.ValidationError):
        jsonschema.validate(yaml.safe_load(BROKEN), schema)


@pytest.mark.parametrize("text", ["", "version: 1\n---\nversion: 1\n"])
def test_a_file_that_is_not_one_document_changes_nothing(
    text: str, run: Invoke, answer: Answer, story: str, home: Path
) -> None:
    before = answer("policy", "list")
    (home / "odd.yaml").write_text(text)
    result = run("policy", "load", "odd.yaml")
    assert result.exit_code == 1
    assert "must hold one YAML document" in result.stderr
    assert run("policy", "load", "nowhere.yaml").exit_code == 1
    assert answer("policy", "list") == before
