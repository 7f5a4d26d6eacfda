"""One spelling for a tool's name, so that a rule meets it however it is written."""

from __future__ import annotations

import re
import unicodedata
from functools import lru_cache

_CAMEL = re.compile(r"(?<=[a-z0-9])(?=[A-Z])|(?<=[A-Z])(?=[A-Z][a-z])")
_SEPARATORS = re.compile(r"[^a-z0-9*?\[\]]+")


@lru_cache(maxsize=65_536)
def canonical(name: str) -> str:
    """Lower snake case of the NFKC form; glob characters stay.

    >>> [canonical(name) for name in ("sendEmail", "send-email", "Send Email", "HTTPGet", "mail.send_*")]
    ['send_email', 'send_email', 'send_email', 'http_get', 'mail_send_*']
    """
    spaced = _CAMEL.sub("_", unicodedata.normalize("NFKC", name))
    return _SEPARATORS.sub("_", spaced.lower()).strip("_")
