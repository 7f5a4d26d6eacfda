"""A JWT taken apart, unverified: strictly, within bounds, before anything of it is believed."""

from __future__ import annotations

import json
import math
from base64 import urlsafe_b64decode
from typing import Any, Final, NoReturn

from msgspec import Struct

from clearance.errors import AuthenticationError

MOST_BYTES: Final = 16_384  # what proxies let through in one header, and more
_MOST_HEADER_BYTES: Final = 4_096  # encoded; x5c chains, which are ignored, fit
_MOST_KEY_ID: Final = 256
_BASE64URL: Final = frozenset("ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_")


class Unverified(Struct, frozen=True):
    """What a token says of itself. Good for choosing whom to ask, and for nothing else."""

    text: str
    algorithm: str
    key_id: str
    token_type: str
    claims: dict[str, Any]


def looks_like_token(text: str) -> bool:
    """Three parts of which the first may be a JSON object (`{"` in base64url)."""
    return text.startswith("ey") and text.count(".") == 2


def read(text: str) -> Unverified:
    """Raises AuthenticationError. `jku`, `x5u`, `x5c`, `jwk` are not read: no token brings its own key."""
    if len(text) > MOST_BYTES:
        raise malformed("is too large")
    head, claims, signature = text.split(".") if text.count(".") == 2 else ("", "", "")
    if not head or not claims or len(head) > _MOST_HEADER_BYTES or not _BASE64URL.issuperset(signature):
        raise malformed("is not three parts of base64url")
    header = _json_object(head)
    algorithm, key_id, token_type = (header.get(name, "") for name in ("alg", "kid", "typ"))
    if not all(isinstance(one, str) for one in (algorithm, key_id, token_type)) or not algorithm:
        raise malformed("has a header of another form")
    if "crit" in header or "b64" in header:
        raise malformed("asks for an extension that is not known here")
    if len(key_id) > _MOST_KEY_ID:
        raise malformed("has a key id that is too long")
    return Unverified(text, algorithm, key_id, token_type, _json_object(claims))


def malformed(what: str) -> AuthenticationError:
    return AuthenticationError(f"The token {what}.", reason="token_malformed")


def _json_object(part: str) -> dict[str, Any]:
    """Duplicate names, NaN and infinite numbers are refused: readers disagree about what they mean."""
    if not _BASE64URL.issuperset(part):
        raise malformed("is not three parts of base64url")
    try:
        value = _DECODER.decode(urlsafe_b64decode(part + "=" * (-len(part) % 4)).decode("utf-8"))
    except (ValueError, RecursionError):
        raise malformed("has a part that is not a JSON object, or names something twice") from None
    if not isinstance(value, dict):
        raise malformed("has a part that is not a JSON object")
    return value


def _unique(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    found = dict(pairs)
    if len(found) != len(pairs):
        raise ValueError
    return found


def _refused(_: str) -> NoReturn:
    raise ValueError


def _finite(text: str) -> float:
    value = float(text)
    if not math.isfinite(value):
        raise ValueError
    return value


_DECODER: Final = json.JSONDecoder(object_pairs_hook=_unique, parse_constant=_refused, parse_float=_finite)
