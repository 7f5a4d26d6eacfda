"""One spelling for a name, so that a rule meets it however it is written; and which names mean a secret."""

from __future__ import annotations

import re
import unicodedata
from functools import lru_cache

from clearance.core.model.patterns import SECRET_NAMES

_CAMEL = re.compile(r"(?<=[a-z0-9])(?=[A-Z])|(?<=[A-Z])(?=[A-Z][a-z])")
_MAX_KEY = 128  # characters of a key's end: longer than any secret's name
_SEPARATORS = re.compile(r"[^a-z0-9*?\[\]]+")


@lru_cache(maxsize=65_536)
def canonical(name: str) -> str:
    """Lower snake case of the NFKC form; glob characters stay.

    >>> [canonical(name) for name in ("sendEmail", "send-email", "Send Email", "HTTPGet", "mail.send_*")]
    ['send_email', 'send_email', 'send_email', 'http_get', 'mail_send_*']
    """
    spaced = _CAMEL.sub("_", unicodedata.normalize("NFKC", name))
    return _SEPARATORS.sub("_", spaced.lower()).strip("_")


def secret_name(key: str) -> str:
    """Which of SECRET_NAMES the key is or ends in, however it is written; empty if none.

    >>> [secret_name(key) for key in ("dbPassword", "X-API-Key", "max_tokens", "subject")]
    ['password', 'api_key', '', '']
    """
    return _secret_name(key[-_MAX_KEY:])


@lru_cache(maxsize=8_192)
def _secret_name(key: str) -> str:
    words = canonical(key).split("_")
    two, one = "_".join(words[-2:]), words[-1]
    return two if two in SECRET_NAMES else one if one in SECRET_NAMES else ""
