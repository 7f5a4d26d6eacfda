"""One client's connection: request after request, each answered in a form that HTTP clients read."""

from __future__ import annotations

import asyncio
import logging
import re
import socket
import ssl
from contextlib import suppress
from http import HTTPStatus

from clearance.errors import ClearanceError, RequestError
from clearance.gateway.egress_proxy.answers import answer, refusal_of, refusal_to
from clearance.gateway.egress_proxy.asking import Asker, Asking
from clearance.gateway.egress_proxy.authority import Authority
from clearance.gateway.egress_proxy.bodies import receive_head
from clearance.gateway.egress_proxy.carrying import RefusedError
from clearance.gateway.egress_proxy.exchange import Destined, Means, exchange
from clearance.gateway.egress_proxy.heads import Head, read_head
from clearance.gateway.egress_proxy.link import Link, Stream
from clearance.gateway.egress_proxy.places import DEFAULT_PORT, Place, read_place
from clearance.gateway.egress_proxy.tls import TlsStream
from clearance.gateway.egress_proxy.tunnel import ESTABLISHED, check_name, tunnel

_LINGER_SECONDS = 2.0
_ESCAPE = re.compile(rb"%([0-9a-fA-F]{2})")
_UNRESERVED = re.compile(rb"[A-Za-z0-9._~-]")
_LOG = logging.getLogger("clearance")


class Conversation:
    """From the first byte to the last. `is_idle` between two requests, `is_known` once somebody has proven
    who it is. Set `is_last` and no other request is taken."""

    def __init__(self, peer: str, asking: Asking, means: Means, authority: Authority | None) -> None:
        self.link = Link(means.arrivals)
        self._peer = peer
        self.began = asyncio.get_running_loop().time()
        self.is_idle = True
        self.is_known = False
        self.is_last = False
        self._asking = asking
        self._means = means
        self._authority = authority
        self._inside: tuple[Head, Place] | None = None  # the CONNECT that TLS was opened in

    async def run(self, connection: socket.socket) -> None:
        """Until both sides are done. Never raises but when it is cancelled."""
        try:
            await asyncio.get_running_loop().connect_accepted_socket(lambda: self.link, connection)
            stream: Stream = self.link
            while not self.is_last and (wanted := await self._one(stream)) is not None:
                stream = wanted
            await self._linger(stream)
        except (ConnectionError, ssl.SSLError):
            pass
        except Exception as error:  # a fault of ours: the connection ends, the kind is logged, no payload
            _LOG.error("the egress proxy failed with %s", type(error).__name__)
        finally:
            self.link.abort()

    async def _one(self, stream: Stream) -> Stream | None:
        """One request; then where the next one comes from, if there may be one."""
        head = None
        try:
            self.is_idle = True
            data = await receive_head(stream)
            self.is_idle = False
            if not data:
                return None
            head = read_head(data)
            if head.method == b"CONNECT" and self._inside is None:
                return await self._connect(head)
            goes_on = await self._exchange(stream, head)
            return stream if goes_on and not self.is_last else None
        except RefusedError as error:
            status, refusal = HTTPStatus.FORBIDDEN, refusal_of(error.result)
        except ClearanceError as error:
            status, refusal = refusal_to(error)
        goes_on = head is not None and head.keeps_alive and not head.has_body and not self.is_last
        await stream.send(answer(status, refusal, head, keeps_alive=goes_on))
        return stream if goes_on else None

    async def _exchange(self, stream: Stream, head: Head) -> bool:
        if self._inside is None:
            asker = await self._who(head)
            wanted = _absolute(head)
        else:
            asker = await self._who(self._inside[0])  # once more: a key may be revoked at any time
            wanted = _inside(head, self._inside[1])
        return await exchange(stream, wanted, asker, self._means)

    async def _connect(self, head: Head) -> Stream | None:
        place = read_place(head.target)
        host = head.get(b"host") or head.target
        if head.has_body or not (host == head.target or _means(host, place, place.port)):
            raise RequestError("A CONNECT names one host and port, and has no body.", reason="http_malformed")
        asker = await self._who(head)
        if self._authority is None or not self._means.intercepts(place.host):
            await tunnel(self.link, place, asker, self._means)
            return None
        await self.link.send(ESTABLISHED)
        try:
            await check_name(self.link, place)
        except RequestError:
            return None
        self._inside = (head, place)
        return await TlsStream.accept(self.link, self._authority.context(place.host))

    async def _who(self, head: Head) -> Asker:
        asker = await self._asking.who(head, self._peer)
        self.is_known = True
        return asker

    async def _linger(self, stream: Stream) -> None:
        """Let the client read the last answer before what it still sends is met by a reset."""
        if isinstance(stream, TlsStream):
            await stream.goodbye()
        self.link.end()
        if self.link.has_ended:
            return
        with suppress(TimeoutError):
            async with asyncio.timeout(_LINGER_SECONDS):
                while await self.link.receive():
                    pass


def _absolute(head: Head) -> Destined:
    """`GET http://host/path`. Raises RequestError."""
    scheme, separator, rest = head.target.partition(b"://")
    if not separator or scheme.lower() != b"http":
        raise RequestError(
            "This is a proxy: send `GET http://host/path`, or CONNECT for https.", reason="target_form"
        )
    authority = re.split(rb"[/?#\\]", rest, maxsplit=1)[0]
    place = read_place(authority, default_port=DEFAULT_PORT["http"])
    host = head.get(b"host")
    if host and not _means(host, place, DEFAULT_PORT["http"]):
        raise RequestError("The Host header names another host than the target.", reason="host_mismatch")
    return Destined(head, place, "http", _path(rest[len(authority) :]))


def _inside(head: Head, place: Place) -> Destined:
    """`GET /path` inside TLS. Raises RequestError."""
    if not _means(head.get(b"host"), place, DEFAULT_PORT["https"]):
        raise RequestError("The Host header names another host than the tunnel.", reason="host_mismatch")
    return Destined(head, place, "https", _path(head.target))


def _means(host: bytes, place: Place, default_port: int) -> bool:
    try:
        return read_place(host, default_port=default_port) == place
    except RequestError:
        return False


def _path(target: bytes) -> bytes:
    """In origin form. A fragment or a backslash is read in more ways than one."""
    if target[:1] == b"?" or not target:
        target = b"/" + target
    if target[:1] != b"/" or b"#" in target or b"\\" in target:
        raise RequestError("The target is no path.", reason="target_form")
    path, question, query = target.partition(b"?")
    return _ESCAPE.sub(_plainly, path) + question + query


def _plainly(escape: re.Match[bytes]) -> bytes:
    """RFC 3986, section 6.2.2.2: `%61dmin` is `admin`, for the policy and for the server."""
    byte = bytes.fromhex(escape[1].decode())
    return byte if _UNRESERVED.fullmatch(byte) else escape[0].upper()
