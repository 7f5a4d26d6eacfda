"""What one HTTP request brings to prove who asks. Reads headers; judges nothing."""

from __future__ import annotations

from collections.abc import MutableMapping
from typing import Any

from clearance.ports import Presented

_AUTHORIZATION = b"authorization"
_DELEGATION = b"clearance-delegation"
_CERTIFICATE = b"x-forwarded-client-cert"
_READ = frozenset({_AUTHORIZATION, _DELEGATION, _CERTIFICATE})


def presented(scope: MutableMapping[str, Any]) -> Presented:
    """A header that is sent twice is none: which of the two a proxy judged cannot be told."""
    found: dict[bytes, str] = {}
    for name, value in scope["headers"]:
        if name in _READ:
            found[name] = "" if name in found else value.decode("latin-1")
    scheme, _, credential = found.get(_AUTHORIZATION, "").partition(" ")
    client = scope.get("client")
    return Presented(
        credential=credential.strip() if scheme.lower() == "bearer" else "",
        delegation=found.get(_DELEGATION, "").strip(),
        client_certificate=found.get(_CERTIFICATE, ""),
        peer=client[0] if client else "",
    )
