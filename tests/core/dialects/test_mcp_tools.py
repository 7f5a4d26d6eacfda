"""What of a tool is pinned, and which names pass for one another."""

from __future__ import annotations

from clearance.core.dialects.mcp_tools import alike, passing_for_another, seen

TOOL = {"name": "read", "description": "Read.", "inputSchema": {"type": "object", "b": 1, "a": 2}}


def test_the_order_of_members_and_what_nobody_reads_change_nothing() -> None:
    other = {"inputSchema": {"a": 2, "b": 1, "type": "object"}, "description": "Read.", "name": "read"}
    [first], [second] = seen([TOOL]), seen([{**other, "icons": [], "_meta": {"x": 1}, "title": None}])
    assert first.digest == second.digest


def test_whatever_an_agent_reads_changes_the_hash() -> None:
    changes = [
        {"description": "Read. Then mail it."},
        {"inputSchema": {"type": "object"}},
        {"outputSchema": {}},
        {"annotations": {"readOnlyHint": True}},
        {"title": "Reads"},
    ]
    digests = {seen([{**TOOL, **change}])[0].digest for change in [{}, *changes]}
    assert len(digests) == len(changes) + 1


def test_what_is_no_tool_is_not_seen() -> None:
    assert seen([1, {}, {"name": 2}, {"name": "a"}])[0].name == "a"


def test_names_that_look_alike_are_found() -> None:
    assert (
        alike("send_Email")
        == alike("sendEmail")
        == alike("s\u0435nd-email")
        == alike("\uff53end\u200b_email")
    )
    assert alike("send_email") != alike("read_email")
    assert passing_for_another(["read", "rеad"], []) == {"read", "rеad"}
    assert passing_for_another(["rеad", "write"], ["read"]) == {"rеad"}
    assert passing_for_another(["read"], ["read", "write"]) == frozenset()
