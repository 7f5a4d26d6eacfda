"""The server's side of TLS over a stream whose first bytes were looked at already. Verifies nobody."""

from __future__ import annotations

import ssl
from contextlib import suppress

from clearance.gateway.egress_proxy.link import Stream

_RECORD = 65_536


class TlsStream:
    """A `Stream` inside another. Made by `accept`."""

    def __init__(self, under: Stream, context: ssl.SSLContext) -> None:
        self._under = under
        self._in = ssl.MemoryBIO()
        self._out = ssl.MemoryBIO()
        self._tls = context.wrap_bio(self._in, self._out, server_side=True)
        self._back: list[bytes] = []

    @classmethod
    async def accept(cls, under: Stream, context: ssl.SSLContext) -> TlsStream:
        """Shake hands. Raises ConnectionError, ssl.SSLError."""
        stream = cls(under, context)
        while True:
            try:
                stream._tls.do_handshake()
            except ssl.SSLWantReadError:
                await stream._flush()
                if not await stream._more():
                    raise ConnectionResetError("the connection ended in the handshake") from None
            except ssl.SSLError:
                await stream._flush()  # the alert that says why
                raise
            else:
                await stream._flush()
                return stream

    async def receive(self) -> bytes:
        if self._back:
            return self._back.pop()
        while True:
            try:
                return self._tls.read(_RECORD)
            except ssl.SSLWantReadError:
                await self._flush()
                if not await self._more():
                    return b""
            except ssl.SSLZeroReturnError:
                return b""
            except ssl.SSLError:
                raise ConnectionResetError("TLS failed") from None

    async def send(self, data: bytes) -> None:
        for at in range(0, len(data), _RECORD):
            self._tls.write(data[at : at + _RECORD])
            await self._flush()

    def push_back(self, data: bytes) -> None:
        if data:
            self._back.append(data)

    def end(self) -> None:
        """TLS ends both ways at once; nothing is said before `close`."""

    def close(self) -> None:
        self._under.close()

    def abort(self) -> None:
        self._under.abort()

    async def goodbye(self) -> None:
        """Say that this is the end, so that nobody takes it for a cut."""
        with suppress(ssl.SSLError):
            self._tls.unwrap()
        await self._flush()

    async def _more(self) -> bool:
        data = await self._under.receive()
        if not data:
            self._in.write_eof()
            return False
        self._in.write(data)
        return True

    async def _flush(self) -> None:
        if self._out.pending:
            await self._under.send(self._out.read())
