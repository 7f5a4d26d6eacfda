"""The server name of a TLS ClientHello (RFC 8446, section 4.1.2), before anything of it is passed on."""

from __future__ import annotations

import struct

from msgspec import Struct

_HANDSHAKE = 0x16
_CLIENT_HELLO = 0x01
_SERVER_NAME = 0
_ENCRYPTED_CLIENT_HELLO = 0xFE0D
_EXTENSION = struct.Struct(">HH")  # its kind and its size
_MOST = 32_768  # bytes; real ones, post-quantum key shares included, stay below 4 KB
UNRECOGNIZED_NAME = bytes((0x15, 3, 3, 0, 2, 2, 112))  # a fatal alert, RFC 6066, section 3


class ClientHello(Struct, frozen=True):
    """What it says of its destination. `is_encrypted`: another, hidden name may be the real one."""

    server_name: str
    is_encrypted: bool


class NotTlsError(ValueError):
    """These bytes begin no TLS connection."""


def read_client_hello(data: bytes) -> ClientHello | None:
    """None: not whole yet. Raises NotTlsError."""
    message = _message(data)
    if message is None:
        return None
    try:
        return _hello(message)
    except (IndexError, struct.error):
        raise NotTlsError("the ClientHello is cut short") from None


def _message(data: bytes) -> bytes | None:
    """The handshake message, put together from as many records as it comes in."""
    message, at = b"", 0
    while True:
        header = data[at : at + 5]
        if header[:1] not in (b"", bytes((_HANDSHAKE,))) or header[1:2] not in (b"", b"\x03"):
            raise NotTlsError("no TLS handshake")
        if len(header) < 5:
            return None
        length = int.from_bytes(header[3:5])
        if not 0 < length <= 16_384 or at > _MOST:
            raise NotTlsError("a TLS record of a size that none may have")
        message += data[at + 5 : at + 5 + length]
        at += 5 + length
        if message[:1] not in (b"", bytes((_CLIENT_HELLO,))):
            raise NotTlsError("no ClientHello")
        if len(message) >= 4:
            whole = 4 + int.from_bytes(message[1:4])
            if whole > _MOST:
                raise NotTlsError("the ClientHello is too large")
            if len(message) >= whole:
                return message[4:whole]
        if at > len(data):
            return None


def _hello(message: bytes) -> ClientHello:
    at = 2 + 32  # version, random
    at += 1 + message[at]  # session
    at += 2 + _number(message, at)  # cipher suites
    at += 1 + message[at]  # compression
    if at == len(message):
        return ClientHello("", is_encrypted=False)
    end, at = at + 2 + _number(message, at), at + 2
    found: dict[int, bytes] = {}
    while at < end:
        kind, size = _EXTENSION.unpack_from(message, at)
        if kind in found:
            raise NotTlsError("an extension stands twice")
        found[kind] = message[at + 4 : at + 4 + size]
        at += 4 + size
    if at != end or end != len(message):
        raise IndexError
    name = _server_name(found[_SERVER_NAME]) if _SERVER_NAME in found else ""
    return ClientHello(name, is_encrypted=_ENCRYPTED_CLIENT_HELLO in found)


def _server_name(extension: bytes) -> str:
    """RFC 6066, section 3: a list, of one host name."""
    size = len(extension)
    if size < 5 or (_number(extension, 0), extension[2], _number(extension, 3)) != (size - 2, 0, size - 5):
        raise NotTlsError("the server name is not one host name")
    try:
        return extension[5:].decode("ascii").lower().rstrip(".")
    except UnicodeDecodeError:
        raise NotTlsError("a server name that is none") from None


def _number(data: bytes, at: int) -> int:
    """Raises IndexError where it does not end before the data does."""
    return data[at] << 8 | data[at + 1]
