"""What a browser brings and is given: cookies, and whether a page of this server asks. Judges one request."""

from __future__ import annotations

from collections.abc import MutableMapping
from typing import Any
from urllib.parse import urlsplit

Scope = MutableMapping[str, Any]

SESSION = "clearance_session"
LOGIN = "clearance_login"
_SAFE = frozenset({"GET", "HEAD", "OPTIONS"})
_PORTS = {"http": 80, "https": 443}


def cookie(text: str, name: str) -> str:
    """The value of one cookie. One that is sent twice is none: which of the two is ours cannot be told."""
    pairs = (part.strip().partition("=") for part in text.split(";"))
    found = [value for key, _, value in pairs if key == name]
    return found[0] if len(found) == 1 else ""


def header(scope: Scope, name: bytes) -> str:
    """A header's text; empty where it is missing or sent twice."""
    found = [value for key, value in scope["headers"] if key == name]
    return found[0].decode("latin-1") if len(found) == 1 else ""


def may_use_cookie(scope: Scope) -> bool:
    """Whether a cookie counts: a browser adds it to every site's requests, so ours must ask."""
    return scope["method"] in _SAFE or is_same_origin(scope)


def is_same_origin(scope: Scope) -> bool:
    """Whether the browser itself says that a page of this server asks. Who says nothing is no browser."""
    site = header(scope, b"sec-fetch-site")
    if site:
        return site == "same-origin"
    return bool(header(scope, b"origin")) and _is_ours(scope)


def is_foreign(scope: Scope) -> bool:
    """Whether a browser says that another site's page asks."""
    told = header(scope, b"sec-fetch-site") or header(scope, b"origin")
    return bool(told) and not is_same_origin(scope)


def set_cookie(name: str, value: str, *, path: str, seconds: int, secure: str = "") -> tuple[str, str]:
    """The header that keeps it from scripts and from other sites' forms. `secure` is `; Secure` on https."""
    flags = f"; Path={path}; Max-Age={seconds}; HttpOnly; SameSite=Lax{secure}"
    return "set-cookie", f"{name}={value}{flags}"


def secure_flag(scope: Scope, redirect_uri: str = "") -> str:
    """`; Secure` where the browser came by https, perhaps to a proxy before us."""
    origin = header(scope, b"origin")
    known = scope.get("scheme") == "https", origin.startswith("https:"), redirect_uri.startswith("https:")
    return "; Secure" if any(known) else ""


def _is_ours(scope: Scope) -> bool:
    """The origin's host and port are those that were asked. A proxy before us hides the scheme."""
    try:
        origin, asked = urlsplit(header(scope, b"origin")), urlsplit(f"//{header(scope, b'host')}")
        default = _PORTS.get(origin.scheme)
        ours = (asked.hostname, asked.port or default)
        return default is not None and (origin.hostname, origin.port or default) == ours
    except ValueError:
        return False
