"""Requests whose length is told in two ways, as bytes: for every port that reads HTTP."""

from __future__ import annotations

import json

BODY = json.dumps({"model": "scripted-1", "messages": [{"role": "user", "content": "Hi."}]}).encode()


def chunked(body: bytes) -> bytes:
    return b"%x\r\n%b\r\n0\r\n\r\n" % (len(body), body)


LENGTH = b"content-length: %d" % len(BODY)
AMBIGUOUS: dict[str, tuple[tuple[bytes, ...], bytes]] = {
    "a length and chunks": ((LENGTH, b"transfer-encoding: chunked"), chunked(BODY)),
    "chunks and a length": ((b"transfer-encoding: chunked", LENGTH), chunked(BODY)),
    "two lengths": ((LENGTH, b"content-length: 5"), BODY),
    "one length twice": ((LENGTH, LENGTH), BODY),
    "a list of lengths": ((b"content-length: %d, %d" % (len(BODY), len(BODY)),), BODY),
    "a signed length": ((b"content-length: +%d" % len(BODY),), BODY),
    "a negative length": ((b"content-length: -1",), BODY),
    "a length in hexadecimals": ((b"content-length: 0x%x" % len(BODY),), BODY),
    "a length beyond every number": ((b"content-length: 99999999999999999999999",), BODY),
    "xchunked": ((b"transfer-encoding: xchunked",), chunked(BODY)),
    "chunked, identity": ((b"transfer-encoding: chunked, identity",), chunked(BODY)),
    "a tab before chunked, and a length": ((b"transfer-encoding:\tchunked", LENGTH), chunked(BODY)),
    "space before the colon": ((b"transfer-encoding : chunked", LENGTH), chunked(BODY)),
    "a folded header": ((b"transfer-encoding:", b" chunked", LENGTH), chunked(BODY)),
    "a control in a name": ((b"content-len\x0bgth: 5", LENGTH), BODY),
    "a zero in a value": ((b"x: a\x00b", LENGTH), BODY),
    "a line feed alone": ((b"x: a\ntransfer-encoding: chunked", LENGTH), chunked(BODY)),
    "a carriage return alone": ((b"x: a\rtransfer-encoding: chunked", LENGTH), chunked(BODY)),
}
