"""What one HTTP request brings to prove who asks. Reads headers; judges nothing."""

from __future__ import annotations

from collections.abc import MutableMapping
from typing import Any

from msgspec.structs import replace

from clearance.errors import AuthenticationError
from clearance.gateway.browser import SESSION, cookie, may_use_cookie
from clearance.ports import Presented

_AUTHORIZATION = b"authorization"
# Where the SDKs of model providers put their key, beside `Authorization`: Anthropic's, Azure's.
_KEY_HEADERS = frozenset({b"x-api-key", b"api-key"})
_DELEGATION = b"clearance-delegation"
_CERTIFICATE = b"x-forwarded-client-cert"
_COOKIE = b"cookie"
_READ = frozenset({_AUTHORIZATION, _DELEGATION, _CERTIFICATE, _COOKIE})


def presented(scope: MutableMapping[str, Any]) -> Presented:
    """A header that is sent twice is none: which of the two a proxy judged cannot be told.

    A session's cookie counts where there is no `Authorization`, and only for requests of our own pages.
    """
    found: dict[bytes, str] = {}
    for name, value in scope["headers"]:
        if name in _READ:
            found[name] = "" if name in found else value.decode("latin-1")
    client = scope.get("client")
    return Presented(
        credential=_credential(scope, found),
        delegation=found.get(_DELEGATION, "").strip(),
        client_certificate=found.get(_CERTIFICATE, ""),
        peer=client[0] if client else "",
    )


def presented_as_key(scope: MutableMapping[str, Any]) -> Presented:
    """The same for clients of model providers, which send a key where their provider wants it; no cookie.

    Raises AuthenticationError for two credentials that differ: whose request it is cannot be told.
    """
    plain, keys, is_said = presented(scope), [], False
    for name, value in scope["headers"]:
        if name in _KEY_HEADERS:
            keys.append(value.decode("latin-1").strip())
        elif name == _AUTHORIZATION:
            is_said = True
    if is_said and not keys:
        return plain
    found = {key for key in (*keys, plain.credential if is_said else "") if key}
    if len(found) > 1 or (keys and is_said and not plain.credential):
        raise AuthenticationError("The request brings two credentials; send one.")
    return replace(plain, credential=found.pop() if found else "")


def _credential(scope: MutableMapping[str, Any], found: dict[bytes, str]) -> str:
    if _AUTHORIZATION not in found and _COOKIE in found:
        session = cookie(found[_COOKIE], SESSION)
        # Nothing but a session lives in that cookie: an agent's key in a browser would be a mistake.
        return session if session.startswith("cls_") and may_use_cookie(scope) else ""
    scheme, _, credential = found.get(_AUTHORIZATION, "").partition(" ")
    return credential.strip() if scheme.lower() == "bearer" else ""
