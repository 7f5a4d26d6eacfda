"""Server-sent events, as the HTML standard has them: their form, no content."""

from __future__ import annotations

from collections.abc import AsyncIterator, Awaitable, Callable
from typing import Any

import msgspec
from msgspec import Struct

from clearance.errors import ClearanceError

MEDIA_TYPE = "text/event-stream"
# A proxy that buffers would hold back what is told; one that caches would tell it twice.
HEADERS = {"cache-control": "no-store", "x-accel-buffering": "no"}
_ENCODER = msgspec.json.Encoder()
_HEARTBEAT = b":\n\n"  # a comment: it keeps proxies from closing, and notices a reader that is gone
_BEGIN = b"retry: 1000\n\n"


class Event(Struct, frozen=True, kw_only=True):
    """One event. `data` is sent as JSON, which never has a line break of its own."""

    name: str
    id: str
    data: Any


async def streamed(
    events: AsyncIterator[Event | None], still: Callable[[], Awaitable[object]]
) -> AsyncIterator[bytes]:
    """The events as bytes; None becomes a heartbeat. Ends when `still` says that the reader may no more."""
    yield _BEGIN
    async for event in events:
        if event is not None:
            yield b"event: %b\nid: %b\ndata: %b\n\n" % (
                event.name.encode(),
                event.id.encode(),
                _ENCODER.encode(event.data),
            )
            continue
        try:
            await still()
        except ClearanceError:
            return
        yield _HEARTBEAT
