"""An answer on its way to the agent: streamed as it comes, or judged whole where a policy asks for it."""

from __future__ import annotations

from collections.abc import Awaitable, Callable

from clearance.errors import RequestError
from clearance.gateway.egress_proxy.carrying import Measured
from clearance.gateway.egress_proxy.heads import Head, Header
from clearance.gateway.egress_proxy.link import Stream
from clearance.gateway.passage import Passage
from clearance.gateway.upstream import Response, UpstreamError

MOST_JUDGED_BYTES = 1 << 20
_HOP = frozenset(
    b"connection keep-alive proxy-connection proxy-authenticate proxy-authentication-info te trailer"
    b" transfer-encoding upgrade alt-svc".split()
)
_NO_BODY = frozenset({204, 304})

Tell = Callable[[Measured], Awaitable[None]]


class Result:
    """One answer. `keeps_alive` is False once its end is the connection's."""

    def __init__(self, head: Head, response: Response, measured: Measured, tell: Tell) -> None:
        self._head = head
        self._response = response
        self._measured = measured
        self._tell = tell
        self._headers = _onward(response.headers)
        self._has_body = head.method != b"HEAD" and response.status not in _NO_BODY
        measured.status = response.status
        self.keeps_alive = head.keeps_alive

    async def streamed(self, client: Stream) -> None:
        """Piece by piece; the outcome is told before the last of it leaves. Raises UpstreamError."""
        length = _length(self._headers)
        is_chunked = self._has_body and length is None and self._head.is_1_1
        if self._has_body and length is None and not is_chunked:
            self.keeps_alive = False
        extra: tuple[Header, ...] = ((b"transfer-encoding", b"chunked"),) if is_chunked else ()
        start = self._start((*self._headers, *extra))
        if not self._has_body or length == 0:
            await self._drained()
            await self._tell(self._measured)
        self._measured.has_begun = True
        await client.send(start)
        async for piece in self._response:
            self._measured.received += len(piece)
            if self._measured.received == length:
                await self._tell(self._measured)
            await client.send(b"%x\r\n%b\r\n" % (len(piece), piece) if is_chunked else piece)
        await self._tell(self._measured)
        if is_chunked:
            await client.send(b"0\r\n\r\n")

    async def judged(self, client: Stream, passage: Passage) -> None:
        """Whole, and as a policy leaves it. Raises RequestError where it is withheld, or cannot be seen."""
        text = await self._text()
        found = passage.judge_result(
            self._measured.action_id, {"status": self._response.status, "text": text}
        )
        self._measured.judged = found
        if found.withheld:
            await self._tell(self._measured)  # it did run: that nobody sees what came of it is no failure
            raise RequestError(found.reason, reason=found.reason_code)
        shown = found.value["text"] if isinstance(found.value, dict) else found.value
        body = str(shown).encode() if self._has_body else b""
        headers = tuple(each for each in self._headers if each[0] not in (b"content-length", b"etag"))
        if self._has_body:
            headers = (*headers, (b"content-length", b"%d" % len(body)))
        await self._tell(self._measured)
        self._measured.has_begun = True
        await client.send(self._start(headers) + body)

    async def _text(self) -> str:
        coding = b"".join(value for name, value in self._headers if name == b"content-encoding")
        try:
            data = await self._response.read(MOST_JUDGED_BYTES) if self._has_body else b""
            self._measured.received = len(data)
            if coding in (b"", b"identity"):
                return data.decode("utf-8")
        except UnicodeDecodeError:
            pass
        raise RequestError(
            "A policy looks at what comes back, and this is no plain text of at most 1 MiB.",
            reason="result_unseen",
        )

    async def _drained(self) -> None:
        async for piece in self._response:
            raise UpstreamError(f"a body of {len(piece)} bytes where none may be", reason="upstream_protocol")

    def _start(self, headers: tuple[Header, ...]) -> bytes:
        lines = [b"HTTP/1.1 %d %b" % (self._response.status, self._response.reason)]
        lines += [b"%b: %b" % header for header in headers]
        if not self.keeps_alive:
            lines.append(b"connection: close")
        elif not self._head.is_1_1:
            lines.append(b"connection: keep-alive")
        return b"\r\n".join(lines) + b"\r\n\r\n"


def _onward(headers: list[Header]) -> tuple[Header, ...]:
    """Without what concerns the connection, or speaks in our name."""
    nominated = {
        word.strip().lower() for name, value in headers if name == b"connection" for word in value.split(b",")
    }
    return tuple(
        each
        for each in headers
        if each[0] not in _HOP and each[0] not in nominated and not each[0].startswith(b"clearance-")
    )


def _length(headers: tuple[Header, ...]) -> int | None:
    found = [value for name, value in headers if name == b"content-length"]
    return int(found[0]) if found else None
