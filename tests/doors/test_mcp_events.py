"""Server-sent events are split however they arrive, and are passed on as they came."""

from __future__ import annotations

from collections.abc import AsyncIterator

import pytest

from clearance.gateway.mcp_proxy.events import data_of, event, frames, with_data
from clearance.gateway.upstream import UpstreamError

STREAM = (
    ": ping\r\n\r\n"
    'event: message\r\nid: 1\r\ndata: {"a":"ü"}\r\n\r\n'
    "id: 2\ndata:\n\n"
    'data: {"b":\ndata: 2}\n\n'
).encode()


async def pieces(raw: bytes, size: int) -> AsyncIterator[bytes]:
    for start in range(0, len(raw), size):
        yield raw[start : start + size]


@pytest.mark.parametrize("size", [1, 2, 3, 7, 1000])
async def test_however_a_stream_is_cut_its_events_and_bytes_are_the_same(size: int) -> None:
    found = [frame async for frame in frames(pieces(STREAM, size))]
    assert b"".join(frame.raw for frame in found) == STREAM
    assert [frame.message for frame in found] == [b"", '{"a":"ü"}'.encode(), b"", b'{"b":\n2}']


async def test_a_stream_that_ends_within_an_event_is_an_error() -> None:
    with pytest.raises(UpstreamError):
        _ = [frame async for frame in frames(pieces(STREAM + b"data: {", 9))]


def test_another_message_keeps_the_id_of_its_event() -> None:
    changed = with_data(b'event: message\r\nid: 1\r\ndata: {"a":1}\r\n\r\n', b"{}")
    assert changed == b"event: message\nid: 1\ndata: {}\n\n"
    assert data_of(event(b"{}")) == b"{}"
