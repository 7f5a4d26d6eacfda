"""What a verified token's claims mean: for whom, until when, who acts and on whose behalf. Pure."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import UTC, datetime, timedelta
from typing import Any, Final

from clearance.core.model import MOST_ACTORS, ActorKind
from clearance.errors import AuthenticationError

_MOST_NAME: Final = 255
_MOST_ROLES: Final = 256
# How records name people and programs: no agent may be called like one.
_RESERVED: Final = (*(f"{kind.value}:" for kind in ActorKind), "local:", "provider:")
_MOST_AGE: Final = 4_102_444_800  # 2100-01-01: beyond it a number is no time, and arithmetic may overflow


def check_times(claims: Mapping[str, Any], at: datetime, *, leeway_seconds: float) -> datetime:
    """When the token ends, the leeway included. Raises AuthenticationError: `exp` is needed."""
    leeway = timedelta(seconds=leeway_seconds)
    ends = _time(claims, "exp")
    if ends is None:
        raise unfit("lacks `exp`")
    if at >= ends + leeway:
        raise AuthenticationError("The token's time is over: get a new one.", reason="token_expired")
    for name in ("nbf", "iat"):
        begins = _time(claims, name)
        if begins is not None and at < begins - leeway:
            raise AuthenticationError("The token's time has not begun.", reason="token_not_yet_valid")
    return ends + leeway


def check_audience(claims: Mapping[str, Any], ours: Sequence[str]) -> None:
    """Raises AuthenticationError."""
    said = claims.get("aud")
    audience = [said] if isinstance(said, str) else said
    if not isinstance(audience, list) or not all(isinstance(one, str) for one in audience):
        raise unfit("lacks `aud`")
    if not set(ours).intersection(audience):
        raise AuthenticationError("The token is for somebody else.", reason="token_audience")


def acting_agent(claims: Mapping[str, Any], claim: str, *, prefix: str) -> str:
    """Who acts, by the claim told; without one, whoever got the token. Raises AuthenticationError."""
    names = (claim,) if claim else ("client_id", "azp", "sub")
    for name in names:
        if name in claims:
            return agent_name(claims[name], f"`{name}`", prefix=prefix)
    raise unfit(f"lacks {' or '.join(f'`{name}`' for name in names)}")


def actors(claims: Mapping[str, Any], *, prefix: str) -> tuple[str, ...]:
    """The agents of `act` (RFC 8693, section 4.1), the acting one first. Raises AuthenticationError."""
    names: list[str] = []
    here: Mapping[str, Any] = claims
    while "act" in here:
        act = here["act"]
        if not isinstance(act, dict):
            raise unfit("has an `act` that is not an object")
        if len(names) == MOST_ACTORS:
            raise unfit("has a chain of `act` that is too long")
        names.append(agent_name(act.get("sub", act.get("client_id")), "`act`", prefix=prefix))
        here = act
    return tuple(names)


def roles(claims: Mapping[str, Any], path: str, meanings: Mapping[str, Sequence[str]]) -> tuple[str, ...]:
    """The agent's roles by what the provider says; what it says that is not in the map means nothing here."""
    value: Any = claims
    for step in path.split(".") if path else ():
        value = value.get(step) if isinstance(value, dict) else None
    said = _words(value if path else None, f"`{path}`")
    return tuple(dict.fromkeys(role for one in said for role in meanings.get(one, ())))


def scopes(claims: Mapping[str, Any]) -> frozenset[str]:
    """What was granted: `scope` (RFC 9068), or `scp`, as some providers call it."""
    return frozenset(_words(claims.get("scope", claims.get("scp")), "`scope`"))


def agent_name(value: Any, where: str, *, prefix: str = "") -> str:
    """Raises AuthenticationError: a name that would pass for a person's is none."""
    name = prefix + name_of(value, where)
    if name.startswith(_RESERVED):
        raise unfit(f"has a name in {where} that is not an agent's")
    return name


def name_of(value: Any, where: str) -> str:
    if not isinstance(value, str) or not 0 < len(value) <= _MOST_NAME or value != value.strip():
        raise unfit(f"has no name in {where}")
    if not value.isprintable():
        raise unfit(f"has a name in {where} that cannot be shown")
    return value


def unfit(what: str) -> AuthenticationError:
    return AuthenticationError(f"The token {what}.", reason="token_claims")


def _time(claims: Mapping[str, Any], name: str) -> datetime | None:
    """A number of seconds since 1970; `true` is none."""
    if name not in claims:
        return None
    value = claims[name]
    if isinstance(value, bool) or not isinstance(value, int | float) or not 0 <= value <= _MOST_AGE:
        raise unfit(f"has a time in `{name}` that is none")
    return datetime.fromtimestamp(value, UTC)


def _words(value: Any, where: str) -> list[str]:
    if value is None:
        return []
    words = value.split() if isinstance(value, str) else value
    if not isinstance(words, list) or not all(isinstance(one, str) for one in words):
        raise unfit(f"has {where} in a form that is not known")
    if len(words) > _MOST_ROLES:
        raise unfit(f"has too much in {where}")
    return words
