"""Messages of MCP: read alike by everybody, or refused."""

from __future__ import annotations

import json

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from clearance.core.dialects.mcp import (
    Notification,
    Request,
    Response,
    key_of,
    read_message,
    request_id_of,
    write_error,
    write_request,
    write_result,
)
from clearance.errors import RequestError


def reason_of(body: bytes) -> str:
    with pytest.raises(RequestError) as refused:
        read_message(body)
    return refused.value.reason


def test_the_three_kinds_of_message_are_told_apart() -> None:
    request = read_message(b'{"jsonrpc":"2.0","id":1,"method":"ping"}')
    assert request == Request(id=1, method="ping", params={})
    note = read_message(b'{"jsonrpc":"2.0","method":"notifications/initialized"}')
    assert note == Notification(method="notifications/initialized", params={})
    assert read_message(b'{"jsonrpc":"2.0","id":"1","result":{"a":1}}') == Response(id="1", result={"a": 1})
    error = read_message(b'{"jsonrpc":"2.0","id":null,"error":{"code":-32700,"message":"x"}}')
    assert error == Response(id=None, result=None, error={"code": -32700, "message": "x"})


@pytest.mark.parametrize(
    ("body", "reason"),
    [
        (b"", "malformed_json"),
        (b"\xff", "malformed_json"),
        (b'{"jsonrpc":"2.0","id":1,"method":"\xff"}', "not_utf8"),
        (b"[]", "mcp_batch"),
        (b"1", "mcp_message"),
        (b'{"id":1,"method":"ping"}', "mcp_message"),
        (b'{"jsonrpc":"2.0","id":1,"method":1}', "mcp_message"),
        (b'{"jsonrpc":"2.0","id":1,"method":"ping","params":[]}', "mcp_message"),
        (b'{"jsonrpc":"2.0","id":1,"method":"ping","result":{}}', "mcp_message"),
        (b'{"jsonrpc":"2.0","id":1,"result":{},"error":{}}', "mcp_message"),
        (b'{"jsonrpc":"2.0","id":1,"result":[]}', "mcp_message"),
        (b'{"jsonrpc":"2.0","id":1}', "mcp_message"),
        (b'{"jsonrpc":"2.0","id":null,"method":"ping"}', "mcp_id"),
        (b'{"jsonrpc":"2.0","id":1.0,"method":"ping"}', "mcp_id"),
        (b'{"jsonrpc":"2.0","id":null,"result":{}}', "mcp_id"),
        (b'{"jsonrpc":"2.0","id":1,"id":2,"method":"ping"}', "duplicate_member"),
        (b'{"jsonrpc":"2.0","id":1,"method":"ping","\\u006dethod":"tools/call"}', "duplicate_member"),
        (b'{"jsonrpc":"2.0","id":1,"method":"ping","METHOD":"tools/call"}', "duplicate_member"),
        (
            '{"jsonrpc":"2.0","id":1,"method":"tools/call","params":{"name":"a","argumentſ":{}}}'.encode(),
            "duplicate_member",
        ),
    ],
)
def test_what_readers_could_disagree_about_is_refused(body: bytes, reason: str) -> None:
    assert reason_of(body) == reason


def test_a_member_named_twice_is_found_behind_escaped_colons() -> None:
    hidden = b'{"jsonrpc":"2.0","id":1,"method":"m","params":{"a":"\\u003a\\u003a","a":"b"}}'
    assert reason_of(hidden) == "duplicate_member"
    fine = b'{"jsonrpc":"2.0","id":1,"method":"m","params":{"a":"\\u003a\\u003a","b":"b"}}'
    assert isinstance(read_message(fine), Request)


def test_ids_of_two_types_are_two() -> None:
    assert key_of(1) != key_of("1") != key_of("i1")
    assert request_id_of(b'{"id":"x","method":2}') == "x"
    assert request_id_of(b'{"id":true}') is request_id_of(b"[") is None


plain = st.recursive(
    st.none() | st.booleans() | st.integers(-(2**53), 2**53) | st.text(max_size=9),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=9), inner, max_size=3),
    max_leaves=9,
)


@settings(deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(st.dictionaries(st.sampled_from(["a", "b:c", "d\\u003a"]), plain), st.booleans())
def test_whatever_json_writes_is_read_back_the_same(params: dict[str, object], ascii_only: bool) -> None:
    message = {"jsonrpc": "2.0", "id": "x", "method": "m", "params": params}
    read = read_message(json.dumps(message, ensure_ascii=ascii_only).encode())
    assert read == Request(id="x", method="m", params=params)
    assert read_message(write_request(read)) == read


def test_answers_are_written_as_json_rpc_has_them() -> None:
    assert json.loads(write_result(1, {"a": 1})) == {"jsonrpc": "2.0", "id": 1, "result": {"a": 1}}
    told = json.loads(write_error(None, -32700, "no", {"code": "malformed_json"}))
    assert told["id"] is None
    assert told["error"] == {"code": -32700, "message": "no", "data": {"code": "malformed_json"}}
