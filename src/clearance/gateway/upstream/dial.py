"""Opening a connection: TCP, through a CONNECT proxy where one is set, then TLS with the name verified."""

from __future__ import annotations

import asyncio
import base64
import ssl
from collections.abc import Callable
from functools import cache
from urllib.parse import unquote, urlsplit

from clearance.gateway.upstream.connection import Connection
from clearance.gateway.upstream.errors import UpstreamError
from clearance.gateway.upstream.origin import Origin

_MOST_ANSWER_BYTES = 16 << 10


@cache
def _tls(ca_file: str) -> ssl.SSLContext:
    """One for the process: reading the system's authorities takes 20 ms."""
    context = ssl.create_default_context(cafile=ca_file or None)
    context.set_alpn_protocols(["http/1.1"])
    return context


class Dialer:
    """`proxy` is `http://[user:password@]host:port`; every origin is then reached through it by CONNECT."""

    def __init__(self, *, timeout_seconds: float, ca_file: str, proxy: str) -> None:
        self._timeout = timeout_seconds
        self._tls = _tls(ca_file)
        self._proxy = urlsplit(proxy) if proxy else None

    async def dial(self, origin: Origin, make: Callable[[], Connection]) -> Connection:
        """Raises UpstreamError; then nothing was sent."""
        try:
            async with asyncio.timeout(self._timeout):
                return await self._dial(origin, make)
        except TimeoutError:
            message, reason = f"{origin.host} did not take the connection in time.", "connect_timeout"
        except ssl.SSLError as error:
            message, reason = f"{origin.host}: TLS failed ({error.reason or 'closed'}).", "tls_failed"
        except (OSError, UnicodeError) as error:
            message, reason = f"{origin.host} cannot be reached ({type(error).__name__}).", "connect_failed"
        raise UpstreamError(message, reason=reason, sent=False)

    async def _dial(self, origin: Origin, make: Callable[[], Connection]) -> Connection:
        loop = asyncio.get_running_loop()
        tls = self._tls if origin.scheme == "https" else None
        name = origin.host if tls else None
        if self._proxy is None:
            address = origin.address or origin.host
            _, connection = await loop.create_connection(
                make, address, origin.port, ssl=tls, server_hostname=name
            )
            return connection
        plain, tunnel = await loop.create_connection(
            _Tunnel, self._proxy.hostname or "", self._proxy.port or 80
        )
        try:
            plain.write(self._connect(origin))
            await tunnel.opened
            connection = make()
            plain.set_protocol(connection)
            transport = await loop.start_tls(plain, connection, tls, server_hostname=name) if tls else plain
            if transport is None or transport.is_closing():
                raise ConnectionResetError("closed behind the proxy")
        except BaseException:
            plain.abort()
            raise
        connection.connection_made(transport)
        return connection

    def _connect(self, origin: Origin) -> bytes:
        assert self._proxy is not None
        host = origin.address or origin.host
        target = f"[{host}]:{origin.port}" if ":" in host else f"{host}:{origin.port}"
        lines = [f"CONNECT {target} HTTP/1.1", f"host: {target}"]
        if self._proxy.username is not None:
            user = f"{unquote(self._proxy.username)}:{unquote(self._proxy.password or '')}"
            lines.append("proxy-authorization: Basic " + base64.b64encode(user.encode()).decode())
        return "\r\n".join([*lines, "", ""]).encode("ascii")


class _Tunnel(asyncio.Protocol):
    """What stands on the connection until the proxy has answered."""

    def __init__(self) -> None:
        self.opened: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        self._answer = b""

    def data_received(self, data: bytes) -> None:
        self._answer += data
        head, end, rest = self._answer.partition(b"\r\n\r\n")
        if not end and len(self._answer) <= _MOST_ANSWER_BYTES:
            return
        # Whoever is asked speaks first on what we open; bytes behind the answer are nobody's.
        opened = end and not rest and head.startswith((b"HTTP/1.1 2", b"HTTP/1.0 2"))
        self._end(None if opened else ConnectionRefusedError("the proxy refused"))

    def connection_lost(self, error: Exception | None) -> None:
        self._end(error or ConnectionResetError("the proxy closed"))

    def _end(self, error: Exception | None) -> None:
        if self.opened.done():
            return
        if error is None:
            self.opened.set_result(None)
        else:
            self.opened.set_exception(error)
