"""The headers of MCP agree with the message, or the message goes nowhere."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from clearance.core.dialects.mcp import VERSION_KEY, Notification, Request
from clearance.core.dialects.mcp_headers import agree, decoded, encoded, routing_headers
from clearance.errors import RequestError

MODERN = {"mcp-protocol-version": "2026-07-28", "mcp-method": "tools/call", "mcp-name": "echo"}
META = {"_meta": {VERSION_KEY: "2026-07-28"}}
CALL = Request(id=1, method="tools/call", params={"name": "echo", **META})


def refused(message: Request | Notification, headers: dict[str, str]) -> bool:
    try:
        agree(message, headers)
    except RequestError as error:
        assert error.reason == "mcp_header_mismatch"
        return True
    return False


def test_a_stateless_call_needs_all_three() -> None:
    assert not refused(CALL, MODERN)
    for missing in MODERN:
        assert refused(CALL, {name: value for name, value in MODERN.items() if name != missing})
    assert refused(Request(id=1, method="tools/call", params={"name": "echo"}), MODERN)


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("mcp-name", "Echo"),
        ("mcp-name", "=?base64?RWNobw==?="),
        ("mcp-name", "=?base64?ZWNob?="),
        ("mcp-name", ""),
        ("mcp-method", "tools/list"),
        ("mcp-method", "TOOLS/CALL"),
        ("mcp-protocol-version", "2025-11-25"),
        ("mcp-protocol-version", "2026-07-29"),
    ],
)
def test_each_of_them_has_to_be_true(name: str, value: str) -> None:
    assert refused(CALL, {**MODERN, name: value})


def test_the_older_revisions_need_none_and_may_not_lie_either() -> None:
    call = Request(id=1, method="tools/call", params={"name": "echo"})
    assert not refused(call, {})
    assert not refused(call, {"mcp-protocol-version": "2025-06-18"})
    assert refused(call, {"mcp-method": "tools/list"})
    assert refused(call, {"mcp-name": "other"})


def test_a_revision_that_is_not_known_is_refused() -> None:
    with pytest.raises(RequestError) as told:
        agree(Request(id=1, method="ping", params={}), {"mcp-protocol-version": "2031-01-01"})
    assert told.value.reason == "mcp_version"


def test_a_notification_needs_no_method_header() -> None:
    note = Notification(method="notifications/cancelled", params={})
    assert not refused(note, {"mcp-protocol-version": "2026-07-28"})


@given(st.text(max_size=20))
def test_every_name_comes_through_a_header(name: str) -> None:
    assert decoded(encoded(name)) == name
    assert encoded(name).isascii()


def test_base64_has_one_spelling_only() -> None:
    assert decoded("=?base64?ZWNobw==?=") == "echo"
    assert decoded("=?base64?ZWNobx==?=") is None
    assert decoded("=?base64?ZWNobw?=") is None
    assert decoded("=?base64?/w==?=") is None


def test_a_header_that_is_sent_twice_is_refused() -> None:
    with pytest.raises(RequestError):
        routing_headers([(b"mcp-name", b"a"), (b"Mcp-Name", b"a")])
    found = routing_headers([(b"Mcp-Param-Region", b"eu"), (b"authorization", b"Bearer x")])
    assert found == {"mcp-param-region": "eu"}
