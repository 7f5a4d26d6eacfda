"""One document of an issuer over HTTP: https but for loopback, no redirects, bounded in size and time."""

from __future__ import annotations

import time
from typing import Final

from clearance.config import is_safe_url

_MOST_BYTES: Final = 1 << 20  # key sets of large providers have some 20 KiB


def fetch(url: str, *, timeout_seconds: float) -> bytes:
    """Raises OSError where there is no answer, ValueError for one that cannot be taken."""
    import httpx  # on demand: who has no provider does not wait for it

    if not is_safe_url(url):
        raise ValueError("an address that is not https")
    ends = time.monotonic() + timeout_seconds
    try:
        with httpx.stream("GET", url, timeout=timeout_seconds, follow_redirects=False) as answer:
            if answer.status_code != httpx.codes.OK:
                raise ValueError(f"answered with status {answer.status_code}")
            body = bytearray()
            for chunk in answer.iter_bytes():
                body += chunk
                if len(body) > _MOST_BYTES:
                    raise ValueError("an answer that is too large")
                if time.monotonic() > ends:
                    raise OSError("an answer that takes too long")
            return bytes(body)
    except (httpx.HTTPError, httpx.InvalidURL) as error:
        raise OSError(type(error).__name__) from None
