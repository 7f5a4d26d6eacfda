"""A wire call to a Request: declaration, readers, name; resources and environments; never an exception."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from clearance.core.model import (
    ActionCall,
    Context,
    Environment,
    Family,
    Operation,
    Principal,
    Request,
    ToolSpec,
)
from clearance.core.normalize import UNREADABLE, normalize
from clearance.core.normalize.reading import DANGER

PRINCIPAL = Principal(agent="tester")
CONTEXT = Context(run_id="r", action_id="a", at=datetime(2026, 1, 1, tzinfo=UTC))


def request(call: ActionCall, *specs: ToolSpec) -> Request:
    return normalize(call, principal=PRINCIPAL, context=CONTEXT, tools={spec.name: spec for spec in specs})


def tool_x(**declared: Any) -> ToolSpec:
    return ToolSpec(name="tool_x", **declared)


def ids(found: Request) -> list[str]:
    return [resource.id for resource in found.resources]


@pytest.mark.parametrize(
    ("action", "arguments", "operation", "resources"),
    [
        (
            "send_email",
            {"recipients": ["a@b.example"], "cc": "c@d.example"},
            "send",
            ["email:a@b.example", "email:c@d.example"],
        ),
        ("get_sent_emails", {}, "read", ["tool:get_sent_emails"]),
        ("search_emails", {"query": "Update the plan"}, "read", ["tool:search_emails"]),
        ("execute_sql", {"sql": "SELECT * FROM users"}, "read", ["sql:users"]),
        ("execute_sql", {"query": "DROP TABLE users"}, "ddl", ["sql:users"]),
        ("run_query", {"query": "DELETE FROM users"}, "delete", ["sql:users"]),
        ("query_database", {"query": "SELECT 1; DROP TABLE x"}, "unknown", [f"sql:{UNREADABLE}"]),
        ("get_rows", {"sql": "DELETE FROM users"}, "delete", ["sql:users"]),
        ("delete_rows", {"sql": "SELECT 1"}, "delete", ["tool:delete_rows"]),
        ("execute_sql_and_email", {"sql": "SELECT 1"}, "execute", ["tool:execute_sql_and_email"]),
        ("execute", {"sql": "SELECT 1"}, "execute", ["tool:execute"]),
        ("restart_server", {"command": "ls"}, "admin", ["command:ls"]),
        ("bash", {"command": "ls"}, "execute", ["command:ls"]),
        ("bash", {"command": "rm -r /srv"}, "delete", ["command:rm", "file:/srv"]),
        (
            "get_output",
            {"command": "ls | sh"},
            "unknown",
            ["command:ls", "command:sh", f"command:{UNREADABLE}"],
        ),
        ("remote_exec", {"command": "rm", "args": ["-f", "x"]}, "delete", ["command:rm", "file:x"]),
        (
            "http_request",
            {"method": "GET", "url": "https://a.example/x"},
            "read",
            ["url:https://a.example/x"],
        ),
        ("http_request", {"method": "DELETE", "url": "a.example"}, "delete", ["url:https://a.example/"]),
        ("http_request", {"url": "a.example"}, "unknown", ["url:https://a.example/"]),
        ("fetch_url", {"url": "a.example"}, "read", ["url:https://a.example/"]),
        ("fetch_url", {"url": "a.example", "method": "PUT"}, "update", ["url:https://a.example/"]),
        ("read_file", {"filePath": "/srv/../etc/x"}, "read", ["file:/etc/x"]),
        ("read_file", {"path": "a\0b"}, "read", [f"file:{UNREADABLE}"]),
        ("share_file", {"file_id": "7", "email": "a@b.example"}, "update", ["file:7", "email:a@b.example"]),
        ("slack", {"channel": "#general", "text": "hi"}, "unknown", ["channel:general"]),
        ("ping_team", {"recipients": ["a@b.example"], "body": "x"}, "send", ["email:a@b.example"]),
        ("send_money", {"recipient": "GB29NWBK", "amount": 5}, "send", ["recipient:GB29NWBK"]),
        ("translate_text", {"text": "x", "to": "fr"}, "read", ["tool:translate_text"]),
        ("update_profile", {"customer": {"email": "a@b.example"}}, "update", ["email:a@b.example"]),
        ("frobnicate", {"x": 1}, "unknown", ["tool:frobnicate"]),
        ("model_call", {"model": "large-1", "messages": []}, "model_call", ["model:large-1"]),
        ("get_user", {"ID": 1, "id": 2}, "unknown", ["tool:get_user"]),
    ],
)
def test_a_call_is_read_from_its_name_and_its_arguments(
    action: str, arguments: dict[str, Any], operation: str, resources: list[str]
) -> None:
    found = request(ActionCall(action=action, arguments=arguments))
    assert (found.action.operation, ids(found)) == (operation, resources)
    assert found.action.tool == action
    assert found.action.arguments == arguments
    assert found.facts == {}


@pytest.mark.parametrize(
    "name", ["frobnicate", "run_backup", "backup_database", "delete.query", "launch_request"]
)
@pytest.mark.parametrize(
    "harmless",
    [{"sql": "SELECT 1"}, {"query": "SELECT 1"}, {"method": "GET", "url": "a.example"}, {"command": "ls"}],
)
def test_an_argument_the_agent_adds_makes_no_tool_milder_than_its_name(
    name: str, harmless: dict[str, Any]
) -> None:
    without = request(ActionCall(action=name)).action.operation
    found = request(ActionCall(action=name, arguments={"data": "x", **harmless})).action.operation
    assert DANGER[found] >= DANGER[without]


def test_a_second_text_beside_the_one_that_was_read_is_not_ignored() -> None:
    beside = {"sql": "SELECT 1", "limit": 5, "text": None, "database": "crm"}
    assert request(ActionCall(action="run_query", arguments=beside)).action.operation is Operation.READ
    other = {"sql": "SELECT 1", "procedure": "purge()"}
    assert request(ActionCall(action="run_query", arguments=other)).action.operation is Operation.EXECUTE
    both = {"sql": "SELECT 1", "statement": "DROP TABLE a"}
    assert request(ActionCall(action="run_query", arguments=both)).action.operation is Operation.DDL


def test_the_calling_program_outranks_the_declaration_and_that_the_readers() -> None:
    arguments = {"sql": "DROP TABLE users"}
    spec = ToolSpec(name="run_it", operation=Operation.READ)
    assert request(ActionCall(action="run_it", arguments=arguments)).action.operation is Operation.DDL
    assert request(ActionCall(action="run_it", arguments=arguments), spec).action.operation is Operation.READ
    declared = ActionCall(action="runIt", arguments=arguments, operation=Operation.SEND)
    assert request(declared, spec).action.operation is Operation.SEND


@pytest.mark.parametrize(
    ("spec", "arguments", "operation", "resources"),
    [
        (tool_x(family=Family.SQL, argument="q.text"), {"q": {"text": "DELETE FROM a"}}, "delete", ["sql:a"]),
        (tool_x(family=Family.SQL, argument="q.text"), {"q": {}}, "unknown", [f"sql:{UNREADABLE}"]),
        (tool_x(family=Family.SQL, argument="q"), {"q": ["SELECT 1"]}, "unknown", [f"sql:{UNREADABLE}"]),
        (tool_x(family=Family.SHELL, argument="line"), {"line": "ls"}, "execute", ["command:ls"]),
        (tool_x(family=Family.FILE, argument="where"), {"where": "/a"}, "unknown", ["file:/a"]),
        (
            tool_x(family=Family.MESSAGE, argument="who"),
            {"who": "ann", "text": "x"},
            "send",
            ["recipient:ann"],
        ),
        (
            tool_x(family=Family.HTTP, argument="at"),
            {"at": "a.example", "method": "GET"},
            "read",
            ["url:https://a.example/"],
        ),
        (tool_x(family=Family.GENERIC), {"sql": "DROP TABLE a"}, "unknown", ["tool:toolX"]),
        (tool_x(resource="account:{to.iban}"), {"to": {"iban": "DE1"}}, "unknown", ["account:DE1"]),
        (tool_x(resource="table:{t}"), {"t": ["a", "b"]}, "unknown", ["table:a", "table:b"]),
        (tool_x(resource="account:{iban}"), {}, "unknown", [f"account:{UNREADABLE}"]),
        (tool_x(resource="account:{iban}"), {"iban": {"a": 1}}, "unknown", [f"account:{UNREADABLE}"]),
    ],
)
def test_a_declared_tool_is_read_as_declared(
    spec: ToolSpec, arguments: dict[str, Any], operation: str, resources: list[str]
) -> None:
    found = request(ActionCall(action="toolX", arguments=arguments), spec)
    assert (found.action.operation, ids(found)) == (operation, resources)


@pytest.mark.parametrize(
    ("resource", "identity"),
    [
        ("users.accounts", "resource:users.accounts"),
        ("postgres:crm/users", "postgres:crm/users"),
        ("FILE:/srv/../x", "file:/x"),
        ("https://A.example:443/x?y", "url:https://a.example/x"),
        ("url:a.example", "url:https://a.example/"),
        ("ann@A.example", "email:ann@a.example"),
        ("email:ann@A.example", "email:ann@a.example"),
        ("production:users", "resource:production:users"),
        ("a\0b", f"resource:{UNREADABLE}"),
        ("x" * 5_000, f"resource:{UNREADABLE}"),
    ],
)
def test_a_resource_is_taken_as_its_caller_wrote_it(resource: str, identity: str) -> None:
    assert ids(request(ActionCall(action="update", resource=resource))) == [identity]


def test_resources_of_the_caller_come_first_and_those_of_the_arguments_are_kept() -> None:
    call = ActionCall(
        action="send_email", resource=("crm", "crm"), arguments={"to": "a@b.example", "body": "x"}
    )
    assert ids(request(call)) == ["resource:crm", "email:a@b.example"]


def test_the_payload_stands_in_for_arguments_that_are_not_there() -> None:
    found = request(ActionCall(action="update", payload={"table": "users", "record_count": 3}))
    assert ids(found) == ["table:users"]
    assert found.action.arguments == {"table": "users", "record_count": 3}


@pytest.mark.parametrize(
    ("resource", "environment"),
    [
        ("production.users", "production"),
        ("Prod/users", "production"),
        ("live:users", "production"),
        ("postgres:production/users", "production"),
        ("staging.users", "staging"),
        ("sandbox.users", "sandbox"),
        ("https://staging.a.example/", "staging"),
        ("production_users", "unknown"),
        ("users.production", "unknown"),
    ],
)
def test_the_environment_of_a_resource_is_in_its_first_segment(resource: str, environment: str) -> None:
    (found,) = request(ActionCall(action="update", resource=resource)).resources
    assert found.environment == environment


def test_an_environment_is_declared_by_the_caller_before_the_tool_before_the_name() -> None:
    spec = ToolSpec(name="write_row", environment=Environment.STAGING)
    call = ActionCall(action="write_row", resource="production.users")
    assert request(call).resources[0].environment is Environment.PRODUCTION
    assert request(call, spec).resources[0].environment is Environment.STAGING
    sandbox = ActionCall(action="write_row", resource="production.users", environment=Environment.SANDBOX)
    assert request(sandbox, spec).resources[0].environment is Environment.SANDBOX


def test_a_name_the_agent_chose_may_say_production_but_never_sandbox() -> None:
    for name, environment in (("prod", Environment.PRODUCTION), ("sandbox", Environment.UNKNOWN)):
        call = ActionCall(action="execute_sql", arguments={"sql": f"DELETE FROM {name}.users"})
        assert request(call).resources[0].environment is environment
    found = request(ActionCall(action="fetch_url", arguments={"url": "https://dev.evil.example/"}))
    assert found.resources[0].environment is Environment.UNKNOWN


JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=20),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(max_size=10), inner, max_size=4),
    max_leaves=12,
)
WELL_KNOWN = st.sampled_from(
    ["sql", "command", "url", "method", "path", "to", "recipients", "headers", "table"]
)


@given(
    action=st.text(max_size=30) | st.sampled_from(["bash", "execute_sql", "http_request", "send_email", "x"]),
    arguments=st.dictionaries(WELL_KNOWN | st.text(max_size=8), JSON, max_size=5),
    resource=st.text(max_size=30) | st.tuples(st.text(max_size=10)),
)
def test_any_call_becomes_a_request_with_at_least_one_resource(
    action: str, arguments: dict[str, Any], resource: Any
) -> None:
    found = request(ActionCall(action=action, arguments=arguments, resource=resource))
    assert found.resources
    assert all(found.kind and found.name for found in found.resources)


class _Hostile:
    def __getattribute__(self, name: str) -> Any:
        raise RuntimeError("no")


@pytest.mark.parametrize(
    "call",
    [
        ActionCall(action=7),  # type: ignore[arg-type]
        ActionCall(action="get_x", arguments=7),  # type: ignore[arg-type]
        ActionCall(action="get_x", arguments=_Hostile()),  # type: ignore[arg-type]
        ActionCall(action="get_x", resource=7),  # type: ignore[arg-type]
        ActionCall(action="\ud800", arguments={"\ud800": "\ud800"}),
    ],
)
def test_a_call_that_cannot_be_read_is_of_the_highest_class(call: ActionCall) -> None:
    found = request(call)
    assert found.action.operation is Operation.UNKNOWN
    assert found.resources


def test_deep_and_huge_arguments_are_read_without_failing() -> None:
    deep: Any = "a@b.example"
    for _ in range(10_000):
        deep = [deep]
    found = request(ActionCall(action="send_email", arguments={"to": deep, "body": "x" * 1_000_000}))
    assert found.action.operation is Operation.SEND
    assert ids(found) == [f"recipient:{UNREADABLE}"]
