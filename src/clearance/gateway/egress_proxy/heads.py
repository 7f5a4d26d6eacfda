"""The head of one proxy request, read strictly: whatever two servers could read differently is refused."""

from __future__ import annotations

import re

from msgspec import Struct

from clearance.errors import RequestError

MOST_BYTES = 65_536
_MOST_HEADERS = 200
# RFC 9110, sections 5.6.2 and 5.5: tokens, and field values without controls. Tabs are folded by some.
_TOKEN = re.compile(rb"[!#$%&'*+\-.^_`|~0-9A-Za-z]+")
_LINE = re.compile(rb"([!#$%&'*+\-.^_`|~0-9A-Za-z]+):([\t\x20-\x7e\x80-\xff]*)")
_TARGET = re.compile(rb"[\x21-\x7e\x80-\xff]+")
_LENGTH = re.compile(rb"[0-9]{1,18}")
# What concerns this connection alone (RFC 9110, section 7.6.1), or only us.
_OURS = frozenset(
    b"connection keep-alive proxy-connection proxy-authorization proxy-authenticate te trailer upgrade"
    b" transfer-encoding content-length expect host clearance-delegation".split()
)
_ONCE = frozenset(b"host content-length transfer-encoding expect content-type proxy-authorization".split())
Header = tuple[bytes, bytes]


class Head(Struct, frozen=True, kw_only=True):
    """Names are lower case. `length` is None where the body is chunked."""

    method: bytes
    target: bytes
    is_1_1: bool
    headers: tuple[Header, ...]
    length: int | None
    keeps_alive: bool

    def get(self, name: bytes) -> bytes:
        """The first value of that name, or nothing."""
        for each, value in self.headers:
            if each == name:
                return value
        return b""

    @property
    def has_body(self) -> bool:
        return self.length != 0

    def onward(self) -> tuple[Header, ...]:
        """The headers for the next server, without those that are this connection's or ours."""
        nominated = {word.strip().lower() for word in self.get(b"connection").split(b",")}
        return tuple(each for each in self.headers if each[0] not in _OURS and each[0] not in nominated)


def read_head(data: bytes) -> Head:
    """`data` ends with the empty line. Raises RequestError."""
    lines = data[:-4].split(b"\r\n")
    if b"\0" in data or not data.count(b"\r") == data.count(b"\n") == len(lines) + 1:
        raise _bad("A line ends in something else than CR LF.")
    words = lines[0].split(b" ")
    if len(words) != 3 or not _TOKEN.fullmatch(words[0]) or not _TARGET.fullmatch(words[1]):
        raise _bad("The request line is malformed.")
    if words[2] not in (b"HTTP/1.1", b"HTTP/1.0"):
        raise RequestError("Only HTTP/1.1 and HTTP/1.0 are spoken here.", reason="http_version")
    if len(lines) - 1 > _MOST_HEADERS:
        raise RequestError("The request has too many headers.", reason="headers_too_large")
    is_1_1 = words[2] == b"HTTP/1.1"
    headers = tuple(_header(line) for line in lines[1:])
    names = [name for name, _ in headers]
    found = dict(reversed(headers))
    if len(found) < len(headers) and any(names.count(name) > 1 for name in _ONCE):
        raise _bad("A header that may stand once stands twice.")
    if is_1_1 and b"host" not in found:
        raise _bad("There is no Host header.")
    connection = b",".join(value for name, value in headers if name.endswith(b"connection")).lower()
    options = {word.strip() for word in connection.split(b",")}
    return Head(
        method=words[0],
        target=words[1],
        is_1_1=is_1_1,
        headers=headers,
        length=_length(found, is_1_1=is_1_1),
        keeps_alive=b"close" not in options if is_1_1 else b"keep-alive" in options,
    )


def _header(line: bytes) -> Header:
    found = _LINE.fullmatch(line)
    if found is None:
        raise _bad("A header line is malformed.")  # a folded one begins with a space, which is no token
    return found[1].lower(), found[2].strip(b" \t")


def _length(found: dict[bytes, bytes], *, is_1_1: bool) -> int | None:
    """RFC 9112, section 6.3; of the choices there, always the refusal."""
    coding, length = found.get(b"transfer-encoding"), found.get(b"content-length")
    if coding is not None:
        if length is not None or not is_1_1 or coding.lower() != b"chunked":
            raise RequestError("The body's length is told in two ways, or in one unknown.", reason="framing")
        return None
    if length is None:
        return 0
    if not _LENGTH.fullmatch(length):
        raise RequestError("Content-Length is no number.", reason="framing")
    return int(length)


def _bad(message: str) -> RequestError:
    return RequestError(message, reason="http_malformed")
