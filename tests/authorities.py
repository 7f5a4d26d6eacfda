"""Every httpx client reads the public authorities, 40 ms each time: here they are read once in a process."""

from __future__ import annotations

import os
import ssl
from functools import cache
from importlib import import_module
from typing import Any

NAMED = ("SSL_CERT_FILE", "SSL_CERT_DIR")  # where a test may have put others


def read_once(library: str) -> None:
    """For `httpx`, or the `httpx2` of the vendors' clients: who names no authorities shares one context."""
    transports: Any = import_module(f"{library}._transports.default")
    fresh = transports.create_ssl_context

    @cache
    def shared(trust_env: bool, *_: str | None) -> ssl.SSLContext:
        return fresh(verify=True, cert=None, trust_env=trust_env)

    def create_ssl_context(verify: Any = True, cert: Any = None, trust_env: bool = True) -> ssl.SSLContext:
        if verify is True and cert is None:
            return shared(trust_env, *(os.environ.get(name) for name in NAMED))
        return fresh(verify=verify, cert=cert, trust_env=trust_env)

    transports.create_ssl_context = create_ssl_context
