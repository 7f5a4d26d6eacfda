"""Which headers pass the model proxy, each way. Both are lists of what may: a new header passes nobody."""

from __future__ import annotations

import hashlib
from collections.abc import Iterable

from clearance.core.dialects.answer import Dialect
from clearance.gateway.doors import Scope

Header = tuple[bytes, bytes]

_IDEMPOTENCY = b"idempotency-key"
_REQUEST = {b"accept", b"user-agent", _IDEMPOTENCY}
_REQUEST_OF = {
    Dialect.MESSAGES: frozenset({*_REQUEST, b"anthropic-version", b"anthropic-beta"}),
    Dialect.CHAT: frozenset({*_REQUEST, b"openai-beta"}),
    Dialect.RESPONSES: frozenset({*_REQUEST, b"openai-beta"}),
}
_REQUEST_PREFIX = b"x-stainless-"
_ANSWER = frozenset(
    {
        b"content-type",
        b"request-id",
        b"x-request-id",
        b"apim-request-id",
        b"retry-after",
        b"retry-after-ms",
        b"x-should-retry",
        b"cache-control",
        b"openai-version",
        b"openai-model",
        b"openai-processing-ms",
        b"x-ms-region",
    }
)
_ANSWER_PREFIXES = (b"x-ratelimit-", b"anthropic-ratelimit-")
_MOST_VALUE = 8_192  # bytes


def to_upstream(scope: Scope, dialect: Dialect, agent: str) -> list[Header]:
    """Of the client's headers, those that are the provider's business. A name that is sent twice is none.

    All agents are one customer to the provider: a key that names one agent's request must not get another's.
    """
    allowed = _REQUEST_OF[dialect]
    found: dict[bytes, bytes] = {}
    twice: set[bytes] = set()
    for name, value in scope["headers"]:
        if (name in allowed or name.startswith(_REQUEST_PREFIX)) and len(value) <= _MOST_VALUE:
            (twice.add(name) if name in found else found.update({name: value}))
    if (key := found.get(_IDEMPOTENCY)) is not None:
        found[_IDEMPOTENCY] = (
            hashlib.blake2b(agent.encode() + b"\0" + key, digest_size=16).hexdigest().encode()
        )
    return [header for header in found.items() if header[0] not in twice]


def to_client(headers: Iterable[Header]) -> list[Header]:
    """Of the provider's headers, those that are the client's business."""
    return [(name, value) for name, value in headers if name in _ANSWER or name.startswith(_ANSWER_PREFIXES)]


def value_of(headers: Iterable[Header], name: bytes) -> str:
    """A header's value; empty where it is missing or sent twice."""
    found: bytes | None = None
    for one, value in headers:
        if one == name:
            if found is not None:
                return ""
            found = value
    return "" if found is None else found.decode("latin-1").strip()
