"""Recipients of messages to resources: one per address, channel or account, however they are written."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from functools import lru_cache
from typing import Any

from clearance.core.model import Resource
from clearance.core.normalize.groups import (
    as_group,
    headers_of_raw,
    stands_for_many,
    unreadable_group,
)
from clearance.core.normalize.http import normalised_host
from clearance.core.normalize.reading import MAX_RESOURCES, more, named, unreadable

_PLAIN = re.compile(r"[A-Za-z0-9._%+-]{1,64}@[A-Za-z0-9.-]{1,253}")
_QUOTED = re.compile(r'"[^"]*"')
_SEPARATOR = re.compile(r"[,;\r\n]")
_EDGE = re.compile(r"[\s<>()\[\]\"']+")
# Where a recipient given as an object keeps the address; the first that is there counts.
_ADDRESS_KEYS = ("email", "address", "email_address", "emailAddress", "mail", "id", "name", "user")
_MESSAGE_KEYS = ("to", "cc", "bcc")
_MAX_DEPTH = 4
_FEW = 100  # up to here a list's texts are read one by one, and remembered
_MAX_RECIPIENT = 512  # characters; an address has at most 254, RFC 5321


def read_recipients(value: Any) -> list[Resource]:
    """One resource for each recipient in a string, an object or a list of them.

    Strings are split at commas, semicolons and line ends; `Name <a@b>` gives the address. Every word that
    holds an address counts, wherever it stands: a recipient too many is safer than one too few.
    """
    if not value:
        return []
    if isinstance(value, str):
        return [*_in_text(value)] if len(value) <= _MAX_RECIPIENT else _bounded(_split(value))
    if isinstance(value, list) and len(value) <= _FEW:
        found: list[Resource] = []
        for item in value:
            short = isinstance(item, str) and len(item) <= _MAX_RECIPIENT
            found += _in_text(item) if short else _bounded(_texts(item, 1))
        return found
    return _bounded(_texts(value, 0))


@lru_cache(maxsize=8_192)
def _in_text(text: str) -> tuple[Resource, ...]:
    return tuple(map(_recipient, _split(text)))


def _bounded(found: Iterator[str | None]) -> list[Resource]:
    """A resource for each of the first MAX_RESOURCES; the others, each text once, are only counted."""
    texts = list(dict.fromkeys(found))
    resources = [recipient(text) for text in texts[:MAX_RESOURCES]]
    rest = len(texts) - MAX_RESOURCES
    return [*resources, more("recipient", rest)] if rest > 0 else resources


def read_raw(value: Any) -> list[Resource]:
    """Recipients of a message given as the base64 of its text, as mail services take it."""
    if not isinstance(value, str) or not value:
        return []
    headers = headers_of_raw(value)
    if headers is None:
        return [unreadable_group()]
    return [found for texts in headers.values() for text in texts for found in read_recipients(text)]


def read_addresses(value: Any) -> list[Resource]:
    """The same, but only what is an e-mail address: for arguments that may hold other things too."""
    return [resource for resource in read_recipients(value) if resource.kind == "email"]


def recipient(text: str | None) -> Resource:
    """`email:` with its domain in lower case, `channel:` for `#name`, else `recipient:`."""
    return unreadable("recipient") if text is None or len(text) > _MAX_RECIPIENT else _recipient(text)


def _recipient(text: str) -> Resource:
    found = _one(text)
    return as_group(found) if found.kind == "channel" or stands_for_many(text) else found


def _one(text: str) -> Resource:
    local, at, domain = text.rpartition("@")
    if at and domain and (local or "." in domain):  # `@name` is an account, `@a.example` a domain
        return _email(local, domain)
    if text.startswith("#"):
        return named("channel", text[1:].strip())
    return named("recipient", text)


def _email(local: str, domain: str) -> Resource:
    local = local[7:] if local[:7].lower() == "mailto:" else local
    host = normalised_host(domain.split("?", 1)[0])
    if not host:
        return named("email", f"{local}@{domain.lower()}")
    address = named("email", f"{local}@{host}")
    if "unreadable" in address.attributes:
        return address
    return Resource(kind="email", name=address.name, attributes={"domain": host})


def _texts(value: Any, depth: int) -> Iterator[str | None]:
    """Each recipient's text; None for one that cannot be read."""
    if value is None or value == "":
        return
    if isinstance(value, str):
        yield from _split(value)
    elif isinstance(value, (int, float)) and not isinstance(value, bool):
        yield str(value)
    elif depth >= _MAX_DEPTH:
        yield None
    elif isinstance(value, Mapping):
        fields = [value[key] for key in _MESSAGE_KEYS if key in value]  # one message of a batch
        inner = [value[key] for key in _ADDRESS_KEYS if key in value][:1]
        for part in (*fields, *inner):
            yield from _texts(part, depth + 1)
        if not fields and (not inner or inner[0] is None):
            yield None
    elif isinstance(value, (list, tuple, set, frozenset)):
        for item in value:
            yield from _texts(item, depth + 1)
    else:
        yield None


def _split(text: str) -> Iterator[str]:
    if len(text) <= 254 and _PLAIN.fullmatch(text):
        yield text
        return
    quoted = _QUOTED.findall(text)
    for piece in (*_SEPARATOR.split(_QUOTED.sub("", text)), *quoted):
        words = [word for word in _EDGE.split(piece) if "@" in word] if "@" in piece else []
        if words:
            yield from words
        elif piece not in quoted and piece.strip():
            yield piece.strip()
