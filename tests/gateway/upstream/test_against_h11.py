"""Our reading of answers beside h11's: what h11 writes, and what becomes of it when bytes are changed."""

from __future__ import annotations

import asyncio
import contextlib
import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field

import h11
import pytest
import uvloop
from hypothesis import HealthCheck, assume, given, settings
from hypothesis import strategies as st

from clearance.gateway.upstream import Origin, OutRequest, Response, UpstreamClient, UpstreamError
from tests.gateway.upstream.conftest import NOWHERE

pytestmark = pytest.mark.servers  # takes its time

Read = tuple[int, bytes, list[tuple[bytes, bytes]], bytes]
SENTINEL = b"HTTP/1.1 299 Sentinel\r\nContent-Length: 8\r\n\r\nsentinel"
_FRAMING = {b"content-length", b"transfer-encoding", b"connection", b"upgrade"}
_TOKEN = st.text("abcdefghijklmnopqrstuvwxyz0123456789!#$%&'*+-.^_`|~", min_size=1, max_size=12)
_NAME = _TOKEN.map(str.encode).filter(lambda name: name not in _FRAMING)
_VALUE = st.binary(max_size=30).map(
    lambda raw: bytes(byte for byte in raw if byte in b"\t " or 0x21 <= byte != 0x7F).strip(b" \t")
)
_REASON = _VALUE.filter(lambda value: all(byte < 0x80 for byte in value))
_INTERIM = re.compile(rb"(HTTP/1\.[01] 1\d\d[^\n]*\r\n(?:[^\r\n]+\r\n)*\r\n)[\r\n]+")
_SPLITS = st.lists(st.integers(0, 1), min_size=1, max_size=40)


@dataclass
class Wire:
    """Answers the first request of an example with its pieces, every other with the sentinel."""

    pieces: Sequence[bytes] = ()
    closes: bool = False
    served: bool = True
    open_now: int = 0
    origin: Origin = NOWHERE
    client: UpstreamClient = field(default_factory=lambda: UpstreamClient(timeout_seconds=5))

    async def __call__(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        with contextlib.suppress(ConnectionError, asyncio.IncompleteReadError, TimeoutError, RuntimeError):
            patience = None
            while True:
                await asyncio.wait_for(reader.readuntil(b"\r\n\r\n"), patience)
                patience = None
                if self.served:
                    writer.write(SENTINEL)
                    continue
                self.served = True
                for piece in self.pieces:
                    writer.write(piece)
                    await asyncio.sleep(0)
                if self.closes:
                    break
                patience = 0.05  # who waits for more than was sent is told so by the end of the connection
        writer.close()

    async def read(self, method: bytes, pieces: Sequence[bytes], *, closes: bool) -> Read | UpstreamError:
        """What the client makes of it. What it asks next is answered with the sentinel, and nothing else."""
        self.pieces, self.closes, self.served = pieces, closes, False
        try:
            response = await self.client.send(self.origin, OutRequest(method, b"/"))
            read: Read | UpstreamError = await _whole(response)
        except UpstreamError as error:
            read = error
        self.served = True
        after = await _whole(await self.client.send(self.origin, OutRequest(b"GET", b"/next")))
        assert after == (299, b"Sentinel", [(b"content-length", b"8")], b"sentinel")
        return read


@pytest.fixture(scope="module")
def runner() -> Iterator[tuple[asyncio.Runner, Wire]]:
    async def start() -> tuple[Wire, asyncio.Server]:
        wire = Wire()
        server = await asyncio.start_server(wire, "127.0.0.1", 0)
        wire.origin = Origin("http", "127.0.0.1", server.sockets[0].getsockname()[1])
        return wire, server

    with asyncio.Runner(loop_factory=uvloop.new_event_loop) as loop:
        wire, server = loop.run(start())
        yield loop, wire
        loop.run(wire.client.close())
        server.close()


@st.composite
def answers(draw: st.DrawFn) -> tuple[bytes, bytes, bool]:
    """A method, the bytes that h11 answers it with, and whether it closes then."""
    method = draw(st.sampled_from([b"GET", b"GET", b"POST", b"HEAD"]))
    far = h11.Connection(h11.SERVER)
    far.receive_data(b"%b / HTTP/1.1\r\nHost: x\r\n\r\n" % method)
    while not isinstance(far.next_event(), h11.EndOfMessage):
        pass
    wire = b""
    for _ in range(draw(st.integers(0, 2))):
        early = h11.InformationalResponse(status_code=draw(st.sampled_from([100, 102, 103])), headers=[])
        wire += far.send(early) or b""
    status = draw(st.sampled_from([200, 200, 200, 201, 204, 304, 400, 404, 429, 500, 529, 599]))
    pieces = draw(st.lists(st.binary(max_size=60), max_size=5))
    if method == b"HEAD" or status in (204, 304):
        pieces = []
    headers = draw(st.lists(st.tuples(_NAME, _VALUE), max_size=6))
    framing = draw(st.sampled_from(["length", "chunked", "close"]))
    if framing == "length":
        headers.append((b"content-length", b"%d" % len(b"".join(pieces))))
    elif framing == "close":
        headers.append((b"connection", b"close"))
    head = h11.Response(status_code=status, headers=headers, reason=draw(_REASON))
    wire += far.send(head) or b""
    for piece in pieces:
        wire += far.send(h11.Data(data=piece)) or b""
    wire += far.send(h11.EndOfMessage()) or b""
    return method, wire, far.our_state is h11.MUST_CLOSE


def _of_h11(method: bytes, wire: bytes) -> Read | None:
    near = h11.Connection(h11.CLIENT, max_incomplete_event_size=1 << 20)
    near.send(h11.Request(method=method, target="/", headers=[("host", "x")]))
    near.send(h11.EndOfMessage())
    near.receive_data(wire)
    head, body, ended = None, b"", False
    with contextlib.suppress(h11.RemoteProtocolError):
        while True:
            event = near.next_event()
            match event:
                case h11.NEED_DATA if not ended:
                    near.receive_data(b"")
                    ended = True
                case h11.Response():
                    head = event
                case h11.Data():
                    body += event.data
                case h11.EndOfMessage() if head is not None:
                    return head.status_code, head.reason, list(head.headers), body
                case h11.InformationalResponse():
                    pass
                case _:
                    break
    return None


async def _whole(response: Response) -> Read:
    body = await response.read(1 << 20)
    return response.status, response.reason, response.headers, body


def _pieces(wire: bytes, cuts: Sequence[int]) -> list[bytes]:
    """Cut after every byte whose turn is 1."""
    pieces, start = [], 0
    for index in range(len(wire)):
        if cuts[index % len(cuts)]:
            pieces.append(wire[start : index + 1])
            start = index + 1
    return [*pieces, wire[start:]] if start < len(wire) else pieces


@settings(max_examples=150, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(answer=answers(), cuts=_SPLITS)
def test_every_answer_that_h11_writes_is_read_as_h11_reads_it(
    runner: tuple[asyncio.Runner, Wire], answer: tuple[bytes, bytes, bool], cuts: list[int]
) -> None:
    loop, wire = runner
    method, sent, closes = answer
    assert loop.run(wire.read(method, _pieces(sent, cuts), closes=closes)) == _of_h11(method, sent)


@settings(max_examples=150, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(
    answer=answers(),
    cuts=_SPLITS,
    changes=st.lists(
        st.tuples(
            st.integers(0, 400),
            st.sampled_from(["change", "insert", "drop", "double", "cut"]),
            st.one_of(
                st.sampled_from([b"\r", b"\n", b"\r\n", b" ", b":", b"0", b"\0", b",", b"\t", b";"]),
                st.binary(min_size=1, max_size=3),
            ),
        ),
        min_size=1,
        max_size=3,
    ),
)
def test_a_changed_answer_is_refused_or_read_as_h11_reads_it(
    runner: tuple[asyncio.Runner, Wire],
    answer: tuple[bytes, bytes, bool],
    cuts: list[int],
    changes: list[tuple[int, str, bytes]],
) -> None:
    loop, wire = runner
    method, sent, closes = answer
    for place, kind, put in changes:
        sent = _changed(sent, place % (len(sent) + 1), kind, put)
    assume(sent)  # nothing at all: asked again, which is another test
    read = loop.run(wire.read(method, _pieces(sent, cuts), closes=closes))
    if not isinstance(read, UpstreamError):
        # llhttp passes over empty lines behind an interim answer; nothing can be hidden in them.
        assert read in (_of_h11(method, sent), _of_h11(method, _INTERIM.sub(rb"\1", sent)))


def _changed(wire: bytes, at: int, kind: str, put: bytes) -> bytes:
    match kind:
        case "change":
            return wire[:at] + put + wire[at + len(put) :]
        case "insert":
            return wire[:at] + put + wire[at:]
        case "drop":
            return wire[:at] + wire[at + 1 :]
        case "double":
            return wire[:at] + wire[at : at + 20] + wire[at:]
        case _:
            return wire[:at]
