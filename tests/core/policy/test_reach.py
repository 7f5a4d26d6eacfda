"""Only what is certain to be refused is out of reach; in doubt a tool is listed."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any

from clearance.core.model import Bounds, Context, Principal
from clearance.core.policy import compile_policies, parse_value
from clearance.core.policy.reach import within_reach

NOON = datetime(2026, 3, 14, 12, 0, tzinfo=UTC)
TOOLS = ("fs__read", "fs__write", "mail__send")


def reached(document: dict[str, Any], **more: Any) -> set[str]:
    policies = compile_policies([parse_value(document, "test")])
    principal = Principal(agent="crm", **more)
    context = Context(run_id="", action_id="", at=NOON, door="mcp_proxy")
    return set(within_reach(TOOLS, principal, policies, context))


def block(condition: dict[str, Any], **more: Any) -> dict[str, Any]:
    return {"policies": [{"name": "b", "rule": "block", "condition": condition, **more}]}


def test_a_tool_that_is_blocked_whatever_it_is_given_is_out_of_reach() -> None:
    assert reached(block({"tool": "fs__write"})) == {"fs__read", "mail__send"}
    assert reached(block({"tool": "fs__*"})) == {"mail__send"}
    assert reached(block({"tool": "mail__send", "agent": "crm"})) == {"fs__read", "fs__write"}
    assert reached(block({"tool": "mail__send", "agent": "other"})) == set(TOOLS)


def test_what_depends_on_arguments_or_only_watches_stays() -> None:
    assert reached(block({"tool": "fs__write", "argument": {"path": {"equals": "/etc"}}})) == set(TOOLS)
    assert reached(block({"tool": "fs__write", "amount_exceeds": 10})) == set(TOOLS)
    assert reached(block({"tool": "fs__write"}, mode="shadow")) == set(TOOLS)
    assert reached(block({"operation": "delete"})) == set(TOOLS)
    asks = {"policies": [{"name": "a", "rule": "require_approval", "condition": {"tool": "fs__write"}}]}
    assert reached(asks) == set(TOOLS)


def test_bounds_of_a_credential_count() -> None:
    assert reached({"policies": []}, bounds=(Bounds(tools=("fs__*",)),)) == {"fs__read", "fs__write"}


def test_a_scope_lists_what_is_in_reach() -> None:
    scope = {"agents": {"crm": {"may": [{"tool": "fs__*"}]}}}
    assert reached(scope) == {"fs__read", "fs__write"}
    with_paths = {"agents": {"crm": {"may": [{"tool": "fs__*", "resource": "file:/srv/*"}]}}}
    assert reached(with_paths) == {"fs__read", "fs__write"}
    assert reached({"agents": {"other": {"may": [{"tool": "fs__*"}]}}}) == set(TOOLS)
